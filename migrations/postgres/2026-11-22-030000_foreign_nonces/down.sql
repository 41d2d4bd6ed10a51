DROP TABLE chain_foreign_nonces;
