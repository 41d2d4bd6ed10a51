-- NFT collections: what is in them, who wishes to mint, who has what. A collection is an asset of kind erc721 or erc1155.
-- Ids are UUIDs of version 7: lists are in the order of ids.

-- What a column may hold is widened in the text of the table: the procedure that SQLite documents for a change that touches no row
-- (https://www.sqlite.org/lang_altertable.html, section 7, the shorter one). The tables made below move the schema's version, so every
-- other connection reads the text again.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''stablecoin'', ''deposit'')', '''stablecoin'', ''deposit'', ''erc721'', ''erc1155'')') WHERE type = 'table' AND name = 'assets';
PRAGMA writable_schema = RESET;

-- What an NFT collection has besides its row in assets. minting: ERC-721 by_id, by_quantity or hybrid (both), ERC-1155 amounts. many: one call mints to many recipients (ERC-1155 of ours). Texts as their owner wrote them; the row in assets has short forms.
CREATE TABLE collections (
    asset_id BLOB NOT NULL,
    environment_id BLOB,
    minting TEXT NOT NULL,
    many INTEGER NOT NULL,
    adopted INTEGER NOT NULL,
    owner BLOB NOT NULL,
    name TEXT,
    symbol TEXT,
    description TEXT,
    image TEXT,
    external_link TEXT,
    contract_uri TEXT,
    base_uri TEXT,
    metadata_api_url TEXT,
    verification_status TEXT NOT NULL,
    indexed_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    metadata_synced_at TEXT,
    CONSTRAINT collections_pk PRIMARY KEY (asset_id),
    CONSTRAINT collections_many_form CHECK (many IN (0, 1)),
    CONSTRAINT collections_adopted_form CHECK (adopted IN (0, 1)),
    CONSTRAINT collections_owner_form CHECK (length(owner) = 20),
    CONSTRAINT collections_indexed_at_form CHECK (length(indexed_at) = 27),
    CONSTRAINT collections_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT collections_metadata_synced_at_form CHECK (metadata_synced_at IS NULL OR length(metadata_synced_at) = 27),
    CONSTRAINT collections_minting CHECK (minting IN ('by_id', 'by_quantity', 'hybrid', 'amounts')),
    CONSTRAINT collections_verification_status CHECK (verification_status IN ('verified', 'unverified', 'spam', 'inactive')),
    CONSTRAINT collections_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id)
) STRICT;
CREATE INDEX collections_environment ON collections (environment_id, asset_id);

-- What a token, or a stack of tokens, shows. attributes is a JSON list; digest is SHA-256 of the JSON of all of it.
CREATE TABLE nft_metadata (
    asset_id BLOB NOT NULL,
    id BLOB NOT NULL,
    name TEXT,
    description TEXT,
    image TEXT,
    external_url TEXT,
    animation_url TEXT,
    youtube_url TEXT,
    attributes TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT nft_metadata_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT nft_metadata_digest_form CHECK (length(digest) = 32),
    CONSTRAINT nft_metadata_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT nft_metadata_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT nft_metadata_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
) STRICT;
CREATE INDEX nft_metadata_digest ON nft_metadata (asset_id, digest);
CREATE INDEX nft_metadata_chain ON nft_metadata (id);

