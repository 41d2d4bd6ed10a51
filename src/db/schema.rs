//! The tables, for both databases: the SQL types of [`super::sql`] know how each of them keeps a value.
//!
//! Written by hand; `tests/migrations.rs` compares it with the catalogues that the migrations leave behind.

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    users (id) {
        id -> Id,
        name -> Text,
        wallet -> Binary,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    api_keys (id) {
        id -> Text,
        user_id -> Id,
        name -> Nullable<Text>,
        start -> Text,
        secret_hash -> Binary,
        enabled -> Bool,
        expires_at -> Nullable<Instant>,
        last_used_at -> Nullable<Instant>,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    role_grants (scope, account, role) {
        scope -> Id,
        account -> Binary,
        role -> Text,
        granted_by -> Nullable<Id>,
        granted_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    wallet_methods (user_id, method) {
        user_id -> Id,
        method -> Text,
        version -> BigInt,
        secret -> Text,
        algorithm -> Nullable<Text>,
        confirmed -> Bool,
        failures -> Integer,
        lock_count -> Integer,
        locked_until -> Nullable<Instant>,
        last_step -> Nullable<BigInt>,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    secret_codes (user_id, code_hash) {
        user_id -> Id,
        code_hash -> Binary,
        version -> BigInt,
        used_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    identities (id) {
        id -> Id,
        address -> Binary,
        kind -> Text,
        registered -> Bool,
        country -> Nullable<SmallInt>,
        registered_at -> Nullable<Instant>,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    identity_wallets (wallet) {
        wallet -> Binary,
        identity_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    identity_keys (identity_id, key_hash, purpose) {
        identity_id -> Id,
        key_hash -> Binary,
        purpose -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    claim_topics (name) {
        name -> Text,
        number -> Amount,
        signature -> Text,
        validity_seconds_max -> BigInt,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    trusted_issuers (issuer, topic) {
        issuer -> Binary,
        topic -> Text,
        added_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    claims (id) {
        id -> Id,
        identity_id -> Id,
        topic -> Text,
        issuer -> Binary,
        scheme -> SmallInt,
        data -> Binary,
        values_json -> Text,
        amount -> Nullable<Amount>,
        uri -> Text,
        signature -> Nullable<Binary>,
        signer -> Nullable<Binary>,
        issued_by -> Nullable<Id>,
        issued_at -> Instant,
        not_before -> Instant,
        expires_at -> Instant,
        status -> Text,
        ended_at -> Nullable<Instant>,
        ended_by -> Nullable<Id>,
        retain_until -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    sanctions_lists (id) {
        id -> Id,
        name -> Text,
        as_of -> Instant,
        imported_at -> Instant,
        sha256 -> Binary,
        entries -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    sanctioned_addresses (list_id, address) {
        list_id -> Id,
        address -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    policies (hash) {
        hash -> Binary,
        text -> Text,
        loaded_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    active_policy (singleton) {
        singleton -> Integer,
        hash -> Binary,
        activated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    assets (id) {
        id -> Id,
        address -> Binary,
        kind -> Text,
        name -> Text,
        symbol -> Text,
        decimals -> SmallInt,
        isin -> Nullable<Text>,
        country -> Nullable<SmallInt>,
        class -> Nullable<Text>,
        category -> Nullable<Text>,
        base_price -> Nullable<Text>,
        base_price_currency -> Nullable<Text>,
        face_value -> Nullable<Amount>,
        maturity -> Nullable<Instant>,
        denomination_asset -> Nullable<Binary>,
        management_fee_bps -> Nullable<Integer>,
        settlement -> Text,
        policy -> Nullable<Text>,
        identity_id -> Id,
        cap -> Nullable<Amount>,
        collateral_topic -> Nullable<Text>,
        collateral_ratio_bps -> Nullable<Integer>,
        paused -> Bool,
        supply -> Amount,
        pending -> Amount,
        holders -> BigInt,
        next_operation -> BigInt,
        revision -> BigInt,
        created_by -> Id,
        created_at -> Instant,
        balances -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    asset_modules (asset_id, position) {
        asset_id -> Id,
        position -> Integer,
        type_id -> Text,
        module -> Nullable<Binary>,
        values_json -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    holder_countries (asset_id, country) {
        asset_id -> Id,
        country -> SmallInt,
        holders -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    accounts (asset_id, account) {
        asset_id -> Id,
        account -> Binary,
        identity_id -> Nullable<Id>,
        posted -> Amount,
        pending -> Amount,
        frozen_amount -> Amount,
        frozen -> Bool,
        acquired_at -> Nullable<Instant>,
        updated_at -> Instant,
        leaving -> Amount,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    postings (asset_id, operation, line) {
        asset_id -> Id,
        operation -> BigInt,
        line -> Integer,
        kind -> Text,
        account -> Binary,
        side -> Text,
        amount -> Amount,
        state -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    operations (asset_id, sequence) {
        asset_id -> Id,
        sequence -> BigInt,
        id -> Id,
        kind -> Text,
        status -> Text,
        plan -> Text,
        lines -> Integer,
        total -> Amount,
        requested_by -> Id,
        request_id -> Text,
        policy_hash -> Nullable<Binary>,
        error -> Nullable<Text>,
        attention_reason -> Nullable<Text>,
        attention_since -> Nullable<Instant>,
        created_at -> Instant,
        finished_at -> Nullable<Instant>,
        hold_reason -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    idempotency_keys (user_id, route, key) {
        user_id -> Id,
        route -> Text,
        key -> Text,
        fingerprint -> Binary,
        status -> Integer,
        headers -> Text,
        body -> Text,
        operation_id -> Nullable<Id>,
        created_at -> Instant,
        expires_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    audit_streams (stream) {
        stream -> Text,
        next_sequence -> BigInt,
        head -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    audit_events (stream, sequence) {
        stream -> Text,
        sequence -> BigInt,
        at -> Instant,
        actor -> Text,
        action -> Text,
        asset_id -> Nullable<Id>,
        operation_id -> Nullable<Id>,
        data -> Text,
        leaf_hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    audit_subjects (account, stream, sequence) {
        account -> Binary,
        stream -> Text,
        sequence -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    leases (name) {
        name -> Text,
        owner -> Text,
        fence -> BigInt,
        held_until -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    secret_checks (name) {
        name -> Text,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    chains (chain_id) {
        chain_id -> BigInt,
        sender -> Binary,
        genesis -> Binary,
        factory -> Nullable<Binary>,
        registry -> Nullable<Binary>,
        ready -> Bool,
        head_block -> Nullable<BigInt>,
        observed_block -> BigInt,
        created_at -> Instant,
        looked_at -> Nullable<Instant>,
        trouble -> Nullable<Text>,
        compared_block -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    chain_assets (asset_id) {
        asset_id -> Id,
        chain_id -> BigInt,
        registry -> Binary,
        adopted -> Bool,
        holder_transfers -> Bool,
        recipients_max -> Integer,
        first_block -> Nullable<BigInt>,
        observed_block -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    chain_intents (chain_id, sender, nonce) {
        chain_id -> BigInt,
        sender -> Binary,
        nonce -> BigInt,
        kind -> Text,
        asset_id -> Nullable<Id>,
        recipient -> Nullable<Binary>,
        data -> Binary,
        gas_limit -> BigInt,
        state -> Text,
        cancelled -> Bool,
        mined_attempt -> Nullable<Integer>,
        block_number -> Nullable<BigInt>,
        block_hash -> Nullable<Binary>,
        success -> Nullable<Bool>,
        watched_until -> Nullable<BigInt>,
        attention_reason -> Nullable<Text>,
        attention_since -> Nullable<Instant>,
        assigned_at -> Instant,
        finished_at -> Nullable<Instant>,
        gas_used -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    chain_attempts (chain_id, sender, nonce, attempt) {
        chain_id -> BigInt,
        sender -> Binary,
        nonce -> BigInt,
        attempt -> Integer,
        noop -> Bool,
        fee_max -> Amount,
        fee_priority -> Amount,
        hash -> Nullable<Binary>,
        raw -> Nullable<Binary>,
        first_block -> Nullable<BigInt>,
        first_at -> Nullable<Instant>,
        last_block -> Nullable<BigInt>,
        last_at -> Nullable<Instant>,
        accepted -> Bool,
        refused -> Bool,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    intent_operations (chain_id, sender, nonce, position) {
        chain_id -> BigInt,
        sender -> Binary,
        nonce -> BigInt,
        position -> Integer,
        asset_id -> Id,
        sequence -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    registry_changes (wallet) {
        wallet -> Binary,
        changed_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    registry_entries (chain_id, wallet) {
        chain_id -> BigInt,
        wallet -> Binary,
        identity -> Binary,
        country -> SmallInt,
        verified -> Bool,
        nonce -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    chain_resolutions (chain_id, sender, nonce) {
        chain_id -> BigInt,
        sender -> Binary,
        nonce -> BigInt,
        decision -> Text,
        reason -> Text,
        refusal -> Nullable<Text>,
        requested_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    chain_foreign_nonces (chain_id, sender) {
        chain_id -> BigInt,
        sender -> Binary,
        seen_end -> BigInt,
        seen_at -> Instant,
        unwatched -> Bool,
        acknowledged_end -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    projects (id) {
        id -> Id,
        name -> Text,
        created_by -> Nullable<Id>,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    environments (id) {
        id -> Id,
        project_id -> Id,
        name -> Text,
        chain -> Text,
        test -> Bool,
        tier -> Text,
        mints_per_minute -> Nullable<BigInt>,
        mints_burst -> Nullable<BigInt>,
        owner_id -> Id,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    environment_keys (id) {
        id -> Text,
        environment_id -> Id,
        kind -> Text,
        start -> Text,
        key_hash -> Binary,
        state -> Text,
        accepted_until -> Nullable<Instant>,
        created_by -> Nullable<Id>,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    publishable_usage (key_id, day) {
        key_id -> Text,
        day -> Integer,
        requests -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    rate_plans (name) {
        name -> Text,
        requests -> BigInt,
        window_seconds -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    rate_limit_keys (id) {
        id -> Text,
        plan -> Text,
        start -> Text,
        key_hash -> Binary,
        active -> Bool,
        created_by -> Nullable<Id>,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    quotas (subject, kind) {
        subject -> Text,
        kind -> Text,
        level -> BigInt,
        at_micros -> BigInt,
        taken -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    collections (asset_id) {
        asset_id -> Id,
        environment_id -> Nullable<Id>,
        minting -> Text,
        many -> Bool,
        adopted -> Bool,
        owner -> Binary,
        name -> Nullable<Text>,
        symbol -> Nullable<Text>,
        description -> Nullable<Text>,
        image -> Nullable<Text>,
        external_link -> Nullable<Text>,
        contract_uri -> Nullable<Text>,
        base_uri -> Nullable<Text>,
        metadata_api_url -> Nullable<Text>,
        verification_status -> Text,
        indexed_at -> Instant,
        updated_at -> Instant,
        metadata_synced_at -> Nullable<Instant>,
        number -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    nft_metadata (asset_id, id) {
        asset_id -> Id,
        id -> Id,
        name -> Nullable<Text>,
        description -> Nullable<Text>,
        image -> Nullable<Text>,
        external_url -> Nullable<Text>,
        animation_url -> Nullable<Text>,
        youtube_url -> Nullable<Text>,
        attributes -> Text,
        digest -> Binary,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    mint_requests (asset_id, id) {
        asset_id -> Id,
        id -> Id,
        reference_id -> Text,
        sequence -> Nullable<BigInt>,
        environment_id -> Nullable<Id>,
        requested_by -> Id,
        kind -> Text,
        owner -> Binary,
        token_id -> Nullable<Amount>,
        amount -> Amount,
        metadata_id -> Nullable<Id>,
        status -> Text,
        error -> Nullable<Text>,
        superseded -> Bool,
        transaction_hash -> Nullable<Binary>,
        activity_id -> Nullable<Id>,
        gas -> Nullable<BigInt>,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    mint_files (asset_id, id) {
        asset_id -> Id,
        id -> Id,
        environment_id -> Id,
        requested_by -> Id,
        request_id -> Text,
        lines -> Integer,
        accepted -> Integer,
        refused -> Integer,
        parts -> Integer,
        part -> Integer,
        not_before -> Instant,
        created_at -> Instant,
        updated_at -> Instant,
        cancelled -> Integer,
        waiting_for -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    mint_file_parts (asset_id, file_id, part) {
        asset_id -> Id,
        file_id -> Id,
        part -> Integer,
        wishes -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    mint_file_refusals (asset_id, file_id, line) {
        asset_id -> Id,
        file_id -> Id,
        line -> Integer,
        reference_id -> Nullable<Text>,
        reason -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    nft_tokens (asset_id, token_id) {
        asset_id -> Id,
        token_id -> Amount,
        id -> Id,
        metadata_id -> Nullable<Id>,
        total_supply -> Amount,
        indexed_at -> Instant,
        updated_at -> Instant,
        metadata_synced_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    nft_balances (asset_id, token_id, account) {
        asset_id -> Id,
        token_id -> Amount,
        account -> Binary,
        id -> Id,
        balance -> Amount,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    activities (asset_id, transaction_hash, log_index, position) {
        asset_id -> Id,
        transaction_hash -> Binary,
        log_index -> BigInt,
        position -> Integer,
        id -> Id,
        kind -> Text,
        sender -> Nullable<Binary>,
        recipient -> Nullable<Binary>,
        token_id -> Amount,
        amount -> Amount,
        block_number -> BigInt,
        block_hash -> Binary,
        transaction_index -> BigInt,
        indexed_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    counters (name) {
        name -> Text,
        last -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    certhis_challenges (filed_under) {
        filed_under -> Text,
        wallet -> Binary,
        message -> Text,
        expires_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    certhis_accounts (wallet) {
        wallet -> Binary,
        number -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    certhis_keys (asset_id, number) {
        asset_id -> Id,
        number -> BigInt,
        owner -> Binary,
        user_id -> Id,
        key_hash -> Binary,
        key_sealed -> Text,
        secret_hash -> Binary,
        active -> Bool,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
        owner_seen_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    certhis_tasks (asset_id, id) {
        asset_id -> Id,
        id -> Id,
        number -> BigInt,
        key_number -> BigInt,
        account -> BigInt,
        nft_number -> BigInt,
        token_id -> Nullable<Amount>,
        given -> Bool,
        token_uri -> Nullable<Text>,
        email -> Nullable<Text>,
        retain_until -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    custody_wallets (email_hash) {
        email_hash -> Binary,
        wallet -> Binary,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    custody_transfers (wallet, nonce) {
        wallet -> Binary,
        nonce -> BigInt,
        asset_id -> Id,
        token_id -> Amount,
        amount -> Amount,
        recipient -> Binary,
        raw -> Binary,
        transaction_hash -> Binary,
        status -> Text,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    webhook_subscriptions (id) {
        id -> Id,
        environment_id -> Nullable<Id>,
        asset_id -> Nullable<Id>,
        url -> Text,
        scheme -> Text,
        events -> Text,
        state -> Text,
        secret -> Text,
        retiring_secret -> Nullable<Text>,
        retiring_until -> Nullable<Instant>,
        created_by -> Nullable<Id>,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    webhook_events (asset_id, id) {
        asset_id -> Id,
        id -> Id,
        kind -> Text,
        subject -> Id,
        data -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    webhook_deliveries (subscription_id, id) {
        subscription_id -> Id,
        id -> Id,
        asset_id -> Id,
        event_id -> Id,
        state -> Text,
        attempts -> Integer,
        due_at -> Nullable<Instant>,
        claim -> Nullable<Id>,
        leased_until -> Nullable<Instant>,
        body -> Nullable<Text>,
        replay_of -> Nullable<Id>,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::sql::{Amount, Id, Instant};

    webhook_attempts (subscription_id, delivery_id, number) {
        subscription_id -> Id,
        delivery_id -> Id,
        number -> Integer,
        at -> Instant,
        took_ms -> BigInt,
        status -> Nullable<Integer>,
        error -> Nullable<Text>,
        answer -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    users,
    api_keys,
    role_grants,
    wallet_methods,
    secret_codes,
    identities,
    identity_wallets,
    identity_keys,
    claim_topics,
    trusted_issuers,
    claims,
    sanctions_lists,
    sanctioned_addresses,
    policies,
    active_policy,
    assets,
    asset_modules,
    holder_countries,
    accounts,
    postings,
    operations,
    idempotency_keys,
    audit_streams,
    audit_events,
    audit_subjects,
    leases,
    secret_checks,
    chains,
    chain_assets,
    chain_intents,
    chain_attempts,
    intent_operations,
    registry_changes,
    registry_entries,
    chain_resolutions,
    chain_foreign_nonces,
    projects,
    environments,
    environment_keys,
    publishable_usage,
    rate_plans,
    rate_limit_keys,
    quotas,
    collections,
    nft_metadata,
    mint_requests,
    mint_files,
    mint_file_parts,
    mint_file_refusals,
    nft_tokens,
    nft_balances,
    activities,
    counters,
    certhis_challenges,
    certhis_accounts,
    certhis_keys,
    certhis_tasks,
    custody_wallets,
    custody_transfers,
    webhook_subscriptions,
    webhook_events,
    webhook_deliveries,
    webhook_attempts,
);
