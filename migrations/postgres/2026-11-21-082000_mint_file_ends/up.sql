-- Files of mint requests say why they wait, are taken back, and end. cancelled: lines that were dropped when their file was
-- taken back; waiting_for: why the next part is not worked off yet, nothing while nobody knows of a reason.

ALTER TABLE mint_files ADD COLUMN cancelled integer NOT NULL DEFAULT 0
    CONSTRAINT mint_files_cancelled CHECK (cancelled >= 0 AND accepted + refused + cancelled <= lines);
ALTER TABLE mint_files ADD COLUMN waiting_for text;

-- Those that are forgotten once their time is over.
CREATE INDEX mint_files_ended ON mint_files (updated_at) WHERE part >= parts;
