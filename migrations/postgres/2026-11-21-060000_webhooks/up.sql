-- Webhooks: who is told what happened to mint requests, what they are told, and every attempt to tell it.

-- Told of one collection, of the collections of one environment, or of all (neither). events: words with a space between. secret and
-- retiring_secret are sealed under the data key; the retiring one signs too until retiring_until.
CREATE TABLE webhook_subscriptions (
    id uuid NOT NULL,
    environment_id uuid,
    asset_id uuid,
    url text NOT NULL,
    scheme text NOT NULL,
    events text NOT NULL,
    state text NOT NULL,
    secret text NOT NULL,
    retiring_secret text,
    retiring_until timestamptz,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT webhook_subscriptions_pk PRIMARY KEY (id),
    CONSTRAINT webhook_subscriptions_scope CHECK (environment_id IS NULL OR asset_id IS NULL),
    CONSTRAINT webhook_subscriptions_scheme CHECK (scheme IN ('immutable', 'standard', 'certhis')),
    CONSTRAINT webhook_subscriptions_state CHECK (state IN ('active', 'disabled', 'deleted')),
    CONSTRAINT webhook_subscriptions_retiring CHECK ((retiring_secret IS NULL) = (retiring_until IS NULL)),
    CONSTRAINT webhook_subscriptions_environment_fk FOREIGN KEY (environment_id) REFERENCES environments (id),
    CONSTRAINT webhook_subscriptions_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
);
CREATE UNIQUE INDEX webhook_subscriptions_certhis_unique ON webhook_subscriptions (asset_id) WHERE scheme = 'certhis' AND state <> 'deleted';
CREATE INDEX webhook_subscriptions_environment ON webhook_subscriptions (environment_id);
CREATE INDEX webhook_subscriptions_collection ON webhook_subscriptions (asset_id);

-- What happened, as it was then: data is JSON. subject is the mint request. Only what somebody is told is kept.
CREATE TABLE webhook_events (
    asset_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    subject uuid NOT NULL,
    data text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT webhook_events_pk PRIMARY KEY (asset_id, id),
    CONSTRAINT webhook_events_kind CHECK (kind IN ('mint_request.accepted', 'mint_request.succeeded', 'mint_request.failed')),
    CONSTRAINT webhook_events_collection_fk FOREIGN KEY (asset_id) REFERENCES collections (asset_id)
);
CREATE INDEX webhook_events_age ON webhook_events (created_at);

-- One event on its way to one subscription. due_at: when it is tried next; none once it has ended. claim and leased_until: who tries it
-- now, until when nobody else does. body: rendered at the first attempt. replay_of: the delivery that this one repeats.
CREATE TABLE webhook_deliveries (
    subscription_id uuid NOT NULL,
    id uuid NOT NULL,
    asset_id uuid NOT NULL,
    event_id uuid NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    due_at timestamptz,
    claim uuid,
    leased_until timestamptz,
    body text,
    replay_of uuid,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT webhook_deliveries_pk PRIMARY KEY (subscription_id, id),
    CONSTRAINT webhook_deliveries_state CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
    CONSTRAINT webhook_deliveries_due CHECK ((state = 'pending') = (due_at IS NOT NULL)),
    CONSTRAINT webhook_deliveries_ended CHECK ((state = 'pending') = (ended_at IS NULL)),
    CONSTRAINT webhook_deliveries_lease CHECK ((claim IS NULL) = (leased_until IS NULL)),
    CONSTRAINT webhook_deliveries_attempts CHECK (attempts >= 0),
    CONSTRAINT webhook_deliveries_subscription_fk FOREIGN KEY (subscription_id) REFERENCES webhook_subscriptions (id),
    CONSTRAINT webhook_deliveries_event_fk FOREIGN KEY (asset_id, event_id) REFERENCES webhook_events (asset_id, id)
);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (subscription_id, due_at);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (asset_id, event_id);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (ended_at);

-- Every attempt. status is the answer's; error says why there was none; answer is how its text begins.
CREATE TABLE webhook_attempts (
    subscription_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    took_ms bigint NOT NULL,
    status integer,
    error text,
    answer text,
    CONSTRAINT webhook_attempts_pk PRIMARY KEY (subscription_id, delivery_id, number),
    CONSTRAINT webhook_attempts_delivery_fk FOREIGN KEY (subscription_id, delivery_id) REFERENCES webhook_deliveries (subscription_id, id)
);
