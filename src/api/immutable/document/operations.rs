//! What each route takes and answers.

/// A route of [`super::ROUTES`].
pub(super) struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    /// As Immutable's description calls it, where it has it.
    pub id: &'static str,
    pub summary: &'static str,
    pub takes: Take,
    pub query: &'static [Query],
    pub status: u16,
    /// The schema of the good answer.
    pub answers: &'static str,
    /// Statuses beyond those of all routes.
    pub refuses: &'static [u16],
    /// Takes an `Idempotency-Key`.
    pub is_made_once: bool,
}

pub(super) enum Take {
    Nothing,
    Json(&'static str),
    /// An example of each form.
    Lines(&'static str, &'static str),
}

pub(super) struct Query {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Texts,
    Time,
    PageSize,
    Status,
    Verification,
    ActivityType,
}

const fn query(name: &'static str, kind: Kind) -> Query {
    Query {
        name,
        kind,
        required: false,
    }
}

const CURSOR: Query = query("page_cursor", Kind::Text);
const SIZE: Query = query("page_size", Kind::PageSize);
const SINCE: Query = query("from_updated_at", Kind::Time);
const TOKENS: Query = query("token_id", Kind::Texts);
const CONTRACTS: Query = query("contract_address", Kind::Texts);
const CONTRACT: Query = query("contract_address", Kind::Text);
const METADATA: Query = query("metadata_id", Kind::Texts);
const ACTIVITY: Query = query("activity_type", Kind::ActivityType);

const fn read(path: &'static str, id: &'static str, summary: &'static str, answers: &'static str) -> Operation {
    Operation {
        method: "GET",
        path,
        id,
        summary,
        takes: Take::Nothing,
        query: &[],
        status: 200,
        answers,
        refuses: &[],
        is_made_once: false,
    }
}

impl Operation {
    const fn with(self, query: &'static [Query]) -> Self {
        Self { query, ..self }
    }

    const fn once(self) -> Self {
        Self {
            is_made_once: true,
            ..self
        }
    }

