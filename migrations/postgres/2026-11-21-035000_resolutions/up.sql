-- A person's decision about a nonce that the sender cannot settle by itself, and what a transaction that was mined has used.

-- What the process that sends does next time it looks; the row goes when it is done. refusal says why it was not.
CREATE TABLE chain_resolutions (
    chain_id bigint NOT NULL,
    sender bytea NOT NULL,
    nonce bigint NOT NULL,
    decision text NOT NULL,
    reason text NOT NULL,
    refusal text,
    requested_at timestamptz NOT NULL,
    CONSTRAINT chain_resolutions_pk PRIMARY KEY (chain_id, sender, nonce),
    CONSTRAINT chain_resolutions_sender_form CHECK (octet_length(sender) = 20),
    CONSTRAINT chain_resolutions_decision CHECK (decision IN ('again', 'failed', 'done')),
    CONSTRAINT chain_resolutions_intent_fk FOREIGN KEY (chain_id, sender, nonce) REFERENCES chain_intents (chain_id, sender, nonce)
);

ALTER TABLE chain_intents ADD COLUMN gas_used bigint;
