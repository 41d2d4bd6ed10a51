-- Files of mint requests, worked off in parts; and a collection's environment is one that exists.

ALTER TABLE collections ADD CONSTRAINT collections_environment_fk FOREIGN KEY (environment_id) REFERENCES environments (id);

-- One file. parts: how many there are, part: the next one to be worked off. not_before: it waits for the quota until then.
CREATE TABLE mint_files (
    asset_id uuid NOT NULL,
    id uuid NOT NULL,
    environment_id uuid NOT NULL,
    requested_by uuid NOT NULL,
    request_id text NOT NULL,
    lines integer NOT NULL,
    accepted integer NOT NULL,
    refused integer NOT NULL,
    parts integer NOT NULL,
    part integer NOT NULL,
    not_before timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT mint_files_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT mint_files_counts CHECK (accepted >= 0 AND refused >= 0 AND accepted + refused <= lines AND part >= 0 AND part <= parts),
    CONSTRAINT mint_files_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id),
    CONSTRAINT mint_files_environment_fk FOREIGN KEY (environment_id) REFERENCES environments (id),
    CONSTRAINT mint_files_requested_by_fk FOREIGN KEY (requested_by) REFERENCES users (id)
);
CREATE INDEX mint_files_open ON mint_files (not_before) WHERE part < parts;

-- What of a file is not worked off yet: wishes as JSON, each with its line.
CREATE TABLE mint_file_parts (
    asset_id uuid NOT NULL,
    file_id uuid NOT NULL,
    part integer NOT NULL,
    wishes text NOT NULL,
    CONSTRAINT mint_file_parts_pk PRIMARY KEY (asset_id, file_id, part),
    CONSTRAINT mint_file_parts_file_fk FOREIGN KEY (asset_id, file_id) REFERENCES mint_files (asset_id, id)
);

-- Lines of a file that were not taken, and why.
CREATE TABLE mint_file_refusals (
    asset_id uuid NOT NULL,
    file_id uuid NOT NULL,
    line integer NOT NULL,
    reference_id text,
    reason text NOT NULL,
    CONSTRAINT mint_file_refusals_pk PRIMARY KEY (asset_id, file_id, line),
    CONSTRAINT mint_file_refusals_file_fk FOREIGN KEY (asset_id, file_id) REFERENCES mint_files (asset_id, id)
);
