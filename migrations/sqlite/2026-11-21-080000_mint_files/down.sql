PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ',
    CONSTRAINT collections_environment_fk FOREIGN KEY (environment_id) REFERENCES environments (id)
) STRICT', '
) STRICT') WHERE type = 'table' AND name = 'collections';
PRAGMA writable_schema = RESET;
DROP TABLE mint_file_refusals;
DROP TABLE mint_file_parts;
DROP TABLE mint_files;
