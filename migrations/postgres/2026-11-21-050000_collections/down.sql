DROP TABLE activities;
DROP TABLE nft_balances;
DROP TABLE nft_tokens;
DROP TABLE mint_requests;
DROP TABLE nft_metadata;
DROP TABLE collections;
-- A collection is no asset of the schema before: it goes with all that is kept of it.
DELETE FROM intent_operations WHERE asset_id IN (SELECT id FROM assets WHERE kind IN ('erc721', 'erc1155'));
DELETE FROM operations WHERE asset_id IN (SELECT id FROM assets WHERE kind IN ('erc721', 'erc1155'));
DELETE FROM postings WHERE asset_id IN (SELECT id FROM assets WHERE kind IN ('erc721', 'erc1155'));
DELETE FROM accounts WHERE asset_id IN (SELECT id FROM assets WHERE kind IN ('erc721', 'erc1155'));
DELETE FROM chain_assets WHERE asset_id IN (SELECT id FROM assets WHERE kind IN ('erc721', 'erc1155'));
DELETE FROM asset_modules WHERE asset_id IN (SELECT id FROM assets WHERE kind IN ('erc721', 'erc1155'));
DELETE FROM holder_countries WHERE asset_id IN (SELECT id FROM assets WHERE kind IN ('erc721', 'erc1155'));
DELETE FROM assets WHERE kind IN ('erc721', 'erc1155');
ALTER TABLE assets DROP CONSTRAINT assets_kind;
ALTER TABLE assets ADD CONSTRAINT assets_kind CHECK (kind IN ('bond', 'equity', 'fund', 'stablecoin', 'deposit'));
