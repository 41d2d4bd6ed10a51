ALTER TABLE operations DROP COLUMN hold_reason;
DROP TABLE registry_entries;
DROP TABLE registry_changes;
DROP TABLE intent_operations;
DROP TABLE chain_attempts;
DROP TABLE chain_intents;
DROP TABLE chain_assets;
DROP TABLE chains;
