-- Settlement on an EVM chain: the chain, its transactions, and what mirrors our registry there.

-- The chain that this deployment settles on, and its contracts there. ready once they stand; final Transfer logs were read up to observed_block.
CREATE TABLE chains (
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    genesis bytea NOT NULL,
    factory bytea,
    registry bytea,
    ready boolean NOT NULL,
    head_block bigint,
    observed_block bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT chains_pk PRIMARY KEY (chain_id),
    CONSTRAINT chains_sender_form CHECK (octet_length(sender) = 20),
    CONSTRAINT chains_genesis_form CHECK (octet_length(genesis) = 32),
    CONSTRAINT chains_factory_form CHECK (octet_length(factory) = 20),
    CONSTRAINT chains_registry_form CHECK (octet_length(registry) = 20),
    CONSTRAINT chains_observed_block CHECK (observed_block >= 0)
);

-- What an asset that settles on a chain has besides its row. adopted: a contract that was there before us. first_block once its contract stands.
CREATE TABLE chain_assets (
    asset_id uuid NOT NULL,
    chain_id bigint NOT NULL,
    registry bytea NOT NULL,
    adopted boolean NOT NULL,
    holder_transfers boolean NOT NULL,
    recipients_max integer NOT NULL,
    first_block bigint,
    CONSTRAINT chain_assets_pk PRIMARY KEY (asset_id),
    CONSTRAINT chain_assets_registry_form CHECK (octet_length(registry) = 20),
    CONSTRAINT chain_assets_recipients_max CHECK (recipients_max BETWEEN 1 AND 100),
    CONSTRAINT chain_assets_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id),
    CONSTRAINT chain_assets_chain_fk FOREIGN KEY (chain_id) REFERENCES chains (chain_id)
);

-- One transaction-to-be of a sender at one nonce, for life. recipient is whom the transaction calls; none creates a contract. final is watched until watched_until, then closed.
CREATE TABLE chain_intents (
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    nonce bigint NOT NULL,
    kind text NOT NULL,
    asset_id uuid,
    recipient bytea,
    data bytea NOT NULL,
    gas_limit bigint NOT NULL,
    state text NOT NULL,
    cancelled boolean NOT NULL,
    mined_attempt integer,
    block_number bigint,
    block_hash bytea,
    success boolean,
    watched_until bigint,
    attention_reason text,
    attention_since timestamptz,
    assigned_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT chain_intents_pk PRIMARY KEY (chain_id, sender, nonce),
    CONSTRAINT chain_intents_sender_form CHECK (octet_length(sender) = 20),
    CONSTRAINT chain_intents_recipient_form CHECK (octet_length(recipient) = 20),
    CONSTRAINT chain_intents_block_hash_form CHECK (octet_length(block_hash) = 32),
    CONSTRAINT chain_intents_nonce CHECK (nonce >= 0),
    CONSTRAINT chain_intents_gas_limit CHECK (gas_limit > 0),
    CONSTRAINT chain_intents_state CHECK (state IN ('assigned', 'signed', 'sent', 'mined', 'final', 'unknown', 'closed')),
    CONSTRAINT chain_intents_chain_fk FOREIGN KEY (chain_id) REFERENCES chains (chain_id)
);
CREATE INDEX chain_intents_open ON chain_intents (chain_id, sender, nonce) WHERE state <> 'closed';

-- A form of an intent: the first, a replacement with higher fees, or one that does nothing. Fees are wei per gas. raw and hash are stored before it is sent; first and last say when it was.
CREATE TABLE chain_attempts (
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    nonce bigint NOT NULL,
    attempt integer NOT NULL,
    noop boolean NOT NULL,
    fee_max numeric(78,0) NOT NULL,
    fee_priority numeric(78,0) NOT NULL,
    hash bytea,
    raw bytea,
    first_block bigint,
    first_at timestamptz,
    last_block bigint,
    last_at timestamptz,
    accepted boolean NOT NULL,
    refused boolean NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT chain_attempts_pk PRIMARY KEY (chain_id, sender, nonce, attempt),
    CONSTRAINT chain_attempts_sender_form CHECK (octet_length(sender) = 20),
    CONSTRAINT chain_attempts_fee_max_form CHECK (fee_max >= 0 AND fee_max <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT chain_attempts_fee_priority_form CHECK (fee_priority >= 0 AND fee_priority <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT chain_attempts_hash_form CHECK (octet_length(hash) = 32),
    CONSTRAINT chain_attempts_intent_fk FOREIGN KEY (chain_id, sender, nonce) REFERENCES chain_intents (chain_id, sender, nonce)
);
CREATE INDEX chain_attempts_hash ON chain_attempts (hash);

-- The operations that an intent settles, in the order of their lines in the transaction.
CREATE TABLE intent_operations (
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    nonce bigint NOT NULL,
    position integer NOT NULL,
    asset_id uuid NOT NULL,
    sequence bigint NOT NULL,
    CONSTRAINT intent_operations_pk PRIMARY KEY (chain_id, sender, nonce, position),
    CONSTRAINT intent_operations_sender_form CHECK (octet_length(sender) = 20),
    CONSTRAINT intent_operations_intent_fk FOREIGN KEY (chain_id, sender, nonce) REFERENCES chain_intents (chain_id, sender, nonce),
    CONSTRAINT intent_operations_operation_fk FOREIGN KEY (asset_id, sequence) REFERENCES operations (asset_id, sequence)
);
CREATE INDEX intent_operations_operation ON intent_operations (asset_id, sequence);

-- Wallets whose registration changed and has not been put into an intent yet. Empty where no chain is.
CREATE TABLE registry_changes (
    wallet bytea NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT registry_changes_pk PRIMARY KEY (wallet),
    CONSTRAINT registry_changes_wallet_form CHECK (octet_length(wallet) = 20)
);

-- What the identity registry on the chain holds for a wallet once the intent with this nonce is mined.
CREATE TABLE registry_entries (
    chain_id bigint NOT NULL,
    wallet bytea NOT NULL,
    identity bytea NOT NULL,
    country smallint NOT NULL,
    verified boolean NOT NULL,
    nonce bigint NOT NULL,
    CONSTRAINT registry_entries_pk PRIMARY KEY (chain_id, wallet),
    CONSTRAINT registry_entries_wallet_form CHECK (octet_length(wallet) = 20),
    CONSTRAINT registry_entries_identity_form CHECK (octet_length(identity) = 20),
    CONSTRAINT registry_entries_chain_fk FOREIGN KEY (chain_id) REFERENCES chains (chain_id)
);

-- Why an accepted operation is not sent yet.
ALTER TABLE operations ADD COLUMN hold_reason text;
