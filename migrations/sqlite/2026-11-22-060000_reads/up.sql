-- Anybody may read these lists: each is found in its order by an index, so that nobody makes the server walk a table.
-- Activities are listed by their time.
CREATE INDEX activities_time ON activities (indexed_at, id);
CREATE INDEX activities_collection_time ON activities (asset_id, indexed_at, id);
CREATE INDEX activities_kind_time ON activities (kind, indexed_at, id);
CREATE INDEX activities_collection_kind_time ON activities (asset_id, kind, indexed_at, id);
CREATE INDEX activities_token_time ON activities (token_id, indexed_at, id);
CREATE INDEX activities_collection_token_time ON activities (asset_id, token_id, indexed_at, id);
CREATE INDEX activities_sender_time ON activities (sender, indexed_at, id);
CREATE INDEX activities_recipient_time ON activities (recipient, indexed_at, id);
DROP INDEX activities_listed;
DROP INDEX activities_token;
-- What changed since a time is listed by the time of the change.
CREATE INDEX nft_tokens_changed ON nft_tokens (asset_id, updated_at, id);
CREATE INDEX nft_tokens_chain_changed ON nft_tokens (updated_at, id);
CREATE INDEX nft_balances_changed ON nft_balances (asset_id, updated_at, id);
CREATE INDEX nft_balances_chain_changed ON nft_balances (updated_at, id);
CREATE INDEX nft_metadata_changed ON nft_metadata (asset_id, updated_at, id);
CREATE INDEX nft_metadata_chain_changed ON nft_metadata (updated_at, id);
