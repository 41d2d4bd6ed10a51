DROP TRIGGER audit_streams_no_delete;
DROP TRIGGER audit_subjects_no_delete;
DROP TRIGGER audit_subjects_no_update;
DROP TRIGGER audit_events_no_replace;
DROP TRIGGER audit_events_no_delete;
DROP TRIGGER audit_events_no_update;