-- One wish to mint, under its caller's reference. sequence is its operation; a wish that was refused has none. token_id is given, or known when it is minted (kind by_quantity). gas is its share of the transaction's. superseded: it failed and its reference was used again.
CREATE TABLE mint_requests (
    asset_id BLOB NOT NULL,
    id BLOB NOT NULL,
    reference_id TEXT NOT NULL,
    sequence INTEGER,
    environment_id BLOB,
    requested_by BLOB NOT NULL,
    kind TEXT NOT NULL,
    owner BLOB NOT NULL,
    token_id TEXT,
    amount TEXT NOT NULL,
    metadata_id BLOB,
    status TEXT NOT NULL,
    error TEXT,
    superseded INTEGER NOT NULL,
    transaction_hash BLOB,
    activity_id BLOB,
    gas INTEGER,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT mint_requests_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT mint_requests_owner_form CHECK (length(owner) = 20),
    CONSTRAINT mint_requests_token_id_form CHECK (token_id IS NULL OR (length(token_id) = 78 AND token_id NOT GLOB '*[^0-9]*' AND token_id <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT mint_requests_amount_form CHECK ((length(amount) = 78 AND amount NOT GLOB '*[^0-9]*' AND amount <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT mint_requests_superseded_form CHECK (superseded IN (0, 1)),
    CONSTRAINT mint_requests_transaction_hash_form CHECK (length(transaction_hash) = 32),
    CONSTRAINT mint_requests_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT mint_requests_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT mint_requests_kind CHECK (kind IN ('by_id', 'by_quantity', 'amounts')),
    CONSTRAINT mint_requests_status CHECK (status IN ('pending', 'succeeded', 'failed')),
    CONSTRAINT mint_requests_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id),
    CONSTRAINT mint_requests_metadata_fk FOREIGN KEY (asset_id, metadata_id) REFERENCES nft_metadata (asset_id, id)
) STRICT;
CREATE UNIQUE INDEX mint_requests_reference_unique ON mint_requests (asset_id, reference_id) WHERE status <> 'failed';
CREATE UNIQUE INDEX mint_requests_token_unique ON mint_requests (asset_id, token_id) WHERE status <> 'failed' AND kind <> 'amounts';
CREATE UNIQUE INDEX mint_requests_operation_unique ON mint_requests (asset_id, sequence);
CREATE INDEX mint_requests_reference ON mint_requests (asset_id, reference_id, id);
CREATE INDEX mint_requests_token ON mint_requests (asset_id, token_id);
CREATE INDEX mint_requests_metadata ON mint_requests (asset_id, metadata_id) WHERE status = 'pending';
CREATE INDEX mint_requests_environment ON mint_requests (environment_id, id);

-- Tokens that were minted, burned ones too (supply 0).
CREATE TABLE nft_tokens (
    asset_id BLOB NOT NULL,
    token_id TEXT NOT NULL,
    id BLOB NOT NULL,
    metadata_id BLOB,
    total_supply TEXT NOT NULL,
    indexed_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    metadata_synced_at TEXT,
    CONSTRAINT nft_tokens_pk PRIMARY KEY (asset_id, token_id),
    CONSTRAINT nft_tokens_token_id_form CHECK ((length(token_id) = 78 AND token_id NOT GLOB '*[^0-9]*' AND token_id <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT nft_tokens_total_supply_form CHECK ((length(total_supply) = 78 AND total_supply NOT GLOB '*[^0-9]*' AND total_supply <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT nft_tokens_indexed_at_form CHECK (length(indexed_at) = 27),
    CONSTRAINT nft_tokens_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT nft_tokens_metadata_synced_at_form CHECK (metadata_synced_at IS NULL OR length(metadata_synced_at) = 27),
    CONSTRAINT nft_tokens_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id),
    CONSTRAINT nft_tokens_metadata_fk FOREIGN KEY (asset_id, metadata_id) REFERENCES nft_metadata (asset_id, id)
) STRICT;
CREATE INDEX nft_tokens_listed ON nft_tokens (asset_id, id);
CREATE INDEX nft_tokens_chain ON nft_tokens (id);
CREATE INDEX nft_tokens_metadata ON nft_tokens (asset_id, metadata_id);

-- Who has how much of a token; a row stays when it falls to 0.
CREATE TABLE nft_balances (
    asset_id BLOB NOT NULL,
    token_id TEXT NOT NULL,
    account BLOB NOT NULL,
    id BLOB NOT NULL,
    balance TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT nft_balances_pk PRIMARY KEY (asset_id, token_id, account),
    CONSTRAINT nft_balances_token_id_form CHECK ((length(token_id) = 78 AND token_id NOT GLOB '*[^0-9]*' AND token_id <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT nft_balances_account_form CHECK (length(account) = 20),
    CONSTRAINT nft_balances_balance_form CHECK ((length(balance) = 78 AND balance NOT GLOB '*[^0-9]*' AND balance <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT nft_balances_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT nft_balances_token_fk FOREIGN KEY (asset_id, token_id) REFERENCES nft_tokens (asset_id, token_id)
) STRICT;
CREATE INDEX nft_balances_listed ON nft_balances (asset_id, id);
CREATE INDEX nft_balances_chain ON nft_balances (id);
CREATE INDEX nft_balances_account ON nft_balances (account, id);

-- One token that moved, as a final log says: from nobody it was minted, to nobody burned. position is its place in a TransferBatch.
CREATE TABLE activities (
    asset_id BLOB NOT NULL,
    transaction_hash BLOB NOT NULL,
    log_index INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    sender BLOB,
    recipient BLOB,
    token_id TEXT NOT NULL,
    amount TEXT NOT NULL,
    block_number INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    transaction_index INTEGER NOT NULL,
    indexed_at TEXT NOT NULL,
    CONSTRAINT activities_pk PRIMARY KEY (asset_id, transaction_hash, log_index, position),
    CONSTRAINT activities_transaction_hash_form CHECK (length(transaction_hash) = 32),
    CONSTRAINT activities_sender_form CHECK (length(sender) = 20),
    CONSTRAINT activities_recipient_form CHECK (length(recipient) = 20),
    CONSTRAINT activities_token_id_form CHECK ((length(token_id) = 78 AND token_id NOT GLOB '*[^0-9]*' AND token_id <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT activities_amount_form CHECK ((length(amount) = 78 AND amount NOT GLOB '*[^0-9]*' AND amount <= '115792089237316195423570985008687907853269984665640564039457584007913129639935')),
    CONSTRAINT activities_block_hash_form CHECK (length(block_hash) = 32),
    CONSTRAINT activities_indexed_at_form CHECK (length(indexed_at) = 27),
    CONSTRAINT activities_id_unique UNIQUE (id),
    CONSTRAINT activities_kind CHECK (kind IN ('mint', 'burn', 'transfer')),
    CONSTRAINT activities_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
) STRICT;
CREATE INDEX activities_listed ON activities (asset_id, id);
CREATE INDEX activities_token ON activities (asset_id, token_id, id);
