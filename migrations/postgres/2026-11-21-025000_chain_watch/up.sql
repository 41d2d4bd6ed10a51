-- What the process that sends saw at its last look, for the readiness of every process. trouble: none when all is well.
ALTER TABLE chains ADD COLUMN looked_at timestamptz;
ALTER TABLE chains ADD COLUMN trouble text;
