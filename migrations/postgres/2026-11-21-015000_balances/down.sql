ALTER TABLE assets DROP COLUMN balances;
