-- Files of mint requests, worked off in parts; and a collection's environment is one that exists.

-- The text of the table is changed, as in the migration of collections; the tables made below move the schema's version.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '
) STRICT', ',
    CONSTRAINT collections_environment_fk FOREIGN KEY (environment_id) REFERENCES environments (id)
) STRICT') WHERE type = 'table' AND name = 'collections';
PRAGMA writable_schema = RESET;

-- One file. parts: how many there are, part: the next one to be worked off. not_before: it waits for the quota until then.
CREATE TABLE mint_files (
    asset_id BLOB NOT NULL,
    id BLOB NOT NULL,
    environment_id BLOB NOT NULL,
    requested_by BLOB NOT NULL,
    request_id TEXT NOT NULL,
    lines INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    part INTEGER NOT NULL,
    not_before TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT mint_files_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT mint_files_counts CHECK (accepted >= 0 AND refused >= 0 AND accepted + refused <= lines AND part >= 0 AND part <= parts),
    CONSTRAINT mint_files_not_before_form CHECK (length(not_before) = 27),
    CONSTRAINT mint_files_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT mint_files_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT mint_files_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id),
    CONSTRAINT mint_files_environment_fk FOREIGN KEY (environment_id) REFERENCES environments (id),
    CONSTRAINT mint_files_requested_by_fk FOREIGN KEY (requested_by) REFERENCES users (id)
) STRICT;
CREATE INDEX mint_files_open ON mint_files (not_before) WHERE part < parts;

-- What of a file is not worked off yet: wishes as JSON, each with its line.
CREATE TABLE mint_file_parts (
    asset_id BLOB NOT NULL,
    file_id BLOB NOT NULL,
    part INTEGER NOT NULL,
    wishes TEXT NOT NULL,
    CONSTRAINT mint_file_parts_pk PRIMARY KEY (asset_id, file_id, part),
    CONSTRAINT mint_file_parts_file_fk FOREIGN KEY (asset_id, file_id) REFERENCES mint_files (asset_id, id)
) STRICT;

-- Lines of a file that were not taken, and why.
CREATE TABLE mint_file_refusals (
    asset_id BLOB NOT NULL,
    file_id BLOB NOT NULL,
    line INTEGER NOT NULL,
    reference_id TEXT,
    reason TEXT NOT NULL,
    CONSTRAINT mint_file_refusals_pk PRIMARY KEY (asset_id, file_id, line),
    CONSTRAINT mint_file_refusals_file_fk FOREIGN KEY (asset_id, file_id) REFERENCES mint_files (asset_id, id)
) STRICT;
