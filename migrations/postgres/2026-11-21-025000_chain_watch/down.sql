ALTER TABLE chains DROP COLUMN trouble;
ALTER TABLE chains DROP COLUMN looked_at;
