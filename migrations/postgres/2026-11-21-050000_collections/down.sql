DROP TABLE activities;
DROP TABLE nft_balances;
DROP TABLE nft_tokens;
DROP TABLE mint_requests;
DROP TABLE nft_metadata;
DROP TABLE collections;
ALTER TABLE assets DROP CONSTRAINT assets_kind;
ALTER TABLE assets ADD CONSTRAINT assets_kind CHECK (kind IN ('bond', 'equity', 'fund', 'stablecoin', 'deposit'));
