-- Logs of the chain are compared with what was posted: up to compared_block they were.
ALTER TABLE chains ADD COLUMN compared_block INTEGER NOT NULL DEFAULT 0;

-- The operation that posted a log that is not ours: its plan names transaction and place.
CREATE INDEX operations_observed ON operations (asset_id, plan) WHERE kind = 'observed';
CREATE INDEX chain_intents_block ON chain_intents (chain_id, block_number);
