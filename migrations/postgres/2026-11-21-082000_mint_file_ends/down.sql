DROP INDEX mint_files_ended;
ALTER TABLE mint_files DROP COLUMN waiting_for;
ALTER TABLE mint_files DROP COLUMN cancelled;
