DROP TABLE quotas;
DROP TABLE rate_limit_keys;
DROP TABLE rate_plans;
DROP TABLE publishable_usage;
DROP TABLE environment_keys;
DROP TABLE environments;
DROP TABLE projects;
