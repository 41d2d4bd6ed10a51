DROP INDEX registry_changes_order;
