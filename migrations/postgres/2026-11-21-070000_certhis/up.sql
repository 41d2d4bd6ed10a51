-- What the Certhis dialect keeps: numbers, challenges, key pairs, tasks; and the wallets that are kept for e-mail addresses.

-- Small numbers for those who take no ids. Never an order.
CREATE TABLE counters (
    name text NOT NULL,
    last bigint NOT NULL,
    CONSTRAINT counters_pk PRIMARY KEY (name),
    CONSTRAINT counters_last CHECK (last >= 0)
);

-- The collection's number in that dialect.
ALTER TABLE collections ADD COLUMN number bigint;
CREATE UNIQUE INDEX collections_number_unique ON collections (number);
UPDATE collections SET number = numbered.number
    FROM (SELECT asset_id, row_number() OVER (ORDER BY asset_id) AS number FROM collections) AS numbered
    WHERE numbered.asset_id = collections.asset_id;
INSERT INTO counters (name, last) SELECT 'collection', count(*) FROM collections;

-- A text that a wallet is to sign, filed under the wallet or under an id of its own. A signature of it is good once.
CREATE TABLE certhis_challenges (
    filed_under text NOT NULL,
    wallet bytea NOT NULL,
    message text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT certhis_challenges_pk PRIMARY KEY (filed_under),
    CONSTRAINT certhis_challenges_wallet_form CHECK (octet_length(wallet) = 20)
);
CREATE INDEX certhis_challenges_expiry ON certhis_challenges (expires_at);

-- Numbers of wallets.
CREATE TABLE certhis_accounts (
    wallet bytea NOT NULL,
    number bigint NOT NULL,
    CONSTRAINT certhis_accounts_pk PRIMARY KEY (wallet),
    CONSTRAINT certhis_accounts_wallet_form CHECK (octet_length(wallet) = 20),
    CONSTRAINT certhis_accounts_number_unique UNIQUE (number)
);

-- A key pair mints into one collection for its owner. key_hash and secret_hash are HMAC-SHA256 under the pepper; key_sealed
-- is the key, encrypted, because its owner may ask for it again (for the secret nobody can).
CREATE TABLE certhis_keys (
    asset_id uuid NOT NULL,
    number bigint NOT NULL,
    owner bytea NOT NULL,
    user_id uuid NOT NULL,
    key_hash bytea NOT NULL,
    key_sealed text NOT NULL,
    secret_hash bytea NOT NULL,
    active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT certhis_keys_pk PRIMARY KEY (asset_id, number),
    CONSTRAINT certhis_keys_owner_form CHECK (octet_length(owner) = 20),
    CONSTRAINT certhis_keys_key_hash_form CHECK (octet_length(key_hash) = 32),
    CONSTRAINT certhis_keys_secret_hash_form CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT certhis_keys_key_hash_unique UNIQUE (key_hash),
    CONSTRAINT certhis_keys_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id),
    CONSTRAINT certhis_keys_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE UNIQUE INDEX certhis_keys_active_unique ON certhis_keys (asset_id) WHERE active;

-- One wish to mint that came through this dialect; the reference of its mint request is made of id. token_id is known here where the contract does not give it; given: the
-- caller asked for it. account is the number of the key's owner. email is encrypted and goes when retain_until has come.
CREATE TABLE certhis_tasks (
    asset_id uuid NOT NULL,
    id uuid NOT NULL,
    number bigint NOT NULL,
    key_number bigint NOT NULL,
    account bigint NOT NULL,
    nft_number bigint NOT NULL,
    token_id numeric(78,0),
    given boolean NOT NULL,
    token_uri text,
    email text,
    retain_until timestamptz,
    CONSTRAINT certhis_tasks_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT certhis_tasks_number_unique UNIQUE (asset_id, number),
    CONSTRAINT certhis_tasks_token_id_form CHECK (token_id >= 0 AND token_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT certhis_tasks_retention CHECK ((email IS NULL) = (retain_until IS NULL)),
    CONSTRAINT certhis_tasks_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
);
CREATE INDEX certhis_tasks_token ON certhis_tasks (asset_id, token_id);
CREATE INDEX certhis_tasks_retention_due ON certhis_tasks (retain_until) WHERE retain_until IS NOT NULL;

-- Wallets that are kept for e-mail addresses: email_hash is HMAC-SHA256 under the pepper.
CREATE TABLE custody_wallets (
    email_hash bytea NOT NULL,
    wallet bytea NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT custody_wallets_pk PRIMARY KEY (email_hash),
    CONSTRAINT custody_wallets_email_hash_form CHECK (octet_length(email_hash) = 32),
    CONSTRAINT custody_wallets_wallet_form CHECK (octet_length(wallet) = 20),
    CONSTRAINT custody_wallets_wallet_unique UNIQUE (wallet)
);

-- A token on its way out of custody: the signed transaction is here before it is sent. One nonce of a wallet is one row.
CREATE TABLE custody_transfers (
    wallet bytea NOT NULL,
    nonce bigint NOT NULL,
    asset_id uuid NOT NULL,
    token_id numeric(78,0) NOT NULL,
    amount numeric(78,0) NOT NULL,
    recipient bytea NOT NULL,
    raw bytea NOT NULL,
    transaction_hash bytea NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT custody_transfers_pk PRIMARY KEY (wallet, nonce),
    CONSTRAINT custody_transfers_wallet_form CHECK (octet_length(wallet) = 20),
    CONSTRAINT custody_transfers_recipient_form CHECK (octet_length(recipient) = 20),
    CONSTRAINT custody_transfers_transaction_hash_form CHECK (octet_length(transaction_hash) = 32),
    CONSTRAINT custody_transfers_token_id_form CHECK (token_id >= 0 AND token_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT custody_transfers_amount_form CHECK (amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT custody_transfers_status CHECK (status IN ('signed', 'done', 'reverted')),
    CONSTRAINT custody_transfers_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
);
