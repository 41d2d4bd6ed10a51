-- NFT collections: what is in them, who wishes to mint, who has what. A collection is an asset of kind erc721 or erc1155.
-- Ids are UUIDs of version 7: lists are in the order of ids.

ALTER TABLE assets DROP CONSTRAINT assets_kind;
ALTER TABLE assets ADD CONSTRAINT assets_kind CHECK (kind IN ('bond', 'equity', 'fund', 'stablecoin', 'deposit', 'erc721', 'erc1155'));

-- What an NFT collection has besides its row in assets. minting: ERC-721 by_id, by_quantity or hybrid (both), ERC-1155 amounts. many: one call mints to many recipients (ERC-1155 of ours). Texts as their owner wrote them; the row in assets has short forms.
CREATE TABLE collections (
    asset_id uuid NOT NULL,
    environment_id uuid,
    minting text NOT NULL,
    many boolean NOT NULL,
    adopted boolean NOT NULL,
    owner bytea NOT NULL,
    name text,
    symbol text,
    description text,
    image text,
    external_link text,
    contract_uri text,
    base_uri text,
    metadata_api_url text,
    verification_status text NOT NULL,
    indexed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    metadata_synced_at timestamptz,
    CONSTRAINT collections_pk PRIMARY KEY (asset_id),
    CONSTRAINT collections_owner_form CHECK (octet_length(owner) = 20),
    CONSTRAINT collections_minting CHECK (minting IN ('by_id', 'by_quantity', 'hybrid', 'amounts')),
    CONSTRAINT collections_verification_status CHECK (verification_status IN ('verified', 'unverified', 'spam', 'inactive')),
    CONSTRAINT collections_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id)
);
CREATE INDEX collections_environment ON collections (environment_id, asset_id);

-- What a token, or a stack of tokens, shows. attributes is a JSON list; digest is SHA-256 of the JSON of all of it.
CREATE TABLE nft_metadata (
    asset_id uuid NOT NULL,
    id uuid NOT NULL,
    name text,
    description text,
    image text,
    external_url text,
    animation_url text,
    youtube_url text,
    attributes text NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT nft_metadata_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT nft_metadata_digest_form CHECK (octet_length(digest) = 32),
    CONSTRAINT nft_metadata_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
);
CREATE INDEX nft_metadata_digest ON nft_metadata (asset_id, digest);
CREATE INDEX nft_metadata_chain ON nft_metadata (id);

