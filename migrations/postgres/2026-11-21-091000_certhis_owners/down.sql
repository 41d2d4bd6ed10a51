ALTER TABLE certhis_keys DROP COLUMN owner_seen_at;
