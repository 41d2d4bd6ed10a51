-- When the collection's contract last said that the owner of a key pair owns the collection. None: it was never asked, and is
-- before the pair opens anything.
ALTER TABLE certhis_keys ADD COLUMN owner_seen_at TEXT
    CONSTRAINT certhis_keys_owner_seen_at_form CHECK (owner_seen_at IS NULL OR length(owner_seen_at) = 27);
