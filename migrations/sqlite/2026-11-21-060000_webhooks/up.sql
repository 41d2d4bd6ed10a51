-- Webhooks: who is told what happened to mint requests, what they are told, and every attempt to tell it.

-- Told of one collection, of the collections of one environment, or of all (neither). events: words with a space between. secret and
-- retiring_secret are sealed under the data key; the retiring one signs too until retiring_until.
CREATE TABLE webhook_subscriptions (
    id BLOB NOT NULL,
    environment_id BLOB,
    asset_id BLOB,
    url TEXT NOT NULL,
    scheme TEXT NOT NULL,
    events TEXT NOT NULL,
    state TEXT NOT NULL,
    secret TEXT NOT NULL,
    retiring_secret TEXT,
    retiring_until TEXT,
    created_by BLOB,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT webhook_subscriptions_pk PRIMARY KEY (id),
    CONSTRAINT webhook_subscriptions_retiring_until_form CHECK (retiring_until IS NULL OR length(retiring_until) = 27),
    CONSTRAINT webhook_subscriptions_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT webhook_subscriptions_updated_at_form CHECK (length(updated_at) = 27),
    CONSTRAINT webhook_subscriptions_scope CHECK (environment_id IS NULL OR asset_id IS NULL),
    CONSTRAINT webhook_subscriptions_scheme CHECK (scheme IN ('immutable', 'standard', 'certhis')),
    CONSTRAINT webhook_subscriptions_state CHECK (state IN ('active', 'disabled', 'deleted')),
    CONSTRAINT webhook_subscriptions_retiring CHECK ((retiring_secret IS NULL) = (retiring_until IS NULL)),
    CONSTRAINT webhook_subscriptions_environment_fk FOREIGN KEY (environment_id) REFERENCES environments (id),
    CONSTRAINT webhook_subscriptions_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
) STRICT;
CREATE UNIQUE INDEX webhook_subscriptions_certhis_unique ON webhook_subscriptions (asset_id) WHERE scheme = 'certhis' AND state <> 'deleted';
CREATE INDEX webhook_subscriptions_environment ON webhook_subscriptions (environment_id);
CREATE INDEX webhook_subscriptions_collection ON webhook_subscriptions (asset_id);

-- What happened, as it was then: data is JSON. subject is the mint request. Only what somebody is told is kept.
CREATE TABLE webhook_events (
    asset_id BLOB NOT NULL,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    subject BLOB NOT NULL,
    data TEXT NOT NULL,
    created_at TEXT NOT NULL,
    CONSTRAINT webhook_events_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT webhook_events_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT webhook_events_kind CHECK (kind IN ('mint_request.accepted', 'mint_request.succeeded', 'mint_request.failed')),
    CONSTRAINT webhook_events_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
) STRICT;
CREATE INDEX webhook_events_age ON webhook_events (created_at);

-- One event on its way to one subscription. due_at: when it is tried next; none once it has ended. claim and leased_until: who tries it
-- now, until when nobody else does. body: rendered at the first attempt. replay_of: the delivery that this one repeats.
CREATE TABLE webhook_deliveries (
    subscription_id BLOB NOT NULL,
    id BLOB NOT NULL,
    asset_id BLOB NOT NULL,
    event_id BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at TEXT,
    claim BLOB,
    leased_until TEXT,
    body TEXT,
    replay_of BLOB,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    CONSTRAINT webhook_deliveries_pk PRIMARY KEY (subscription_id, id),
    CONSTRAINT webhook_deliveries_due_at_form CHECK (due_at IS NULL OR length(due_at) = 27),
    CONSTRAINT webhook_deliveries_leased_until_form CHECK (leased_until IS NULL OR length(leased_until) = 27),
    CONSTRAINT webhook_deliveries_created_at_form CHECK (length(created_at) = 27),
    CONSTRAINT webhook_deliveries_ended_at_form CHECK (ended_at IS NULL OR length(ended_at) = 27),
    CONSTRAINT webhook_deliveries_state CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
    CONSTRAINT webhook_deliveries_due CHECK ((state = 'pending') = (due_at IS NOT NULL)),
    CONSTRAINT webhook_deliveries_ended CHECK ((state = 'pending') = (ended_at IS NULL)),
    CONSTRAINT webhook_deliveries_lease CHECK ((claim IS NULL) = (leased_until IS NULL)),
    CONSTRAINT webhook_deliveries_attempts CHECK (attempts >= 0),
    CONSTRAINT webhook_deliveries_subscription_fk FOREIGN KEY (subscription_id) REFERENCES webhook_subscriptions (id),
    CONSTRAINT webhook_deliveries_event_fk FOREIGN KEY (asset_id, event_id) REFERENCES webhook_events (asset_id, id)
) STRICT;
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (subscription_id, due_at);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (asset_id, event_id);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (ended_at);

-- Every attempt. status is the answer's; error says why there was none; answer is how its text begins.
CREATE TABLE webhook_attempts (
    subscription_id BLOB NOT NULL,
    delivery_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    took_ms INTEGER NOT NULL,
    status INTEGER,
    error TEXT,
    answer TEXT,
    CONSTRAINT webhook_attempts_pk PRIMARY KEY (subscription_id, delivery_id, number),
    CONSTRAINT webhook_attempts_at_form CHECK (length(at) = 27),
    CONSTRAINT webhook_attempts_delivery_fk FOREIGN KEY (subscription_id, delivery_id) REFERENCES webhook_deliveries (subscription_id, id)
) STRICT;
