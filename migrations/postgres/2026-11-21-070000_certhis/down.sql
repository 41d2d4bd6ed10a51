DROP TABLE custody_transfers;
DROP TABLE custody_wallets;
DROP TABLE certhis_tasks;
DROP TABLE certhis_keys;
DROP TABLE certhis_accounts;
DROP TABLE certhis_challenges;
DROP INDEX collections_number_unique;
ALTER TABLE collections DROP COLUMN number;
DROP TABLE counters;
