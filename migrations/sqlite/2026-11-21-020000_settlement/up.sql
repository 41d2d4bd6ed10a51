-- Settlement on an EVM chain: the chain, its transactions, and what mirrors our registry there.

-- The chain that this deployment settles on, and its contracts there. ready once they stand; final Transfer logs were read up to observed_block.
CREATE TABLE chains (
    chain_id INTEGER NOT NULL,
    sender BLOB NOT NULL,
    genesis BLOB NOT NULL,
    factory BLOB,
    registry BLOB,
    ready INTEGER NOT NULL,
    head_block INTEGER,
    observed_block INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    CONSTRAINT chains_pk PRIMARY KEY (chain_id),
    CONSTRAINT chains_sender_form CHECK (length(sender) = 20),
    CONSTRAINT chains_genesis_form CHECK (length(genesis) = 32),
    CONSTRAINT chains_factory_form CHECK (length(factory) = 20),
    CONSTRAINT chains_registry_form CHECK (length(registry) = 20),
    CONSTRAINT chains_ready_form CHECK (ready IN (0, 1)),
    CONSTRAINT chains_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT chains_observed_block CHECK (observed_block >= 0)
) STRICT;

-- What an asset that settles on a chain has besides its row. adopted: a contract that was there before us. first_block once its contract stands.
CREATE TABLE chain_assets (
    asset_id BLOB NOT NULL,
    chain_id INTEGER NOT NULL,
    registry BLOB NOT NULL,
    adopted INTEGER NOT NULL,
    holder_transfers INTEGER NOT NULL,
    recipients_max INTEGER NOT NULL,
    first_block INTEGER,
    CONSTRAINT chain_assets_pk PRIMARY KEY (asset_id),
    CONSTRAINT chain_assets_registry_form CHECK (length(registry) = 20),
    CONSTRAINT chain_assets_adopted_form CHECK (adopted IN (0, 1)),
    CONSTRAINT chain_assets_holder_transfers_form CHECK (holder_transfers IN (0, 1)),
    CONSTRAINT chain_assets_recipients_max CHECK (recipients_max BETWEEN 1 AND 100),
    CONSTRAINT chain_assets_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id),
    CONSTRAINT chain_assets_chain_fk FOREIGN KEY (chain_id) REFERENCES chains (chain_id)
) STRICT;

-- One transaction-to-be of a sender at one nonce, for life. recipient is whom the transaction calls; none creates a contract. final is watched until watched_until, then closed.
CREATE TABLE chain_intents (
    chain_id INTEGER NOT NULL,
    sender BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    kind TEXT NOT NULL,
    asset_id BLOB,
    recipient BLOB,
    data BLOB NOT NULL,
    gas_limit INTEGER NOT NULL,
    state TEXT NOT NULL,
    cancelled INTEGER NOT NULL,
    mined_attempt INTEGER,
    block_number INTEGER,
    block_hash BLOB,
    success INTEGER,
    watched_until INTEGER,
    attention_reason TEXT,
    attention_since TEXT,
    assigned_at TEXT NOT NULL,
    finished_at TEXT,
    CONSTRAINT chain_intents_pk PRIMARY KEY (chain_id, sender, nonce),
    CONSTRAINT chain_intents_sender_form CHECK (length(sender) = 20),
    CONSTRAINT chain_intents_recipient_form CHECK (length(recipient) = 20),
    CONSTRAINT chain_intents_cancelled_form CHECK (cancelled IN (0, 1)),
    CONSTRAINT chain_intents_block_hash_form CHECK (length(block_hash) = 32),
    CONSTRAINT chain_intents_success_form CHECK (success IS NULL OR success IN (0, 1)),
    CONSTRAINT chain_intents_attention_since_form CHECK (attention_since IS NULL OR length(attention_since) = 27),
    CONSTRAINT chain_intents_assigned_at_form CHECK (length(assigned_at) = 27),
    CONSTRAINT chain_intents_finished_at_form CHECK (finished_at IS NULL OR length(finished_at) = 27),
    CONSTRAINT chain_intents_nonce CHECK (nonce >= 0),
    CONSTRAINT chain_intents_gas_limit CHECK (gas_limit > 0),
    CONSTRAINT chain_intents_state CHECK (state IN ('assigned', 'signed', 'sent', 'mined', 'final', 'unknown', 'closed')),
    CONSTRAINT chain_intents_chain_fk FOREIGN KEY (chain_id) REFERENCES chains (chain_id)
) STRICT;
CREATE INDEX chain_intents_open ON chain_intents (chain_id, sender, nonce) WHERE state <> 'closed';

