-- Wallets with a posted balance on an asset: what the statistics show. `holders` counts identities, for the limits.
ALTER TABLE assets ADD COLUMN balances INTEGER NOT NULL DEFAULT 0
    CONSTRAINT assets_balances CHECK (balances >= 0);
UPDATE assets SET balances =
    (SELECT count(*) FROM accounts WHERE accounts.asset_id = assets.id AND accounts.posted > '000000000000000000000000000000000000000000000000000000000000000000000000000000');
