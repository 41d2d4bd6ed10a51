ALTER TABLE chain_intents DROP COLUMN gas_used;
DROP TABLE chain_resolutions;
