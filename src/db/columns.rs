//! How the types of [`crate::types`] travel to and from a column.

use std::io::Write as _;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromStaticSqlRow, Queryable};
use diesel::expression::AsExpression;
use diesel::internal::derives::as_expression::Bound;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{self, Nullable};
use diesel::sqlite::Sqlite;
use uuid::Uuid;

use super::sql;
use crate::types::{
    ActivityId, Address, Amount, AssetId, ClaimId, DeliveryId, EnvironmentId, Hash32, IdentityId, MetadataId,
    MintFileId, MintRequestId, OperationId, ProjectId, RowId, SanctionsListId, Timestamp, TokenId, UserId,
    WebhookEventId, WebhookId,
};

/// Makes a type usable as a bind value and as a result of a column of the given SQL type, plain or nullable.
macro_rules! column {
    ($($type:ty => $sql:ty),+ $(,)?) => { $(
        column!(@expression $type, $type, $sql);
        column!(@expression &'a $type, $type, $sql, 'a);

        impl<DB> ToSql<Nullable<$sql>, DB> for $type
        where
            DB: Backend,
            $type: ToSql<$sql, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                ToSql::<$sql, DB>::to_sql(self, out)
            }
        }

        impl<DB> Queryable<$sql, DB> for $type
        where
            DB: Backend,
            $type: FromStaticSqlRow<$sql, DB>,
        {
            type Row = Self;

            fn build(row: Self::Row) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    )+ };
    (@expression $as:ty, $type:ty, $sql:ty $(, $life:lifetime)?) => {
        impl<$($life)?> AsExpression<$sql> for $as {
            type Expression = Bound<$sql, Self>;

            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }

        impl<$($life)?> AsExpression<Nullable<$sql>> for $as {
            type Expression = Bound<Nullable<$sql>, Self>;

            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
    };
}

column! {
    Amount => sql::Amount,
    TokenId => sql::Amount,
    Timestamp => sql::Instant,
    Address => sql_types::Binary,
    Hash32 => sql_types::Binary,
    AssetId => sql::Id,
    UserId => sql::Id,
    IdentityId => sql::Id,
    ClaimId => sql::Id,
    OperationId => sql::Id,
    SanctionsListId => sql::Id,
    ProjectId => sql::Id,
    EnvironmentId => sql::Id,
    MintFileId => sql::Id,
    MintRequestId => sql::Id,
    MetadataId => sql::Id,
    ActivityId => sql::Id,
    RowId => sql::Id,
    WebhookId => sql::Id,
    WebhookEventId => sql::Id,
    DeliveryId => sql::Id,
}

/// PostgreSQL counts time from 2000-01-01T00:00:00Z.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

impl ToSql<sql::Instant, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = self.micros().saturating_sub(POSTGRES_EPOCH_MICROS);
        out.write_all(&micros.to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Instant, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = i64::from_be_bytes(value.as_bytes().try_into()?);
        Ok(Self::from_micros(micros.saturating_add(POSTGRES_EPOCH_MICROS)))
    }
}

impl ToSql<sql::Instant, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.to_micros_text());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Instant, Sqlite> for Timestamp {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<sql_types::Text, Sqlite>>::from_sql(value)?;
        Ok(Self::parse(&text)?)
    }
}

/// The header of PostgreSQL's binary `numeric`: number of groups, weight of the first, sign, display scale.
impl ToSql<sql::Amount, Pg> for Amount {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let (groups, weight) = self.to_base_10000();
        out.write_all(&i16::try_from(groups.len())?.to_be_bytes())?;
        out.write_all(&weight.to_be_bytes())?;
        out.write_all(&[0; 4])?;
        for group in groups {
            out.write_all(&group.to_be_bytes())?;
        }
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Amount, Pg> for Amount {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let mut words = value
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| <[u8; 2]>::try_from(pair).map_or(0, i16::from_be_bytes));
        let (_length, weight, sign, _scale) = (words.next(), words.next(), words.next(), words.next());
        let groups: Vec<i16> = words.collect();
        if sign != Some(0) {
            return Err("an amount is never negative".into());
        }
        if groups.is_empty() {
            return Ok(Self::ZERO);
        }
        let amount = weight.and_then(|weight| Self::from_base_10000(&groups, weight));
        amount.ok_or_else(|| "not an amount of base units".into())
    }
}

impl ToSql<sql::Amount, Sqlite> for Amount {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.to_padded());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Amount, Sqlite> for Amount {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<sql_types::Text, Sqlite>>::from_sql(value)?;
        Ok(Self::parse(&text)?)
    }
}

impl<DB> ToSql<sql::Amount, DB> for TokenId
where
    DB: Backend,
    Amount: ToSql<sql::Amount, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.as_amount().to_sql(out)
    }
}

impl<DB> FromSql<sql::Amount, DB> for TokenId
where
    DB: Backend,
    Amount: FromSql<sql::Amount, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Amount::from_sql(value).map(Self::from)
    }
}

impl ToSql<sql::Id, Pg> for Uuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Id, Pg> for Uuid {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::from_slice(value.as_bytes())?)
    }
}

impl ToSql<sql::Id, Sqlite> for Uuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Id, Sqlite> for Uuid {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let bytes = <Vec<u8> as FromSql<sql_types::Binary, Sqlite>>::from_sql(value)?;
        Ok(Self::from_slice(&bytes)?)
    }
}

macro_rules! id_columns {
    ($($type:ident),+ $(,)?) => { $(
        impl<DB> ToSql<sql::Id, DB> for $type
        where
            DB: Backend,
            Uuid: ToSql<sql::Id, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.as_uuid().to_sql(out)
            }
        }

        impl<DB> FromSql<sql::Id, DB> for $type
        where
            DB: Backend,
            Uuid: FromSql<sql::Id, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                Uuid::from_sql(value).map(Self::from_uuid)
            }
        }
    )+ };
}

id_columns!(
    AssetId,
    UserId,
    IdentityId,
    ClaimId,
    OperationId,
    SanctionsListId,
    ProjectId,
    EnvironmentId,
    MintFileId,
    MintRequestId,
    MetadataId,
    ActivityId,
    RowId,
    WebhookId,
    WebhookEventId,
    DeliveryId,
);

macro_rules! byte_columns {
    ($($type:ident),+ $(,)?) => { $(
        impl<DB> ToSql<sql_types::Binary, DB> for $type
        where
            DB: Backend,
            [u8]: ToSql<sql_types::Binary, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                <[u8] as ToSql<sql_types::Binary, DB>>::to_sql(self.as_bytes().as_slice(), out)
            }
        }

        impl<DB> FromSql<sql_types::Binary, DB> for $type
        where
            DB: Backend,
            Vec<u8>: FromSql<sql_types::Binary, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<sql_types::Binary, DB>>::from_sql(value)?;
                Ok(Self::try_from(bytes.as_slice())?)
            }
        }
    )+ };
}

byte_columns!(Address, Hash32);
