-- What was recorded stays. Whoever may write to the file may drop a trigger, but no statement changes an event by mistake.
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: UPDATE on audit_events is refused');
END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: DELETE on audit_events is refused');
END;
-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE stream = NEW.stream AND sequence = NEW.sequence)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: INSERT on audit_events is refused');
END;

CREATE TRIGGER audit_subjects_no_update BEFORE UPDATE ON audit_subjects
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: UPDATE on audit_subjects is refused');
END;
CREATE TRIGGER audit_subjects_no_delete BEFORE DELETE ON audit_subjects
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: DELETE on audit_subjects is refused');
END;

-- A stream's row moves with every event, and never goes away.
CREATE TRIGGER audit_streams_no_delete BEFORE DELETE ON audit_streams
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: DELETE on audit_streams is refused');
END;
