//! Activities: what moved, as final logs say (immutable.md section 6).

use actix_web::{HttpRequest, get};

use super::Reader;
use super::asked::{Asked, address, token_id};
use super::read::{Answer, on_chain, rows};
use super::shown::{page, result};
use crate::collection::{self, ActivityFilter, ActivityKind, Slice};
use crate::error::{Error, Issue};
use crate::types::ActivityId;

#[get("/v1/chains/{chain_name}/activities/{activity_id}")]
pub(super) async fn get_activity(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let id = ActivityId::parse(asked.part("activity_id"));
    let id = id.map_err(|error| Error::invalid("activity_id", error.to_string()))?;
    on_chain(&reader, &asked, move |tx, shown| {
        let activity = collection::activity(tx, id)?;
        let collection = collection::find(tx, activity.collection)?;
        Ok(result(shown.activity(&collection, &activity)))
    })
    .await
}

/// What cannot happen here (sales, deposits, withdrawals) is a known word and matches nothing.
enum Kind {
    Happens(ActivityKind),
    Never,
}

fn kind(text: &str) -> Result<Kind, Error> {
    match (ActivityKind::parse(text), text) {
        (Some(kind), _) => Ok(Kind::Happens(kind)),
        (None, "sale" | "deposit" | "withdrawal") => Ok(Kind::Never),
        (None, _) => Err(Error::Invalid(vec![Issue::new(
            "activity_type",
            "enum",
            "must be mint, burn, transfer, sale, deposit or withdrawal",
        )])),
    }
}

#[get("/v1/chains/{chain_name}/activities")]
pub(super) async fn list_activities(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let filter = ActivityFilter {
        token_id: asked
            .one("token_id")
            .map(|text| token_id("token_id", text))
            .transpose()?,
        account: asked
            .one("account_address")
            .map(|text| address("account_address", text))
            .transpose()?,
        ..ActivityFilter::default()
    };
    activities_page(&reader, &asked, filter).await
}

/// Between two instants: `from_updated_at` is required, `to_updated_at` is not included.
#[get("/v1/chains/{chain_name}/activity-history")]
pub(super) async fn activity_history(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let since = asked.time("from_updated_at")?;
    let required = || Error::Invalid(vec![Issue::new("from_updated_at", "required", "is required")]);
    let filter = ActivityFilter {
        indexed_since: Some(since.ok_or_else(required)?),
        indexed_until: asked.time("to_updated_at")?,
        ..ActivityFilter::default()
    };
    activities_page(&reader, &asked, filter).await
}

async fn activities_page(reader: &Reader, asked: &Asked, mut filter: ActivityFilter) -> Answer {
    let window = asked.window()?;
    let contract = asked.contract()?;
    match asked.one("activity_type").map(kind).transpose()? {
        None => {}
        Some(Kind::Happens(kind)) => filter.kind = Some(kind),
        Some(Kind::Never) => {
            window.check_activities()?;
            let nothing = Slice {
                items: Vec::new(),
                previous: None,
                next: None,
            };
            return on_chain(reader, asked, move |_, _| Ok(page(nothing))).await;
        }
    }
    on_chain(reader, asked, move |tx, shown| {
        if let Some(contract) = contract {
            filter.collection = Some(collection::find_by_address(tx, &contract)?.id);
        }
        let slice = collection::activities(tx, &filter, &window)?;
        rows(
            tx,
            slice,
            |activity| activity.collection,
            |collection, activity| shown.activity(collection, activity),
        )
    })
    .await
}