-- One wish to mint, under its caller's reference. sequence is its operation; a wish that was refused has none. token_id is given, or known when it is minted (kind by_quantity). gas is its share of the transaction's. superseded: it failed and its reference was used again.
CREATE TABLE mint_requests (
    asset_id uuid NOT NULL,
    id uuid NOT NULL,
    reference_id text NOT NULL,
    sequence bigint,
    environment_id uuid,
    requested_by uuid NOT NULL,
    kind text NOT NULL,
    owner bytea NOT NULL,
    token_id numeric(78,0),
    amount numeric(78,0) NOT NULL,
    metadata_id uuid,
    status text NOT NULL,
    error text,
    superseded boolean NOT NULL,
    transaction_hash bytea,
    activity_id uuid,
    gas bigint,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT mint_requests_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT mint_requests_owner_form CHECK (octet_length(owner) = 20),
    CONSTRAINT mint_requests_token_id_form CHECK (token_id >= 0 AND token_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT mint_requests_amount_form CHECK (amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT mint_requests_transaction_hash_form CHECK (octet_length(transaction_hash) = 32),
    CONSTRAINT mint_requests_kind CHECK (kind IN ('by_id', 'by_quantity', 'amounts')),
    CONSTRAINT mint_requests_status CHECK (status IN ('pending', 'succeeded', 'failed')),
    CONSTRAINT mint_requests_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id),
    CONSTRAINT mint_requests_metadata_fk FOREIGN KEY (asset_id, metadata_id) REFERENCES nft_metadata (asset_id, id)
);
CREATE UNIQUE INDEX mint_requests_reference_unique ON mint_requests (asset_id, reference_id) WHERE status <> 'failed';
CREATE UNIQUE INDEX mint_requests_token_unique ON mint_requests (asset_id, token_id) WHERE status <> 'failed' AND kind <> 'amounts';
CREATE UNIQUE INDEX mint_requests_operation_unique ON mint_requests (asset_id, sequence);
CREATE INDEX mint_requests_reference ON mint_requests (asset_id, reference_id, id);
CREATE INDEX mint_requests_token ON mint_requests (asset_id, token_id);
CREATE INDEX mint_requests_metadata ON mint_requests (asset_id, metadata_id) WHERE status = 'pending';
CREATE INDEX mint_requests_environment ON mint_requests (environment_id, id);

-- Tokens that were minted, burned ones too (supply 0).
CREATE TABLE nft_tokens (
    asset_id uuid NOT NULL,
    token_id numeric(78,0) NOT NULL,
    id uuid NOT NULL,
    metadata_id uuid,
    total_supply numeric(78,0) NOT NULL,
    indexed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    metadata_synced_at timestamptz,
    CONSTRAINT nft_tokens_pk PRIMARY KEY (asset_id, token_id),
    CONSTRAINT nft_tokens_token_id_form CHECK (token_id >= 0 AND token_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT nft_tokens_total_supply_form CHECK (total_supply >= 0 AND total_supply <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT nft_tokens_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id),
    CONSTRAINT nft_tokens_metadata_fk FOREIGN KEY (asset_id, metadata_id) REFERENCES nft_metadata (asset_id, id)
);
CREATE INDEX nft_tokens_listed ON nft_tokens (asset_id, id);
CREATE INDEX nft_tokens_chain ON nft_tokens (id);
CREATE INDEX nft_tokens_metadata ON nft_tokens (asset_id, metadata_id);

-- Who has how much of a token; a row stays when it falls to 0.
CREATE TABLE nft_balances (
    asset_id uuid NOT NULL,
    token_id numeric(78,0) NOT NULL,
    account bytea NOT NULL,
    id uuid NOT NULL,
    balance numeric(78,0) NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT nft_balances_pk PRIMARY KEY (asset_id, token_id, account),
    CONSTRAINT nft_balances_token_id_form CHECK (token_id >= 0 AND token_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT nft_balances_account_form CHECK (octet_length(account) = 20),
    CONSTRAINT nft_balances_balance_form CHECK (balance >= 0 AND balance <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT nft_balances_token_fk FOREIGN KEY (asset_id, token_id) REFERENCES nft_tokens (asset_id, token_id)
);
CREATE INDEX nft_balances_listed ON nft_balances (asset_id, id);
CREATE INDEX nft_balances_chain ON nft_balances (id);
CREATE INDEX nft_balances_account ON nft_balances (account, id);

-- One token that moved, as a final log says: from nobody it was minted, to nobody burned. position is its place in a TransferBatch.
CREATE TABLE activities (
    asset_id uuid NOT NULL,
    transaction_hash bytea NOT NULL,
    log_index bigint NOT NULL,
    position integer NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    sender bytea,
    recipient bytea,
    token_id numeric(78,0) NOT NULL,
    amount numeric(78,0) NOT NULL,
    block_number bigint NOT NULL,
    block_hash bytea NOT NULL,
    transaction_index bigint NOT NULL,
    indexed_at timestamptz NOT NULL,
    CONSTRAINT activities_pk PRIMARY KEY (asset_id, transaction_hash, log_index, position),
    CONSTRAINT activities_transaction_hash_form CHECK (octet_length(transaction_hash) = 32),
    CONSTRAINT activities_sender_form CHECK (octet_length(sender) = 20),
    CONSTRAINT activities_recipient_form CHECK (octet_length(recipient) = 20),
    CONSTRAINT activities_token_id_form CHECK (token_id >= 0 AND token_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT activities_amount_form CHECK (amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT activities_block_hash_form CHECK (octet_length(block_hash) = 32),
    CONSTRAINT activities_id_unique UNIQUE (id),
    CONSTRAINT activities_kind CHECK (kind IN ('mint', 'burn', 'transfer')),
    CONSTRAINT activities_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
);
CREATE INDEX activities_listed ON activities (asset_id, id);
CREATE INDEX activities_token ON activities (asset_id, token_id, id);
