use super::schemas::list_of;
use crate::api::document::shapes::{Named, known, object};

/// What wraps the objects: a page of them, or one.
pub(super) fn lists() -> Named {
    const LISTS: [(&str, &str); 8] = [
        ("ListMintRequestsResult", "MintRequest"),
        ("ListChainsResult", "ChainWithDetails"),
        ("ListCollectionsResult", "Collection"),
        ("ListNFTsResult", "NFT"),
        ("ListNFTsByOwnerResult", "NFTWithBalance"),
        ("ListNFTOwnersResult", "NFTOwner"),
        ("ListMetadataResult", "Metadata"),
        ("ListActivitiesResult", "Activity"),
    ];
    const SINGLES: [(&str, &str); 4] = [
        ("GetCollectionResult", "Collection"),
        ("GetNFTResult", "NFT"),
        ("GetMetadataResult", "Metadata"),
        ("GetActivityResult", "Activity"),
    ];
    let list = |name: &str| object(vec![("result", list_of(name)), ("page", known("Page"))]);
    let single = |name: &str| object(vec![("result", known(name))]);
    let lists = LISTS.into_iter().map(|(name, of)| (name, list(of)));
    lists
        .chain(SINGLES.into_iter().map(|(name, of)| (name, single(of))))
        .collect()
}
