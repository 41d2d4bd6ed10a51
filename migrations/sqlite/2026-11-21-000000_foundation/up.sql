-- The foundation: people, keys, identities, claims, policies, assets, ledger, operations, audit.
-- Amounts are base units 0 to 2^256-1: 78 digits with leading zeros; the checks refuse what arithmetic in SQL would leave behind.

-- People and programs that call us. One wallet belongs to one user.
CREATE TABLE users (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    wallet BLOB NOT NULL,
    created_at TEXT NOT NULL,
    CONSTRAINT users_pk PRIMARY KEY (id),
    CONSTRAINT users_wallet_form CHECK (length(wallet) = 20),
    CONSTRAINT users_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT users_wallet_unique UNIQUE (wallet)
) STRICT;

-- secret_hash is HMAC-SHA256 of the whole key under the pepper; start is what may be shown again.
CREATE TABLE api_keys (
    id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    name TEXT,
    start TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    enabled INTEGER NOT NULL,
    expires_at TEXT,
    last_used_at TEXT,
    created_at TEXT NOT NULL,
    CONSTRAINT api_keys_pk PRIMARY KEY (id),
    CONSTRAINT api_keys_secret_hash_form CHECK (length(secret_hash) = 32),
    CONSTRAINT api_keys_enabled_form CHECK (enabled IN (0, 1)),
    CONSTRAINT api_keys_expires_at_form CHECK (expires_at IS NULL OR length(expires_at) = 27),
    CONSTRAINT api_keys_last_used_at_form CHECK (last_used_at IS NULL OR length(last_used_at) = 27),
    CONSTRAINT api_keys_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT api_keys_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
) STRICT;
CREATE INDEX api_keys_user ON api_keys (user_id);

-- scope is an asset, or the nil id for the system. Granted to a wallet, which may have no user yet.
CREATE TABLE role_grants (
    scope BLOB NOT NULL,
    account BLOB NOT NULL,
    role TEXT NOT NULL,
    granted_by BLOB,
    granted_at TEXT NOT NULL,
    CONSTRAINT role_grants_pk PRIMARY KEY (scope, account, role),
    CONSTRAINT role_grants_account_form CHECK (length(account) = 20),
    CONSTRAINT role_grants_granted_at_form CHECK (length(granted_at) = 27),
    CONSTRAINT role_grants_role CHECK (role IN ('admin', 'systemManager', 'tokenManager', 'complianceManager', 'addonManager', 'claimPolicyManager', 'claimIssuer', 'identityManager', 'auditor', 'governance', 'supplyManagement', 'custodian', 'emergency'))
) STRICT;
CREATE INDEX role_grants_account ON role_grants (account);

-- One row per user and method. secret is an Argon2id string (PINCODE) or an encrypted seed (OTP). version changes with every change of the credential.
CREATE TABLE wallet_methods (
    user_id BLOB NOT NULL,
    method TEXT NOT NULL,
    version INTEGER NOT NULL,
    secret TEXT NOT NULL,
    algorithm TEXT,
    confirmed INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    lock_count INTEGER NOT NULL,
    locked_until TEXT,
    last_step INTEGER,
    updated_at TEXT NOT NULL,
    CONSTRAINT wallet_methods_pk PRIMARY KEY (user_id, method),
    CONSTRAINT wallet_methods_confirmed_form CHECK (confirmed IN (0, 1)),
    CONSTRAINT wallet_methods_locked_until_form CHECK (locked_until IS NULL OR length(locked_until) = 27),
    CONSTRAINT wallet_methods_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT wallet_methods_method CHECK (method IN ('PINCODE', 'OTP', 'SECRET_CODES')),
    CONSTRAINT wallet_methods_failures CHECK (failures >= 0),
    CONSTRAINT wallet_methods_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
) STRICT;

-- The one-time codes of a set; code_hash is HMAC-SHA256(pepper, user, code).
CREATE TABLE secret_codes (
    user_id BLOB NOT NULL,
    code_hash BLOB NOT NULL,
    version INTEGER NOT NULL,
    used_at TEXT,
    CONSTRAINT secret_codes_pk PRIMARY KEY (user_id, code_hash),
    CONSTRAINT secret_codes_code_hash_form CHECK (length(code_hash) = 32),
    CONSTRAINT secret_codes_used_at_form CHECK (used_at IS NULL OR length(used_at) = 27),
    CONSTRAINT secret_codes_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
) STRICT;

