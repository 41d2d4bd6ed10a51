-- What the process that sends saw at its last look, for the readiness of every process. trouble: none when all is well.
ALTER TABLE chains ADD COLUMN looked_at TEXT
    CONSTRAINT chains_looked_at_form CHECK (length(looked_at) = 27);
ALTER TABLE chains ADD COLUMN trouble TEXT;