-- A form of an intent: the first, a replacement with higher fees, or one that does nothing. Fees are wei per gas. raw and hash are stored before it is sent; first and last say when it was.
CREATE TABLE chain_attempts (
    chain_id INTEGER NOT NULL,
    sender BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    noop INTEGER NOT NULL,
    fee_max TEXT NOT NULL,
    fee_priority TEXT NOT NULL,
    hash BLOB,
    raw BLOB,
    first_block INTEGER,
    first_at TEXT,
    last_block INTEGER,
    last_at TEXT,
    accepted INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    CONSTRAINT chain_attempts_pk PRIMARY KEY (chain_id, sender, nonce, attempt),
    CONSTRAINT chain_attempts_sender_form CHECK (length(sender) = 20),
    CONSTRAINT chain_attempts_noop_form CHECK (noop IN (0, 1)),
    CONSTRAINT chain_attempts_fee_max_form CHECK ((length(fee_max) = 78 AND fee_max NOT GLOB '*[^0-9]*' AND fee_max <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT chain_attempts_fee_priority_form CHECK ((length(fee_priority) = 78 AND fee_priority NOT GLOB '*[^0-9]*' AND fee_priority <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT chain_attempts_hash_form CHECK (length(hash) = 32),
    CONSTRAINT chain_attempts_first_at_form CHECK (first_at IS NULL OR length(first_at) = 27),
    CONSTRAINT chain_attempts_last_at_form CHECK (last_at IS NULL OR length(last_at) = 27),
    CONSTRAINT chain_attempts_accepted_form CHECK (accepted IN (0, 1)),
    CONSTRAINT chain_attempts_refused_form CHECK (refused IN (0, 1)),
    CONSTRAINT chain_attempts_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT chain_attempts_intent_fk FOREIGN KEY (chain_id, sender, nonce) REFERENCES chain_intents (chain_id, sender, nonce)
) STRICT;
CREATE INDEX chain_attempts_hash ON chain_attempts (hash);

-- The operations that an intent settles, in the order of their lines in the transaction.
CREATE TABLE intent_operations (
    chain_id INTEGER NOT NULL,
    sender BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    position INTEGER NOT NULL,
    asset_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    CONSTRAINT intent_operations_pk PRIMARY KEY (chain_id, sender, nonce, position),
    CONSTRAINT intent_operations_sender_form CHECK (length(sender) = 20),
    CONSTRAINT intent_operations_intent_fk FOREIGN KEY (chain_id, sender, nonce) REFERENCES chain_intents (chain_id, sender, nonce),
    CONSTRAINT intent_operations_operation_fk FOREIGN KEY (asset_id, sequence) REFERENCES operations (asset_id, sequence)
) STRICT;
CREATE INDEX intent_operations_operation ON intent_operations (asset_id, sequence);

-- Wallets whose registration changed and has not been put into an intent yet. Empty where no chain is.
CREATE TABLE registry_changes (
    wallet BLOB NOT NULL,
    changed_at TEXT NOT NULL,
    CONSTRAINT registry_changes_pk PRIMARY KEY (wallet),
    CONSTRAINT registry_changes_wallet_form CHECK (length(wallet) = 20),
    CONSTRAINT registry_changes_changed_at_form CHECK (length(changed_at) = 27)
) STRICT;

-- What the identity registry on the chain holds for a wallet once the intent with this nonce is mined.
CREATE TABLE registry_entries (
    chain_id INTEGER NOT NULL,
    wallet BLOB NOT NULL,
    identity BLOB NOT NULL,
    country INTEGER NOT NULL,
    verified INTEGER NOT NULL,
    nonce INTEGER NOT NULL,
    CONSTRAINT registry_entries_pk PRIMARY KEY (chain_id, wallet),
    CONSTRAINT registry_entries_wallet_form CHECK (length(wallet) = 20),
    CONSTRAINT registry_entries_identity_form CHECK (length(identity) = 20),
    CONSTRAINT registry_entries_verified_form CHECK (verified IN (0, 1)),
    CONSTRAINT registry_entries_chain_fk FOREIGN KEY (chain_id) REFERENCES chains (chain_id)
) STRICT;

-- Why an accepted operation is not sent yet.
ALTER TABLE operations ADD COLUMN hold_reason TEXT;