-- ONCHAINID identities of people (account) and assets (asset).
CREATE TABLE identities (
    id BLOB NOT NULL,
    address BLOB NOT NULL,
    kind TEXT NOT NULL,
    registered INTEGER NOT NULL,
    country INTEGER,
    registered_at TEXT,
    created_at TEXT NOT NULL,
    CONSTRAINT identities_pk PRIMARY KEY (id),
    CONSTRAINT identities_address_form CHECK (length(address) = 20),
    CONSTRAINT identities_registered_form CHECK (registered IN (0, 1)),
    CONSTRAINT identities_registered_at_form CHECK (registered_at IS NULL OR length(registered_at) = 27),
    CONSTRAINT identities_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT identities_address_unique UNIQUE (address),
    CONSTRAINT identities_kind CHECK (kind IN ('account', 'asset'))
) STRICT;

-- Which identity a wallet (or an asset address) belongs to.
CREATE TABLE identity_wallets (
    wallet BLOB NOT NULL,
    identity_id BLOB NOT NULL,
    CONSTRAINT identity_wallets_pk PRIMARY KEY (wallet),
    CONSTRAINT identity_wallets_wallet_form CHECK (length(wallet) = 20),
    CONSTRAINT identity_wallets_identity_fk FOREIGN KEY (identity_id) REFERENCES identities (id)
) STRICT;
CREATE INDEX identity_wallets_identity ON identity_wallets (identity_id);

-- ERC-734 keys: keccak256(abi.encode(address)); purpose 1 management, 2 action, 3 claim signer, 4 encryption.
CREATE TABLE identity_keys (
    identity_id BLOB NOT NULL,
    key_hash BLOB NOT NULL,
    purpose INTEGER NOT NULL,
    CONSTRAINT identity_keys_pk PRIMARY KEY (identity_id, key_hash, purpose),
    CONSTRAINT identity_keys_key_hash_form CHECK (length(key_hash) = 32),
    CONSTRAINT identity_keys_identity_fk FOREIGN KEY (identity_id) REFERENCES identities (id),
    CONSTRAINT identity_keys_purpose CHECK (purpose BETWEEN 1 AND 4)
) STRICT;

