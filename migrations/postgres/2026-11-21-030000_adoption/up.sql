-- Final Transfer logs of an adopted token were read up to here; null for a token of ours, which is read with its chain.
ALTER TABLE chain_assets ADD COLUMN observed_block bigint;