    const fn refused(self, refuses: &'static [u16]) -> Self {
        Self { refuses, ..self }
    }
}

const fn write(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    takes: Take,
    (status, answers): (u16, &'static str),
) -> Operation {
    Operation {
        method: "POST",
        takes,
        status,
        ..read(path, id, summary, answers)
    }
}

const CSV: &str = "reference_id,owner_address,token_id,amount,name\n\
    order-1,0x7e5f4552091a69125d5dfcb7b8c2659029395bdf,7,,Sword\n";
const LINES: &str = "{\"reference_id\":\"order-1\",\"owner_address\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\"}\n";

macro_rules! C {
    ($($rest:literal)?) => {
        concat!("/v1/chains/{chain_name}" $(, $rest)?)
    };
}

macro_rules! K {
    ($($rest:literal)?) => {
        concat!("/v1/chains/{chain_name}/collections/{contract_address}" $(, $rest)?)
    };
}

#[rustfmt::skip]
pub(super) const OPERATIONS: &[Operation] = &[
    write("/v1/collections", "CreateCollection", "Deploy a collection, or link a contract that is there", Take::Json("CreateCollectionRequest"), (201, "GetCollectionResult")).once().refused(&[409]),
    write(K!("/nfts/mint-requests"), "CreateMintRequest", "Ask for mints: all of them are taken, or none", Take::Json("CreateMintRequestRequest"), (202, "CreateMintRequestResult")).once().refused(&[409]),
    read(K!("/nfts/mint-requests"), "ListMintRequests", "Mint requests, newest first", "ListMintRequestsResult").with(&[SIZE, CURSOR, query("status", Kind::Status)]),
    read(K!("/nfts/mint-requests/{reference_id}"), "GetMintRequest", "A list of one mint request", "ListMintRequestsResult"),
    write(K!("/nfts/mint-requests/{reference_id}/cancel"), "CancelMintRequest", "Take back a request that was not sent", Take::Nothing, (200, "ListMintRequestsResult")).once().refused(&[409]),
    write(K!("/nfts/mint-requests/{reference_id}/retry"), "RetryMintRequest", "Make a request again that failed", Take::Nothing, (202, "ListMintRequestsResult")).once().refused(&[409]),
    write(K!("/nfts/mint-requests/bulk"), "CreateMintFile", "Ask for up to 100,000 mints in a file", Take::Lines(CSV, LINES), (202, "MintFileResult")).once().refused(&[408, 409]),
    read(K!("/nfts/mint-requests/bulk/{file_id}"), "GetMintFile", "How far a file is, and the first 1,000 lines that were not taken", "MintFileProgress").with(&[SIZE, CURSOR]),
    write(K!("/nfts/mint-requests/bulk/{file_id}/cancel"), "CancelMintFile", "Drop the lines of a file whose turn has not come; what was accepted goes on", Take::Nothing, (200, "MintFileResult")).once().refused(&[409]),
    write(K!("/nfts/refresh-metadata"), "RefreshNFTMetadataByTokenID", "Replace what tokens show", Take::Json("RefreshNFTMetadataByTokenIDRequest"), (202, "MetadataRefreshRateLimitResult")),
    write(K!("/metadata/refresh-metadata"), "RefreshMetadataByID", "Replace what stacks of tokens show", Take::Json("RefreshMetadataByIDRequest"), (202, "MetadataRefreshRateLimitResult")),
    write(K!("/refresh-metadata"), "RefreshCollectionMetadata", "Replace what a collection shows of itself", Take::Json("RefreshCollectionMetadataRequest"), (200, "RefreshCollectionMetadataResult")),
    read("/v1/chains", "ListChains", "The chain of this server", "ListChainsResult").with(&[SIZE, CURSOR]),
    read(C!("/collections"), "ListCollections", "Collections", "ListCollectionsResult").with(&[CONTRACTS, query("verification_status", Kind::Verification), SINCE, SIZE, CURSOR]),
    read(K!(), "GetCollection", "A collection", "GetCollectionResult"),
    read(C!("/accounts/{account_address}/collections"), "ListCollectionsByNFTOwner", "Collections of which an account has something", "ListCollectionsResult").with(&[SIZE, CURSOR]),
    read(K!("/nfts/{token_id}"), "GetNFT", "A token", "GetNFTResult"),
    read(K!("/nfts"), "ListNFTs", "Tokens of a collection", "ListNFTsResult").with(&[TOKENS, SINCE, SIZE, CURSOR]),
    read(C!("/nfts"), "ListAllNFTs", "Tokens", "ListNFTsResult").with(&[SINCE, SIZE, CURSOR]),
    read(C!("/accounts/{account_address}/nfts"), "ListNFTsByAccountAddress", "Tokens of an account", "ListNFTsByOwnerResult").with(&[CONTRACT, TOKENS, SINCE, SIZE, CURSOR]),
    read(K!("/nfts/{token_id}/owners"), "ListNFTOwners", "Owners of a token", "ListNFTOwnersResult").with(&[SINCE, SIZE, CURSOR]),
    read(K!("/owners"), "ListOwnersByContractAddress", "Owners in a collection", "ListNFTOwnersResult").with(&[query("account_address", Kind::Texts), SINCE, SIZE, CURSOR]),
    read(C!("/nft-owners"), "ListAllNFTOwners", "Owners", "ListNFTOwnersResult").with(&[SINCE, SIZE, CURSOR]),
    read(K!("/metadata/{metadata_id}"), "GetMetadata", "What a stack shows", "GetMetadataResult"),
    read(K!("/metadata"), "ListMetadata", "What the stacks of a collection show", "ListMetadataResult").with(&[METADATA, SINCE, SIZE, CURSOR]),
    read(C!("/metadata"), "ListMetadataForChain", "What stacks show", "ListMetadataResult").with(&[METADATA, SINCE, SIZE, CURSOR]),
    read(C!("/activities"), "ListActivities", "What moved, as final logs say", "ListActivitiesResult").with(&[CONTRACT, query("token_id", Kind::Text), query("account_address", Kind::Text), ACTIVITY, SIZE, CURSOR]),
    read(C!("/activities/{activity_id}"), "GetActivity", "An activity", "GetActivityResult"),
    read(C!("/activity-history"), "ListActivityHistory", "Activities between two instants", "ListActivitiesResult").with(&[Query { name: "from_updated_at", kind: Kind::Time, required: true }, query("to_updated_at", Kind::Time), CONTRACT, ACTIVITY, SIZE, CURSOR]),
    read("/v1/metadata/{contract_address}/{token_id}", "GetHostedMetadata", "What a token shows, as its tokenURI says: public and cacheable", "HostedMetadata"),
    read("/v1/openapi.json", "GetOpenAPI", "This document", "OpenAPI"),
];
