-- When the collection's contract last said that the owner of a key pair owns the collection. None: it was never asked, and is
-- before the pair opens anything.
ALTER TABLE certhis_keys ADD COLUMN owner_seen_at timestamptz;
