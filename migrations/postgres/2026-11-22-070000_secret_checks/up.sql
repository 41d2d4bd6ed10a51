-- What tells the secrets of a server from others: a keyed hash of a fixed text under each of them, written once.
CREATE TABLE secret_checks (
    name text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT secret_checks_pk PRIMARY KEY (name),
    CONSTRAINT secret_checks_hash_form CHECK (octet_length(hash) = 32)
);