-- Known claim topics; number is keccak256(name); signature lists the ABI types of the data.
CREATE TABLE claim_topics (
    name TEXT NOT NULL,
    number TEXT NOT NULL,
    signature TEXT NOT NULL,
    validity_seconds_max INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    CONSTRAINT claim_topics_pk PRIMARY KEY (name),
    CONSTRAINT claim_topics_number_form CHECK ((length(number) = 78 AND number NOT GLOB '*[^0-9]*' AND number <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT claim_topics_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT claim_topics_number_unique UNIQUE (number)
) STRICT;

-- Which identity (by address) is trusted for which topic.
CREATE TABLE trusted_issuers (
    issuer BLOB NOT NULL,
    topic TEXT NOT NULL,
    added_at TEXT NOT NULL,
    CONSTRAINT trusted_issuers_pk PRIMARY KEY (issuer, topic),
    CONSTRAINT trusted_issuers_issuer_form CHECK (length(issuer) = 20),
    CONSTRAINT trusted_issuers_added_at_form CHECK (length(added_at) = 27),
    CONSTRAINT trusted_issuers_topic_fk FOREIGN KEY (topic) REFERENCES claim_topics (name)
) STRICT;
CREATE INDEX trusted_issuers_topic ON trusted_issuers (topic);

-- Append-only: a new claim of an issuer and topic supersedes the old one. amount is the first value of a collateral claim.
CREATE TABLE claims (
    id BLOB NOT NULL,
    identity_id BLOB NOT NULL,
    topic TEXT NOT NULL,
    issuer BLOB NOT NULL,
    scheme INTEGER NOT NULL,
    data BLOB NOT NULL,
    values_json TEXT NOT NULL,
    amount TEXT,
    uri TEXT NOT NULL,
    signature BLOB,
    signer BLOB,
    issued_by BLOB,
    issued_at TEXT NOT NULL,
    not_before TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    status TEXT NOT NULL,
    ended_at TEXT,
    ended_by BLOB,
    retain_until TEXT,
    CONSTRAINT claims_pk PRIMARY KEY (id),
    CONSTRAINT claims_issuer_form CHECK (length(issuer) = 20),
    CONSTRAINT claims_amount_form CHECK (amount IS NULL OR (length(amount) = 78 AND amount NOT GLOB '*[^0-9]*' AND amount <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT claims_signer_form CHECK (length(signer) = 20),
    CONSTRAINT claims_issued_at_form CHECK (length(issued_at) = 27),
    CONSTRAINT claims_not_before_form CHECK (length(not_before) = 27),
    CONSTRAINT claims_expires_at_form CHECK (length(expires_at) = 27),
    CONSTRAINT claims_ended_at_form CHECK (ended_at IS NULL OR length(ended_at) = 27),
    CONSTRAINT claims_retain_until_form CHECK (retain_until IS NULL OR length(retain_until) = 27),
    CONSTRAINT claims_status CHECK (status IN ('active', 'revoked', 'superseded')),
    CONSTRAINT claims_identity_fk FOREIGN KEY (identity_id) REFERENCES identities (id),
    CONSTRAINT claims_topic_fk FOREIGN KEY (topic) REFERENCES claim_topics (name)
) STRICT;
CREATE UNIQUE INDEX claims_active_unique ON claims (identity_id, topic, issuer) WHERE status = 'active';
CREATE INDEX claims_identity ON claims (identity_id, topic);

-- Imported sanctions lists; the one of the latest date counts, of two with one date the one imported later.
CREATE TABLE sanctions_lists (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    as_of TEXT NOT NULL,
    imported_at TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    entries INTEGER NOT NULL,
    CONSTRAINT sanctions_lists_pk PRIMARY KEY (id),
    CONSTRAINT sanctions_lists_as_of_form CHECK (length(as_of) = 27),
    CONSTRAINT sanctions_lists_imported_at_form CHECK (length(imported_at) = 27),
    CONSTRAINT sanctions_lists_sha256_form CHECK (length(sha256) = 32)
) STRICT;

CREATE TABLE sanctioned_addresses (
    list_id BLOB NOT NULL,
    address BLOB NOT NULL,
    CONSTRAINT sanctioned_addresses_pk PRIMARY KEY (list_id, address),
    CONSTRAINT sanctioned_addresses_address_form CHECK (length(address) = 20),
    CONSTRAINT sanctioned_addresses_list_fk FOREIGN KEY (list_id) REFERENCES sanctions_lists (id)
) STRICT;

-- Every policy set that was ever loaded, by hash.
CREATE TABLE policies (
    hash BLOB NOT NULL,
    text TEXT NOT NULL,
    loaded_at TEXT NOT NULL,
    CONSTRAINT policies_pk PRIMARY KEY (hash),
    CONSTRAINT policies_hash_form CHECK (length(hash) = 32),
    CONSTRAINT policies_loaded_at_form CHECK (length(loaded_at) = 27)
) STRICT;

-- The policy set in force; a process that loaded another one refuses mints.
CREATE TABLE active_policy (
    singleton INTEGER NOT NULL,
    hash BLOB NOT NULL,
    activated_at TEXT NOT NULL,
    CONSTRAINT active_policy_pk PRIMARY KEY (singleton),
    CONSTRAINT active_policy_hash_form CHECK (length(hash) = 32),
    CONSTRAINT active_policy_activated_at_form CHECK (length(activated_at) = 27),
    CONSTRAINT active_policy_singleton CHECK (singleton = 1),
    CONSTRAINT active_policy_hash_fk FOREIGN KEY (hash) REFERENCES policies (hash)
) STRICT;

-- One row per asset; locked first by everything that changes it. next_operation numbers its operations without a gap; revision moves with every change of what rules look at.
CREATE TABLE assets (
    id BLOB NOT NULL,
    address BLOB NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    symbol TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    isin TEXT,
    country INTEGER,
    class TEXT,
    category TEXT,
    base_price TEXT,
    base_price_currency TEXT,
    face_value TEXT,
    maturity TEXT,
    denomination_asset BLOB,
    management_fee_bps INTEGER,
    settlement TEXT NOT NULL,
    policy TEXT,
    identity_id BLOB NOT NULL,
    cap TEXT,
    collateral_topic TEXT,
    collateral_ratio_bps INTEGER,
    paused INTEGER NOT NULL,
    supply TEXT NOT NULL,
    pending TEXT NOT NULL,
    holders INTEGER NOT NULL,
    next_operation INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    created_at TEXT NOT NULL,
    CONSTRAINT assets_pk PRIMARY KEY (id),
    CONSTRAINT assets_address_form CHECK (length(address) = 20),
    CONSTRAINT assets_face_value_form CHECK (face_value IS NULL OR (length(face_value) = 78 AND face_value NOT GLOB '*[^0-9]*' AND face_value <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT assets_maturity_form CHECK (maturity IS NULL OR length(maturity) = 27),
    CONSTRAINT assets_denomination_asset_form CHECK (length(denomination_asset) = 20),
    CONSTRAINT assets_cap_form CHECK (cap IS NULL OR (length(cap) = 78 AND cap NOT GLOB '*[^0-9]*' AND cap <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT assets_paused_form CHECK (paused IN (0, 1)),
    CONSTRAINT assets_supply_form CHECK ((length(supply) = 78 AND supply NOT GLOB '*[^0-9]*' AND supply <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT assets_pending_form CHECK ((length(pending) = 78 AND pending NOT GLOB '*[^0-9]*' AND pending <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT assets_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT assets_address_unique UNIQUE (address),
    CONSTRAINT assets_kind CHECK (kind IN ('bond', 'equity', 'fund', 'stablecoin', 'deposit')),
    CONSTRAINT assets_decimals CHECK (decimals BETWEEN 0 AND 18),
    CONSTRAINT assets_settlement CHECK (settlement IN ('book', 'evm')),
    CONSTRAINT assets_holders CHECK (holders >= 0),
    CONSTRAINT assets_identity_fk FOREIGN KEY (identity_id) REFERENCES identities (id)
) STRICT;
CREATE INDEX assets_created ON assets (created_at, id);

-- Compliance modules attached to an asset, in the order in which they are evaluated.
CREATE TABLE asset_modules (
    asset_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    type_id TEXT NOT NULL,
    module BLOB,
    values_json TEXT NOT NULL,
    CONSTRAINT asset_modules_pk PRIMARY KEY (asset_id, position),
    CONSTRAINT asset_modules_module_form CHECK (length(module) = 20),
    CONSTRAINT asset_modules_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id)
) STRICT;

-- How many identities of a country hold (posted or pending) the asset.
CREATE TABLE holder_countries (
    asset_id BLOB NOT NULL,
    country INTEGER NOT NULL,
    holders INTEGER NOT NULL,
    CONSTRAINT holder_countries_pk PRIMARY KEY (asset_id, country),
    CONSTRAINT holder_countries_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id)
) STRICT;

-- Balances of a holder on an asset: posted is final, pending is on its way in, frozen_amount is part of posted.
CREATE TABLE accounts (
    asset_id BLOB NOT NULL,
    account BLOB NOT NULL,
    identity_id BLOB,
    posted TEXT NOT NULL,
    pending TEXT NOT NULL,
    frozen_amount TEXT NOT NULL,
    frozen INTEGER NOT NULL,
    acquired_at TEXT,
    updated_at TEXT NOT NULL,
    CONSTRAINT accounts_pk PRIMARY KEY (asset_id, account),
    CONSTRAINT accounts_account_form CHECK (length(account) = 20),
    CONSTRAINT accounts_posted_form CHECK ((length(posted) = 78 AND posted NOT GLOB '*[^0-9]*' AND posted <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT accounts_pending_form CHECK ((length(pending) = 78 AND pending NOT GLOB '*[^0-9]*' AND pending <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT accounts_frozen_amount_form CHECK ((length(frozen_amount) = 78 AND frozen_amount NOT GLOB '*[^0-9]*' AND frozen_amount <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT accounts_frozen_form CHECK (frozen IN (0, 1)),
    CONSTRAINT accounts_acquired_at_form CHECK (acquired_at IS NULL OR length(acquired_at) = 27),
    CONSTRAINT accounts_updated_at_form CHECK (length(updated_at) = 27)
) STRICT;
CREATE INDEX accounts_identity ON accounts (asset_id, identity_id);

-- Double entry: for every operation the debits equal the credits. line counts the recipients of a mint from 0; the issuance side has the line after them.
CREATE TABLE postings (
    asset_id BLOB NOT NULL,
    operation INTEGER NOT NULL,
    line INTEGER NOT NULL,
    kind TEXT NOT NULL,
    account BLOB NOT NULL,
    side TEXT NOT NULL,
    amount TEXT NOT NULL,
    state TEXT NOT NULL,
    CONSTRAINT postings_pk PRIMARY KEY (asset_id, operation, line),
    CONSTRAINT postings_account_form CHECK (length(account) = 20),
    CONSTRAINT postings_amount_form CHECK ((length(amount) = 78 AND amount NOT GLOB '*[^0-9]*' AND amount <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT postings_kind CHECK (kind IN ('issuance', 'holder', 'frozen')),
    CONSTRAINT postings_side CHECK (side IN ('debit', 'credit')),
    CONSTRAINT postings_state CHECK (state IN ('pending', 'posted', 'voided'))
) STRICT;
CREATE INDEX postings_account ON postings (asset_id, account);

-- Requested changes of an asset, numbered without a gap. plan is JSON; the lines of a mint are its postings.
CREATE TABLE operations (
    asset_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    plan TEXT NOT NULL,
    lines INTEGER NOT NULL,
    total TEXT NOT NULL,
    requested_by BLOB NOT NULL,
    request_id TEXT NOT NULL,
    policy_hash BLOB,
    error TEXT,
    attention_reason TEXT,
    attention_since TEXT,
    created_at TEXT NOT NULL,
    finished_at TEXT,
    CONSTRAINT operations_pk PRIMARY KEY (asset_id, sequence),
    CONSTRAINT operations_total_form CHECK ((length(total) = 78 AND total NOT GLOB '*[^0-9]*' AND total <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT operations_policy_hash_form CHECK (length(policy_hash) = 32),
    CONSTRAINT operations_attention_since_form CHECK (attention_since IS NULL OR length(attention_since) = 27),
    CONSTRAINT operations_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT operations_finished_at_form CHECK (finished_at IS NULL OR length(finished_at) = 27),
    CONSTRAINT operations_id_unique UNIQUE (id),
    CONSTRAINT operations_status CHECK (status IN ('queued', 'signed', 'sent', 'mined', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT operations_lines CHECK (lines >= 0),
    CONSTRAINT operations_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id)
) STRICT;
CREATE INDEX operations_requester ON operations (requested_by, created_at);
CREATE INDEX operations_open ON operations (asset_id, sequence) WHERE status NOT IN ('succeeded', 'failed', 'cancelled');

-- First answers by Idempotency-Key; no expiry means for ever (mints).
CREATE TABLE idempotency_keys (
    user_id BLOB NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    operation_id BLOB,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    CONSTRAINT idempotency_keys_pk PRIMARY KEY (user_id, route, key),
    CONSTRAINT idempotency_keys_fingerprint_form CHECK (length(fingerprint) = 32),
    CONSTRAINT idempotency_keys_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT idempotency_keys_expires_at_form CHECK (expires_at IS NULL OR length(expires_at) = 27),
    CONSTRAINT idempotency_keys_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
) STRICT;
CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);

-- One row per stream: the next number, and the leaf hash of the last event.
CREATE TABLE audit_streams (
    stream TEXT NOT NULL,
    next_sequence INTEGER NOT NULL,
    head BLOB NOT NULL,
    CONSTRAINT audit_streams_pk PRIMARY KEY (stream),
    CONSTRAINT audit_streams_head_form CHECK (length(head) = 32)
) STRICT;

-- Append-only. data is canonical JSON; leaf_hash covers every other column.
CREATE TABLE audit_events (
    stream TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    asset_id BLOB,
    operation_id BLOB,
    data TEXT NOT NULL,
    leaf_hash BLOB NOT NULL,
    CONSTRAINT audit_events_pk PRIMARY KEY (stream, sequence),
    CONSTRAINT audit_events_at_form CHECK (length(at) = 27),
    CONSTRAINT audit_events_leaf_hash_form CHECK (length(leaf_hash) = 32)
) STRICT;
CREATE INDEX audit_events_asset ON audit_events (asset_id, at);
CREATE INDEX audit_events_at ON audit_events (at, stream, sequence);
CREATE INDEX audit_events_operation ON audit_events (operation_id);

-- Which accounts an event is about, where no posting tells it.
CREATE TABLE audit_subjects (
    account BLOB NOT NULL,
    stream TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    CONSTRAINT audit_subjects_pk PRIMARY KEY (account, stream, sequence),
    CONSTRAINT audit_subjects_account_form CHECK (length(account) = 20)
) STRICT;
