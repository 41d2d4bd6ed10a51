ALTER TABLE chain_assets DROP COLUMN observed_block;
