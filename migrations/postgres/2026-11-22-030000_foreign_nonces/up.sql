-- What others did with the signer's key: nonces beyond all of our rows that the chain counts all the same. They may also be our own, of a later state of this database that was lost.

-- Below seen_end the chain was seen to have transactions. unwatched: some were there at the first look of a process, so nothing new is sent until a person acknowledges up to seen_end.
CREATE TABLE chain_foreign_nonces (
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    seen_end bigint NOT NULL,
    seen_at timestamptz NOT NULL,
    unwatched boolean NOT NULL,
    acknowledged_end bigint NOT NULL,
    CONSTRAINT chain_foreign_nonces_pk PRIMARY KEY (chain_id, sender),
    CONSTRAINT chain_foreign_nonces_sender_form CHECK (octet_length(sender) = 20),
    CONSTRAINT chain_foreign_nonces_ends CHECK (acknowledged_end >= 0 AND seen_end >= acknowledged_end),
    CONSTRAINT chain_foreign_nonces_chain_fk FOREIGN KEY (chain_id) REFERENCES chains (chain_id)
);
