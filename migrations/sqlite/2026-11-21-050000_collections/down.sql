PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ', ''erc721'', ''erc1155'')', ')') WHERE type = 'table' AND name = 'assets';
PRAGMA writable_schema = RESET;
DROP TABLE activities;
DROP TABLE nft_balances;
DROP TABLE nft_tokens;
DROP TABLE mint_requests;
DROP TABLE nft_metadata;
DROP TABLE collections;
