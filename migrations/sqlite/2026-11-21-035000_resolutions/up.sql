-- A person's decision about a nonce that the sender cannot settle by itself, and what a transaction that was mined has used.

-- What the process that sends does next time it looks; the row goes when it is done. refusal says why it was not.
CREATE TABLE chain_resolutions (
    chain_id INTEGER NOT NULL,
    sender BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL,
    refusal TEXT,
    requested_at TEXT NOT NULL,
    CONSTRAINT chain_resolutions_pk PRIMARY KEY (chain_id, sender, nonce),
    CONSTRAINT chain_resolutions_sender_form CHECK (length(sender) = 20),
    CONSTRAINT chain_resolutions_requested_at_form CHECK (length(requested_at) = 27),
    CONSTRAINT chain_resolutions_decision CHECK (decision IN ('again', 'failed', 'done')),
    CONSTRAINT chain_resolutions_intent_fk FOREIGN KEY (chain_id, sender, nonce) REFERENCES chain_intents (chain_id, sender, nonce)
) STRICT;

ALTER TABLE chain_intents ADD COLUMN gas_used INTEGER;
