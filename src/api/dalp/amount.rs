//! Amounts and recipients as the asset API takes them (dalp.md A2, A4, A5): one or a list, in three forms.

use serde_json::{Number, Value};

use super::body::Issues;
use crate::asset::Asset;
use crate::types::{Address, Amount, Dnum};

/// The largest integer that every JSON reader keeps exactly.
const EXACT_INTEGER_MAX: u64 = (1 << 53) - 1;

/// One address or a list of 1 to 100, none of them the zero address.
pub fn recipients_of(path: &str, value: &Value, issues: &mut Issues) -> Option<Vec<Address>> {
    match value {
        Value::Null => {
            issues.add(path, "required", "is required");
            None
        }
        Value::String(text) => recipient(path, text, issues).map(|address| vec![address]),
        Value::Array(items) => list(path, items, issues, |path, item, issues| match item {
            Value::String(text) => recipient(path, text, issues),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                issues.add(path, "type", "must be an address");
                None
            }
        }),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            issues.add(path, "type", "must be an address or a list of addresses");
            None
        }
    }
}

fn recipient(path: &str, text: &str, issues: &mut Issues) -> Option<Address> {
    let address = issues.take(path, Address::parse(text))?;
    if address.is_zero() {
        issues.add(path, "format", "must not be the zero address");
        return None;
    }
    Some(address)
}

/// One amount or a list of 1 to 100, in base units of an asset with these decimals.
///
/// A two-element list whose second element is a JSON number is always one dnum; a list is all plain amounts or all dnums.
pub fn amounts_of(path: &str, value: &Value, decimals: u8, issues: &mut Issues) -> Option<Vec<Amount>> {
    let Value::Array(items) = value else {
        return amount_of(path, value, decimals, issues).map(|amount| vec![amount]);
    };
    if is_dnum(items) {
        return amount_of(path, value, decimals, issues).map(|amount| vec![amount]);
    }
    let dnums = items.iter().filter(|item| item.is_array()).count();
    if dnums != 0 && dnums != items.len() {
        issues.add(path, "type", "must be all amounts or all dnums, not a mixture");
        return None;
    }
    list(path, items, issues, |path, item, issues| {
        amount_of(path, item, decimals, issues)
    })
}

/// Exactly one amount: a digit string, an exact integer, or a dnum.
pub fn amount_of(path: &str, value: &Value, decimals: u8, issues: &mut Issues) -> Option<Amount> {
    match value {
        Value::Null => {
            issues.add(path, "required", "is required");
            None
        }
        Value::String(text) => issues.take(path, Amount::parse(text)),
        Value::Number(number) => issues.take(path, exact(number)),
        Value::Array(items) => dnum(path, items, decimals, issues),
        Value::Bool(_) | Value::Object(_) => {
            issues.add(path, "type", "must be a digit string or a dnum [digits, decimals]");
            None
        }
    }
}

fn is_dnum(items: &[Value]) -> bool {
    matches!(items, [_, Value::Number(_)]) && !matches!(items, [Value::Array(_), _])
}

fn dnum(path: &str, items: &[Value], decimals: u8, issues: &mut Issues) -> Option<Amount> {
    let [first, Value::Number(scale)] = items else {
        issues.add(path, "type", "must be a dnum [digits, decimals]");
        return None;
    };
    let digits = match first {
        Value::String(text) => text.clone(),
        Value::Number(number) => issues.take(path, exact(number))?.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            issues.add(path, "type", "must be a dnum [digits, decimals]");
            return None;
        }
    };
    let Some(scale) = scale.as_u64() else {
        issues.add(path, "range", "the decimals of a dnum are a whole number from 0 to 18");
        return None;
    };
    let dnum = issues.take(path, Dnum::parse(&digits, scale))?;
    if dnum.decimals != decimals {
        let text = format!("the dnum has {} decimals, the asset has {decimals}", dnum.decimals);
        issues.add(path, "range", text);
        return None;
    }
    Some(dnum.amount)
}

fn exact(number: &Number) -> Result<Amount, &'static str> {
    match number.as_u64() {
        Some(value) if value <= EXACT_INTEGER_MAX => Ok(Amount::from(value)),
        _ => Err("a JSON number must be a whole number below 2^53; write larger amounts as a digit string"),
    }
}

fn list<T>(
    path: &str,
    items: &[Value],
    issues: &mut Issues,
    read: impl Fn(&str, &Value, &mut Issues) -> Option<T>,
) -> Option<Vec<T>> {
    let max = Asset::RECIPIENTS_MAX;
    if items.is_empty() || items.len() > max {
        issues.add(
            path,
            "range",
            format!("must have 1 to {max} elements, has {}", items.len()),
        );
        return None;
    }
    let read: Vec<Option<T>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| read(&format!("{path}.{index}"), item, issues))
        .collect();
    read.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn amounts(value: Value) -> Option<Vec<String>> {
        let mut issues = Issues::default();
        let read = amounts_of("amounts", &value, 18, &mut issues);
        assert_eq!(read.is_some(), issues.finish().is_ok(), "{value}");
        read.map(|amounts| amounts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_three_forms_and_their_lists_are_told_apart() {
        assert_eq!(amounts(json!("1000")).unwrap(), ["1000"]);
        assert_eq!(amounts(json!(["1000", 18])).unwrap(), ["1000"]);
        assert_eq!(amounts(json!([1000, 18])).unwrap(), ["1000"]);
        assert_eq!(amounts(json!(["500", "18"])).unwrap(), ["500", "18"]);
        assert_eq!(amounts(json!([["1", 18], ["2", 18]])).unwrap(), ["1", "2"]);
        assert_eq!(amounts(json!([["1", 18]])).unwrap(), ["1"]);
        assert_eq!(amounts(json!([5, 6, 7])).unwrap(), ["5", "6", "7"]);
    }

    #[test]
    fn mixtures_and_what_is_not_an_amount_are_refused() {
        let refused = [
            json!(["1", ["2", 18]]),
            json!([["1", 18], "2"]),
            json!("-1"),
            json!("1.5"),
            json!("1e3"),
            json!(""),
            json!(true),
            json!(null),
            json!(1.5),
            json!(-1),
            json!([]),
            json!([null]),
            json!([["1", "18"]]),
            json!(["1", 17]),
            json!(["1", 19]),
            json!(["1", 18.5]),
            json!({}),
        ];
        for value in refused {
            assert_eq!(amounts(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn numbers_end_where_json_readers_begin_to_round() {
        assert!(amounts(json!(9_007_199_254_740_991_u64)).is_some());
        assert!(amounts(json!(9_007_199_254_740_992_u64)).is_none());
    }

    #[test]
    fn a_list_has_one_to_a_hundred_elements() {
        let of = |length: usize| amounts(Value::from(vec!["1"; length]));

        assert!(of(1).is_some() && of(100).is_some());
        assert!(of(0).is_none() && of(101).is_none());
    }

    #[test]
    fn every_bad_recipient_is_named() {
        let mut issues = Issues::default();
        let zero = "0x0000000000000000000000000000000000000000";
        let value = json!(["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", zero, "0x1", 7]);

        assert_eq!(recipients_of("recipients", &value, &mut issues), None);
        let Err(crate::error::Error::Invalid(issues)) = issues.finish() else {
            panic!()
        };
        let paths: Vec<String> = issues.iter().map(|issue| issue.path.join(".")).collect();
        assert_eq!(paths, ["recipients.1", "recipients.2", "recipients.3"]);
    }
}
