-- Projects, their environments and keys (Immutable's minting API), plans for readers, and the quotas of all of them.

-- What somebody builds. Its environments keep chains, keys and collections apart.
CREATE TABLE projects (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    created_by BLOB,
    created_at TEXT NOT NULL,
    CONSTRAINT projects_pk PRIMARY KEY (id),
    CONSTRAINT projects_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT projects_name_unique UNIQUE (name)
) STRICT;

-- What its keys do is done by owner_id. The rate is a column for the tier whose rate is agreed; the others' is fixed.
CREATE TABLE environments (
    id BLOB NOT NULL,
    project_id BLOB NOT NULL,
    name TEXT NOT NULL,
    chain TEXT NOT NULL,
    test INTEGER NOT NULL,
    tier TEXT NOT NULL,
    mints_per_minute INTEGER,
    mints_burst INTEGER,
    owner_id BLOB NOT NULL,
    created_at TEXT NOT NULL,
    CONSTRAINT environments_pk PRIMARY KEY (id),
    CONSTRAINT environments_test_form CHECK (test IN (0, 1)),
    CONSTRAINT environments_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT environments_name_unique UNIQUE (project_id, name),
    CONSTRAINT environments_tier CHECK (tier IN ('standard', 'partner', 'enterprise')),
    CONSTRAINT environments_rate CHECK ((tier = 'enterprise') = (mints_per_minute IS NOT NULL) AND (tier = 'enterprise') = (mints_burst IS NOT NULL)),
    CONSTRAINT environments_mints_per_minute CHECK (mints_per_minute > 0),
    CONSTRAINT environments_mints_burst CHECK (mints_burst > 0),
    CONSTRAINT environments_project_fk FOREIGN KEY (project_id) REFERENCES projects (id),
    CONSTRAINT environments_owner_fk FOREIGN KEY (owner_id) REFERENCES users (id)
) STRICT;
CREATE INDEX environments_owner ON environments (owner_id);

-- key_hash is HMAC-SHA256 of the whole key under the pepper. retiring: replaced, and accepted until accepted_until.
CREATE TABLE environment_keys (
    id TEXT NOT NULL,
    environment_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    start TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    state TEXT NOT NULL,
    accepted_until TEXT,
    created_by BLOB,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    CONSTRAINT environment_keys_pk PRIMARY KEY (id),
    CONSTRAINT environment_keys_accepted_until_form CHECK (accepted_until IS NULL OR length(accepted_until) = 27),
    CONSTRAINT environment_keys_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT environment_keys_ended_at_form CHECK (ended_at IS NULL OR length(ended_at) = 27),
    CONSTRAINT environment_keys_key_hash_form CHECK (length(key_hash) = 32),
    CONSTRAINT environment_keys_key_hash_unique UNIQUE (key_hash),
    CONSTRAINT environment_keys_kind CHECK (kind IN ('publishable', 'secret')),
    CONSTRAINT environment_keys_state CHECK (state IN ('active', 'retiring', 'ended')),
    CONSTRAINT environment_keys_retiring CHECK ((state = 'retiring') = (accepted_until IS NOT NULL)),
    CONSTRAINT environment_keys_environment_fk FOREIGN KEY (environment_id) REFERENCES environments (id)
) STRICT;
CREATE UNIQUE INDEX environment_keys_active_unique ON environment_keys (environment_id, kind) WHERE state = 'active';
CREATE INDEX environment_keys_environment ON environment_keys (environment_id);

-- Requests that named a publishable key; day counts from 1970-01-01 in UTC.
CREATE TABLE publishable_usage (
    key_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    CONSTRAINT publishable_usage_pk PRIMARY KEY (key_id, day),
    CONSTRAINT publishable_usage_requests CHECK (requests > 0),
    CONSTRAINT publishable_usage_key_fk FOREIGN KEY (key_id) REFERENCES environment_keys (id)
) STRICT;

-- How many requests in a window of so many seconds a reader with a key of the plan may make.
CREATE TABLE rate_plans (
    name TEXT NOT NULL,
    requests INTEGER NOT NULL,
    window_seconds INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT rate_plans_pk PRIMARY KEY (name),
    CONSTRAINT rate_plans_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT rate_plans_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT rate_plans_requests CHECK (requests > 0),
    CONSTRAINT rate_plans_window_seconds CHECK (window_seconds > 0)
) STRICT;

CREATE TABLE rate_limit_keys (
    id TEXT NOT NULL,
    plan TEXT NOT NULL,
    start TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    active INTEGER NOT NULL,
    created_by BLOB,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    CONSTRAINT rate_limit_keys_pk PRIMARY KEY (id),
    CONSTRAINT rate_limit_keys_active_form CHECK (active IN (0, 1)),
    CONSTRAINT rate_limit_keys_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT rate_limit_keys_ended_at_form CHECK (ended_at IS NULL OR length(ended_at) = 27),
    CONSTRAINT rate_limit_keys_key_hash_form CHECK (length(key_hash) = 32),
    CONSTRAINT rate_limit_keys_key_hash_unique UNIQUE (key_hash),
    CONSTRAINT rate_limit_keys_plan_fk FOREIGN KEY (plan) REFERENCES rate_plans (name)
) STRICT;
CREATE INDEX rate_limit_keys_plan ON rate_limit_keys (plan);

-- Token buckets. A token is as many units as its window has microseconds, so that refilling needs no fraction; level
-- was so high at at_micros (since 1970); taken says whether the last request got its tokens.
CREATE TABLE quotas (
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    level INTEGER NOT NULL,
    at_micros INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    CONSTRAINT quotas_pk PRIMARY KEY (subject, kind),
    CONSTRAINT quotas_level CHECK (level >= 0)
) STRICT;
