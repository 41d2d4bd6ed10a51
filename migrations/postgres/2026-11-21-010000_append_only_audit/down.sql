DROP TRIGGER audit_streams_stay ON audit_streams;
DROP TRIGGER audit_subjects_append_only ON audit_subjects;
DROP TRIGGER audit_events_append_only ON audit_events;
DROP FUNCTION refuse_change_of_audit_log();
