DROP TABLE mint_file_refusals;
DROP TABLE mint_file_parts;
DROP TABLE mint_files;
ALTER TABLE collections DROP CONSTRAINT collections_environment_fk;
