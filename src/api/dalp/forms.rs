//! Forms of fields that a derive cannot say: one or many, text or numbers (dalp.md A2, A4, A5). Only for the document;
//! [`super::amount`] reads them.

use serde_json::json;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ArrayItems, SchemaType, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};

const MANY_MAX: usize = 100;

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

fn address() -> ObjectBuilder {
    text("^0x[0-9a-fA-F]{40}$")
}

fn many(items: impl Into<ArrayItems>) -> ArrayBuilder {
    ArrayBuilder::new()
        .items(items)
        .min_items(Some(1))
        .max_items(Some(MANY_MAX))
}

/// One address, or a list.
pub fn addresses() -> RefOr<Schema> {
    let schema = AnyOfBuilder::new()
        .item(address())
        .item(many(address()))
        .description(Some("One address, or a list of 1 to 100"));
    schema.into()
}

fn plain_amounts() -> [ObjectBuilder; 2] {
    let integer = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    [text("^[0-9]+$"), integer]
}

/// Digits and the number of decimals.
fn dnum() -> ArrayBuilder {
    let part = SchemaType::from_iter([Type::String, Type::Integer]);
    let items = ObjectBuilder::new().schema_type(part);
    ArrayBuilder::new().items(items).min_items(Some(2)).max_items(Some(2))
}

fn amount_forms() -> AnyOfBuilder {
    let [digits, integer] = plain_amounts();
    AnyOfBuilder::new().item(digits).item(integer).item(dnum())
}

/// One amount.
pub fn amount() -> RefOr<Schema> {
    let what = "Base units as a digit string, or a dnum `[digits, decimals]` with the decimals of the asset";
    amount_forms().description(Some(what)).into()
}

/// One amount, or a list of plain amounts, or one of dnums.
pub fn amounts() -> RefOr<Schema> {
    let [digits, integer] = plain_amounts();
    let plain = AnyOfBuilder::new().item(digits).item(integer);
    let what = "One amount, or a list of as many as there are recipients: base units as digit strings, or dnums \
                `[digits, decimals]`; never a mixture";
    let schema = amount_forms()
        .item(many(RefOr::T(Schema::AnyOf(plain.build()))))
        .item(many(RefOr::T(Schema::Array(dnum().build()))));
    schema.description(Some(what)).into()
}

/// One role, or a list.
pub fn roles() -> RefOr<Schema> {
    let role = || ObjectBuilder::new().schema_type(Type::String);
    let schema = AnyOfBuilder::new()
        .item(role())
        .item(many(role()))
        .description(Some("One role, or a list"));
    schema.into()
}

/// A time that is to come.
pub fn time() -> RefOr<Schema> {
    let parts = SchemaType::from_iter([Type::String, Type::Integer]);
    let schema = ObjectBuilder::new()
        .schema_type(parts)
        .description(Some("RFC 3339, or seconds or milliseconds since 1970"));
    schema.into()
}

/// The parameters of a compliance module as they were given: a list, an object, anything.
pub fn module_values() -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .description(Some("As they were given"))
        .examples([json!([408])]);
    schema.into()
}
