DROP INDEX chain_intents_block;
DROP INDEX operations_observed;
ALTER TABLE chains DROP COLUMN compared_block;
