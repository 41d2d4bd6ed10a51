-- The foundation: people, keys, identities, claims, policies, assets, ledger, operations, audit.
-- Amounts are base units 0 to 2^256-1: numeric(78,0) alone would admit 2^256, hence the checks.

-- People and programs that call us. One wallet belongs to one user.
CREATE TABLE users (
    id uuid NOT NULL,
    name text NOT NULL,
    wallet bytea NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT users_pk PRIMARY KEY (id),
    CONSTRAINT users_wallet_form CHECK (octet_length(wallet) = 20),
    CONSTRAINT users_wallet_unique UNIQUE (wallet)
);

-- secret_hash is HMAC-SHA256 of the whole key under the pepper; start is what may be shown again.
CREATE TABLE api_keys (
    id text NOT NULL,
    user_id uuid NOT NULL,
    name text,
    start text NOT NULL,
    secret_hash bytea NOT NULL,
    enabled boolean NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT api_keys_pk PRIMARY KEY (id),
    CONSTRAINT api_keys_secret_hash_form CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT api_keys_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX api_keys_user ON api_keys (user_id);

-- scope is an asset, or the nil id for the system. Granted to a wallet, which may have no user yet.
CREATE TABLE role_grants (
    scope uuid NOT NULL,
    account bytea NOT NULL,
    role text NOT NULL,
    granted_by uuid,
    granted_at timestamptz NOT NULL,
    CONSTRAINT role_grants_pk PRIMARY KEY (scope, account, role),
    CONSTRAINT role_grants_account_form CHECK (octet_length(account) = 20),
    CONSTRAINT role_grants_role CHECK (role IN ('admin', 'systemManager', 'tokenManager', 'complianceManager', 'addonManager', 'claimPolicyManager', 'claimIssuer', 'identityManager', 'auditor', 'governance', 'supplyManagement', 'custodian', 'emergency'))
);
CREATE INDEX role_grants_account ON role_grants (account);

-- One row per user and method. secret is an Argon2id string (PINCODE) or an encrypted seed (OTP). version changes with every change of the credential.
CREATE TABLE wallet_methods (
    user_id uuid NOT NULL,
    method text NOT NULL,
    version bigint NOT NULL,
    secret text NOT NULL,
    algorithm text,
    confirmed boolean NOT NULL,
    failures integer NOT NULL,
    lock_count integer NOT NULL,
    locked_until timestamptz,
    last_step bigint,
    updated_at timestamptz NOT NULL,
    CONSTRAINT wallet_methods_pk PRIMARY KEY (user_id, method),
    CONSTRAINT wallet_methods_method CHECK (method IN ('PINCODE', 'OTP', 'SECRET_CODES')),
    CONSTRAINT wallet_methods_failures CHECK (failures >= 0),
    CONSTRAINT wallet_methods_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);

-- The one-time codes of a set; code_hash is HMAC-SHA256(pepper, user, code).
CREATE TABLE secret_codes (
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    version bigint NOT NULL,
    used_at timestamptz,
    CONSTRAINT secret_codes_pk PRIMARY KEY (user_id, code_hash),
    CONSTRAINT secret_codes_code_hash_form CHECK (octet_length(code_hash) = 32),
    CONSTRAINT secret_codes_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);

-- ONCHAINID identities of people (account) and assets (asset).
CREATE TABLE identities (
    id uuid NOT NULL,
    address bytea NOT NULL,
    kind text NOT NULL,
    registered boolean NOT NULL,
    country smallint,
    registered_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT identities_pk PRIMARY KEY (id),
    CONSTRAINT identities_address_form CHECK (octet_length(address) = 20),
    CONSTRAINT identities_address_unique UNIQUE (address),
    CONSTRAINT identities_kind CHECK (kind IN ('account', 'asset'))
);

-- Which identity a wallet (or an asset address) belongs to.
CREATE TABLE identity_wallets (
    wallet bytea NOT NULL,
    identity_id uuid NOT NULL,
    CONSTRAINT identity_wallets_pk PRIMARY KEY (wallet),
    CONSTRAINT identity_wallets_wallet_form CHECK (octet_length(wallet) = 20),
    CONSTRAINT identity_wallets_identity_fk FOREIGN KEY (identity_id) REFERENCES identities (id)
);
CREATE INDEX identity_wallets_identity ON identity_wallets (identity_id);

-- ERC-734 keys: keccak256(abi.encode(address)); purpose 1 management, 2 action, 3 claim signer, 4 encryption.
CREATE TABLE identity_keys (
    identity_id uuid NOT NULL,
    key_hash bytea NOT NULL,
    purpose smallint NOT NULL,
    CONSTRAINT identity_keys_pk PRIMARY KEY (identity_id, key_hash, purpose),
    CONSTRAINT identity_keys_key_hash_form CHECK (octet_length(key_hash) = 32),
    CONSTRAINT identity_keys_identity_fk FOREIGN KEY (identity_id) REFERENCES identities (id),
    CONSTRAINT identity_keys_purpose CHECK (purpose BETWEEN 1 AND 4)
);

-- Known claim topics; number is keccak256(name); signature lists the ABI types of the data.
CREATE TABLE claim_topics (
    name text NOT NULL,
    number numeric(78,0) NOT NULL,
    signature text NOT NULL,
    validity_seconds_max bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT claim_topics_pk PRIMARY KEY (name),
    CONSTRAINT claim_topics_number_form CHECK (number >= 0 AND number <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT claim_topics_number_unique UNIQUE (number)
);

-- Which identity (by address) is trusted for which topic.
CREATE TABLE trusted_issuers (
    issuer bytea NOT NULL,
    topic text NOT NULL,
    added_at timestamptz NOT NULL,
    CONSTRAINT trusted_issuers_pk PRIMARY KEY (issuer, topic),
    CONSTRAINT trusted_issuers_issuer_form CHECK (octet_length(issuer) = 20),
    CONSTRAINT trusted_issuers_topic_fk FOREIGN KEY (topic) REFERENCES claim_topics (name)
);
CREATE INDEX trusted_issuers_topic ON trusted_issuers (topic);

-- Append-only: a new claim of an issuer and topic supersedes the old one. amount is the first value of a collateral claim.
CREATE TABLE claims (
    id uuid NOT NULL,
    identity_id uuid NOT NULL,
    topic text NOT NULL,
    issuer bytea NOT NULL,
    scheme smallint NOT NULL,
    data bytea NOT NULL,
    values_json text NOT NULL,
    amount numeric(78,0),
    uri text NOT NULL,
    signature bytea,
    signer bytea,
    issued_by uuid,
    issued_at timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    status text NOT NULL,
    ended_at timestamptz,
    ended_by uuid,
    retain_until timestamptz,
    CONSTRAINT claims_pk PRIMARY KEY (id),
    CONSTRAINT claims_issuer_form CHECK (octet_length(issuer) = 20),
    CONSTRAINT claims_amount_form CHECK (amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT claims_signer_form CHECK (octet_length(signer) = 20),
    CONSTRAINT claims_status CHECK (status IN ('active', 'revoked', 'superseded')),
    CONSTRAINT claims_identity_fk FOREIGN KEY (identity_id) REFERENCES identities (id),
    CONSTRAINT claims_topic_fk FOREIGN KEY (topic) REFERENCES claim_topics (name)
);
CREATE UNIQUE INDEX claims_active_unique ON claims (identity_id, topic, issuer) WHERE status = 'active';
CREATE INDEX claims_identity ON claims (identity_id, topic);

-- Imported sanctions lists; the one of the latest date counts, of two with one date the one imported later.
CREATE TABLE sanctions_lists (
    id uuid NOT NULL,
    name text NOT NULL,
    as_of timestamptz NOT NULL,
    imported_at timestamptz NOT NULL,
    sha256 bytea NOT NULL,
    entries bigint NOT NULL,
    CONSTRAINT sanctions_lists_pk PRIMARY KEY (id),
    CONSTRAINT sanctions_lists_sha256_form CHECK (octet_length(sha256) = 32)
);

CREATE TABLE sanctioned_addresses (
    list_id uuid NOT NULL,
    address bytea NOT NULL,
    CONSTRAINT sanctioned_addresses_pk PRIMARY KEY (list_id, address),
    CONSTRAINT sanctioned_addresses_address_form CHECK (octet_length(address) = 20),
    CONSTRAINT sanctioned_addresses_list_fk FOREIGN KEY (list_id) REFERENCES sanctions_lists (id)
);

-- Every policy set that was ever loaded, by hash.
CREATE TABLE policies (
    hash bytea NOT NULL,
    text text NOT NULL,
    loaded_at timestamptz NOT NULL,
    CONSTRAINT policies_pk PRIMARY KEY (hash),
    CONSTRAINT policies_hash_form CHECK (octet_length(hash) = 32)
);

-- The policy set in force; a process that loaded another one refuses mints.
CREATE TABLE active_policy (
    singleton integer NOT NULL,
    hash bytea NOT NULL,
    activated_at timestamptz NOT NULL,
    CONSTRAINT active_policy_pk PRIMARY KEY (singleton),
    CONSTRAINT active_policy_hash_form CHECK (octet_length(hash) = 32),
    CONSTRAINT active_policy_singleton CHECK (singleton = 1),
    CONSTRAINT active_policy_hash_fk FOREIGN KEY (hash) REFERENCES policies (hash)
);

-- One row per asset; locked first by everything that changes it. next_operation numbers its operations without a gap; revision moves with every change of what rules look at.
CREATE TABLE assets (
    id uuid NOT NULL,
    address bytea NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    symbol text NOT NULL,
    decimals smallint NOT NULL,
    isin text,
    country smallint,
    class text,
    category text,
    base_price text,
    base_price_currency text,
    face_value numeric(78,0),
    maturity timestamptz,
    denomination_asset bytea,
    management_fee_bps integer,
    settlement text NOT NULL,
    policy text,
    identity_id uuid NOT NULL,
    cap numeric(78,0),
    collateral_topic text,
    collateral_ratio_bps integer,
    paused boolean NOT NULL,
    supply numeric(78,0) NOT NULL,
    pending numeric(78,0) NOT NULL,
    holders bigint NOT NULL,
    next_operation bigint NOT NULL,
    revision bigint NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT assets_pk PRIMARY KEY (id),
    CONSTRAINT assets_address_form CHECK (octet_length(address) = 20),
    CONSTRAINT assets_face_value_form CHECK (face_value >= 0 AND face_value <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT assets_denomination_asset_form CHECK (octet_length(denomination_asset) = 20),
    CONSTRAINT assets_cap_form CHECK (cap >= 0 AND cap <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT assets_supply_form CHECK (supply >= 0 AND supply <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT assets_pending_form CHECK (pending >= 0 AND pending <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT assets_address_unique UNIQUE (address),
    CONSTRAINT assets_kind CHECK (kind IN ('bond', 'equity', 'fund', 'stablecoin', 'deposit')),
    CONSTRAINT assets_decimals CHECK (decimals BETWEEN 0 AND 18),
    CONSTRAINT assets_settlement CHECK (settlement IN ('book', 'evm')),
    CONSTRAINT assets_holders CHECK (holders >= 0),
    CONSTRAINT assets_identity_fk FOREIGN KEY (identity_id) REFERENCES identities (id)
);
CREATE INDEX assets_created ON assets (created_at, id);

-- Compliance modules attached to an asset, in the order in which they are evaluated.
CREATE TABLE asset_modules (
    asset_id uuid NOT NULL,
    position integer NOT NULL,
    type_id text NOT NULL,
    module bytea,
    values_json text NOT NULL,
    CONSTRAINT asset_modules_pk PRIMARY KEY (asset_id, position),
    CONSTRAINT asset_modules_module_form CHECK (octet_length(module) = 20),
    CONSTRAINT asset_modules_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id)
);

-- How many identities of a country hold (posted or pending) the asset.
CREATE TABLE holder_countries (
    asset_id uuid NOT NULL,
    country smallint NOT NULL,
    holders bigint NOT NULL,
    CONSTRAINT holder_countries_pk PRIMARY KEY (asset_id, country),
    CONSTRAINT holder_countries_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id)
);

-- Balances of a holder on an asset: posted is final, pending is on its way in, frozen_amount is part of posted.
CREATE TABLE accounts (
    asset_id uuid NOT NULL,
    account bytea NOT NULL,
    identity_id uuid,
    posted numeric(78,0) NOT NULL,
    pending numeric(78,0) NOT NULL,
    frozen_amount numeric(78,0) NOT NULL,
    frozen boolean NOT NULL,
    acquired_at timestamptz,
    updated_at timestamptz NOT NULL,
    CONSTRAINT accounts_pk PRIMARY KEY (asset_id, account),
    CONSTRAINT accounts_account_form CHECK (octet_length(account) = 20),
    CONSTRAINT accounts_posted_form CHECK (posted >= 0 AND posted <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT accounts_pending_form CHECK (pending >= 0 AND pending <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT accounts_frozen_amount_form CHECK (frozen_amount >= 0 AND frozen_amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935)
);
CREATE INDEX accounts_identity ON accounts (asset_id, identity_id);

-- Double entry: for every operation the debits equal the credits. line counts the recipients of a mint from 0; the issuance side has the line after them.
CREATE TABLE postings (
    asset_id uuid NOT NULL,
    operation bigint NOT NULL,
    line integer NOT NULL,
    kind text NOT NULL,
    account bytea NOT NULL,
    side text NOT NULL,
    amount numeric(78,0) NOT NULL,
    state text NOT NULL,
    CONSTRAINT postings_pk PRIMARY KEY (asset_id, operation, line),
    CONSTRAINT postings_account_form CHECK (octet_length(account) = 20),
    CONSTRAINT postings_amount_form CHECK (amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT postings_kind CHECK (kind IN ('issuance', 'holder', 'frozen')),
    CONSTRAINT postings_side CHECK (side IN ('debit', 'credit')),
    CONSTRAINT postings_state CHECK (state IN ('pending', 'posted', 'voided'))
);
CREATE INDEX postings_account ON postings (asset_id, account);

-- Requested changes of an asset, numbered without a gap. plan is JSON; the lines of a mint are its postings.
CREATE TABLE operations (
    asset_id uuid NOT NULL,
    sequence bigint NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    plan text NOT NULL,
    lines integer NOT NULL,
    total numeric(78,0) NOT NULL,
    requested_by uuid NOT NULL,
    request_id text NOT NULL,
    policy_hash bytea,
    error text,
    attention_reason text,
    attention_since timestamptz,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT operations_pk PRIMARY KEY (asset_id, sequence),
    CONSTRAINT operations_total_form CHECK (total >= 0 AND total <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT operations_policy_hash_form CHECK (octet_length(policy_hash) = 32),
    CONSTRAINT operations_id_unique UNIQUE (id),
    CONSTRAINT operations_status CHECK (status IN ('queued', 'signed', 'sent', 'mined', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT operations_lines CHECK (lines >= 0),
    CONSTRAINT operations_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id)
);
CREATE INDEX operations_requester ON operations (requested_by, created_at);
CREATE INDEX operations_open ON operations (asset_id, sequence) WHERE status NOT IN ('succeeded', 'failed', 'cancelled');

-- First answers by Idempotency-Key; no expiry means for ever (mints).
CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    headers text NOT NULL,
    body text NOT NULL,
    operation_id uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT idempotency_keys_pk PRIMARY KEY (user_id, route, key),
    CONSTRAINT idempotency_keys_fingerprint_form CHECK (octet_length(fingerprint) = 32),
    CONSTRAINT idempotency_keys_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);

-- One row per stream: the next number, and the leaf hash of the last event.
CREATE TABLE audit_streams (
    stream text NOT NULL,
    next_sequence bigint NOT NULL,
    head bytea NOT NULL,
    CONSTRAINT audit_streams_pk PRIMARY KEY (stream),
    CONSTRAINT audit_streams_head_form CHECK (octet_length(head) = 32)
);

-- Append-only. data is canonical JSON; leaf_hash covers every other column.
CREATE TABLE audit_events (
    stream text NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    asset_id uuid,
    operation_id uuid,
    data text NOT NULL,
    leaf_hash bytea NOT NULL,
    CONSTRAINT audit_events_pk PRIMARY KEY (stream, sequence),
    CONSTRAINT audit_events_leaf_hash_form CHECK (octet_length(leaf_hash) = 32)
);
CREATE INDEX audit_events_asset ON audit_events (asset_id, at);
CREATE INDEX audit_events_at ON audit_events (at, stream, sequence);
CREATE INDEX audit_events_operation ON audit_events (operation_id);

-- Which accounts an event is about, where no posting tells it.
CREATE TABLE audit_subjects (
    account bytea NOT NULL,
    stream text NOT NULL,
    sequence bigint NOT NULL,
    CONSTRAINT audit_subjects_pk PRIMARY KEY (account, stream, sequence),
    CONSTRAINT audit_subjects_account_form CHECK (octet_length(account) = 20)
);
