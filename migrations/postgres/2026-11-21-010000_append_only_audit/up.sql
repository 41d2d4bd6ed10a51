-- What was recorded stays. The trigger asks nobody who they are, so it binds the owner of the tables and a superuser too;
-- ALWAYS also holds in sessions that replay changes (session_replication_role).
CREATE FUNCTION refuse_change_of_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_append_only;

CREATE TRIGGER audit_subjects_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_subjects
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log();
ALTER TABLE audit_subjects ENABLE ALWAYS TRIGGER audit_subjects_append_only;

-- A stream's row moves with every event, and never goes away.
CREATE TRIGGER audit_streams_stay BEFORE DELETE OR TRUNCATE ON audit_streams
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log();
ALTER TABLE audit_streams ENABLE ALWAYS TRIGGER audit_streams_stay;
