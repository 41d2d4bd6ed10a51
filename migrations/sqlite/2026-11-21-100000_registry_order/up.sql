-- The registry is told of changes in their order, a batch at a time: without an index each batch sorts all that wait.
CREATE INDEX registry_changes_order ON registry_changes (changed_at, wallet);
