ALTER TABLE accounts DROP COLUMN leaving;
