use ethers_core::abi::{ParamType, Token, decode, encode};
use ethers_core::types::{H160, I256, U256};
use serde_json::Value;

use crate::types::{Address, Amount};

/// The ABI types of a claim's data: `uint256 amount, uint256 expiryTimestamp`. Elementary types only; a field without a
/// name is called `arg0`, `arg1` … by its place.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimShape {
    text: String,
    fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    kind: ParamType,
    name: String,
}

/// One field of a claim, as text: digits, `true` or `false`, an EIP-55 address, `0x` and lower-case hex, or the string.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClaimValue {
    pub key: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    #[error("must name 1 to {} ABI types, separated by commas", ClaimShape::FIELDS_MAX)]
    Count,
    #[error("must be at most {} characters", ClaimShape::TEXT_LENGTH_MAX)]
    Length,
    #[error(
        "has {0:?}, which is not an elementary ABI type (address, bool, string, bytes, bytes1-32, uint8-256, int8-256)"
    )]
    Kind(String),
    #[error("has {0:?}, which is not a field name of 1 to 50 letters, digits and '_', used once")]
    Name(String),
}

/// What is wrong with the data; `field` is the name of the field, or none when it is about the whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    pub field: Option<String>,
    pub message: String,
}

impl ValueError {
    fn whole(message: impl Into<String>) -> Self {
        Self {
            field: None,
            message: message.into(),
        }
    }
}

impl ClaimShape {
    pub const FIELDS_MAX: usize = 16;
    pub const TEXT_LENGTH_MAX: usize = 500;
    /// A claim says that something is so; the evidence is kept elsewhere.
    pub const VALUE_LENGTH_MAX: usize = 1_000;
    const NAME_LENGTH_MAX: usize = 50;

    pub fn parse(text: &str) -> Result<Self, ShapeError> {
        if text.len() > Self::TEXT_LENGTH_MAX {
            return Err(ShapeError::Length);
        }
        let mut fields: Vec<Field> = Vec::new();
        for (place, part) in text.split(',').enumerate() {
            let field = Field::parse(part, place)?;
            if fields.iter().any(|other| other.name == field.name) {
                return Err(ShapeError::Name(field.name));
            }
            fields.push(field);
        }
        if fields.len() > Self::FIELDS_MAX {
            return Err(ShapeError::Count);
        }
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let text = words.join(", ");
        Ok(Self { text, fields })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Two `uint256`: an amount of base units and the end of its validity in seconds, as collateral claims have them
    /// (dalp.md section 5).
    pub fn is_amount_with_expiry(&self) -> bool {
        let words = self.fields.iter().map(|f| (&f.kind, f.name.as_str()));
        let number = ParamType::Uint(256);
        words.eq([(&number, "amount"), (&number, "expiryTimestamp")])
    }

    /// `abi.encode` of the values: an object by field name, or a list in the order of the fields. Whole numbers are
    /// digit strings, or JSON numbers below 2^53.
    pub fn encode(&self, values: &Value) -> Result<Vec<u8>, ValueError> {
        let ordered = self.ordered(values)?;
        let tokens: Result<Vec<Token>, ValueError> = self
            .fields
            .iter()
            .zip(ordered)
            .map(|(field, value)| {
                token(&field.kind, value).map_err(|message| ValueError {
                    field: Some(field.name.clone()),
                    message,
                })
            })
            .collect();
        Ok(encode(&tokens?))
    }

    fn ordered<'v>(&self, values: &'v Value) -> Result<Vec<&'v Value>, ValueError> {
        let names = || {
            self.fields
                .iter()
                .map(|f| f.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match values {
            Value::Array(list) if list.len() == self.fields.len() => Ok(list.iter().collect()),
            Value::Object(object) => {
                let known = |name: &&String| self.fields.iter().any(|field| field.name == **name);
                if let Some(unknown) = object.keys().find(|name| !known(name)) {
                    return Err(ValueError::whole(format!("has no field {unknown:?}, only {}", names())));
                }
                let field = |field: &Field| {
                    object.get(&field.name).ok_or_else(|| ValueError {
                        field: Some(field.name.clone()),
                        message: format!("is required ({})", field.kind),
                    })
                };
                self.fields.iter().map(field).collect()
            }
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Err(ValueError::whole(format!("must be an object with {}", names())))
            }
        }
    }

    /// The values of encoded data. Anything but the one canonical encoding is refused, so that equal values always have
    /// equal bytes.
    pub fn decode(&self, data: &[u8]) -> Result<Vec<ClaimValue>, ValueError> {
        let wrong = || ValueError::whole(format!("is not the ABI encoding of ({})", self.text));
        if data.len() > Self::VALUE_LENGTH_MAX.saturating_mul(self.fields.len()) {
            return Err(wrong());
        }
        let kinds: Vec<ParamType> = self.fields.iter().map(|field| field.kind.clone()).collect();
        let tokens = decode(&kinds, data).map_err(|_| wrong())?;
        let texts: Vec<String> = tokens.into_iter().map(text_of).collect();
        if self.encode(&texts.iter().map(String::as_str).collect()).as_deref() != Ok(data) {
            return Err(wrong());
        }
        let values = self.fields.iter().zip(texts).map(|(field, value)| ClaimValue {
            key: field.name.clone(),
            value,
        });
        Ok(values.collect())
    }
}

impl Field {
    fn parse(part: &str, place: usize) -> Result<Self, ShapeError> {
        let mut words = part.split_whitespace();
        let kind = words.next().ok_or(ShapeError::Count)?;
        let name = words.next().map_or_else(|| format!("arg{place}"), str::to_owned);
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !letters || name.len() > ClaimShape::NAME_LENGTH_MAX || words.next().is_some() {
            return Err(ShapeError::Name(part.trim().to_owned()));
        }
        let kind = kind_of(kind).ok_or_else(|| ShapeError::Kind(kind.to_owned()))?;
        Ok(Self { kind, name })
    }
}

fn kind_of(word: &str) -> Option<ParamType> {
    let bits = |digits: &str| match digits {
        "" => Some(256),
        _ if digits.starts_with('0') => None,
        _ => digits
            .parse()
            .ok()
            .filter(|bits: &usize| *bits <= 256 && bits.is_multiple_of(8)),
    };
    match word {
        "address" => Some(ParamType::Address),
        "bool" => Some(ParamType::Bool),
        "string" => Some(ParamType::String),
        "bytes" => Some(ParamType::Bytes),
        _ => {
            if let Some(digits) = word.strip_prefix("uint") {
                return bits(digits).map(ParamType::Uint);
            }
            if let Some(digits) = word.strip_prefix("int") {
                return bits(digits).map(ParamType::Int);
            }
            let length: usize = word.strip_prefix("bytes")?.parse().ok()?;
            let plain = (1..=32).contains(&length) && word == format!("bytes{length}");
            plain.then_some(ParamType::FixedBytes(length))
        }
    }
}

fn token(kind: &ParamType, value: &Value) -> Result<Token, String> {
    match kind {
        ParamType::Address => Address::parse(string(value)?)
            .map(|address| Token::Address(H160(*address.as_bytes())))
            .map_err(|error| error.to_string()),
        ParamType::Bool => match (value, value.as_str()) {
            (Value::Bool(flag), _) => Ok(Token::Bool(*flag)),
            (_, Some("true")) => Ok(Token::Bool(true)),
            (_, Some("false")) => Ok(Token::Bool(false)),
            _ => Err("must be true or false".to_owned()),
        },
        ParamType::String => Ok(Token::String(string(value)?.to_owned())),
        ParamType::Bytes => Ok(Token::Bytes(hex(value)?)),
        ParamType::FixedBytes(length) => match hex(value)? {
            bytes if bytes.len() == *length => Ok(Token::FixedBytes(bytes)),
            _ => Err(format!("must be 0x and {} hex digits", length.saturating_mul(2))),
        },
        ParamType::Uint(bits) => unsigned(&digits(value)?, *bits).map(Token::Uint),
        ParamType::Int(bits) => signed(&digits(value)?, *bits).map(Token::Int),
        // `Field::parse` makes none of these.
        ParamType::Array(_) | ParamType::FixedArray(..) | ParamType::Tuple(_) => {
            Err("has a type that claims do not use".to_owned())
        }
    }
}

fn string(value: &Value) -> Result<&str, String> {
    match value.as_str() {
        Some(text) if text.len() <= ClaimShape::VALUE_LENGTH_MAX => Ok(text),
        Some(_) => Err(format!("must be at most {} bytes", ClaimShape::VALUE_LENGTH_MAX)),
        None => Err("must be a string".to_owned()),
    }
}

fn hex(value: &Value) -> Result<Vec<u8>, String> {
    let digits = string(value)?.strip_prefix("0x");
    let bytes = digits.and_then(|d| data_encoding::HEXLOWER_PERMISSIVE.decode(d.as_bytes()).ok());
    bytes.ok_or_else(|| "must be 0x and an even number of hex digits".to_owned())
}

/// The largest whole number that every JSON reader keeps exactly, 2^53 − 1.
const JSON_NUMBER_MAX: u64 = (1 << 53) - 1;

fn digits(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) if number.as_i64().is_some_and(|n| n.unsigned_abs() <= JSON_NUMBER_MAX) => {
            Ok(number.to_string())
        }
        Value::Number(_) => Err("must be a digit string: a JSON number is exact below 2^53 only".to_owned()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err("must be a digit string".to_owned()),
    }
}

fn unsigned(text: &str, bits: usize) -> Result<U256, String> {
    let amount = Amount::parse(text).map_err(|error| error.to_string())?;
    let number = U256::from_big_endian(&amount.to_be_bytes());
    if number.bits() > bits {
        return Err(format!("must be at most 2^{bits}-1"));
    }
    Ok(number)
}

fn signed(text: &str, bits: usize) -> Result<U256, String> {
    let number =
        I256::from_dec_str(text).map_err(|_| "must be a string of digits, with or without a sign".to_owned())?;
    // What is left of the number beside its sign must fit into one bit less.
    let magnitude = if number.is_negative() { !number } else { number };
    if magnitude.into_raw().bits() >= bits {
        return Err(format!("must fit into {bits} bits with its sign"));
    }
    Ok(number.into_raw())
}

fn text_of(token: Token) -> String {
    let hex = |bytes: &[u8]| format!("0x{}", data_encoding::HEXLOWER.encode(bytes));
    match token {
        Token::Address(address) => Address::from_bytes(address.0).to_string(),
        Token::Bool(flag) => flag.to_string(),
        Token::String(text) => text,
        Token::Bytes(bytes) | Token::FixedBytes(bytes) => hex(&bytes),
        Token::Uint(number) => number.to_string(),
        Token::Int(number) => I256::from_raw(number).to_string(),
        Token::Array(_) | Token::FixedArray(_) | Token::Tuple(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn round_trip(shape: &str, values: Value) -> Result<Vec<String>, ValueError> {
        let shape = ClaimShape::parse(shape).unwrap();
        let data = shape.encode(&values)?;
        Ok(shape.decode(&data)?.into_iter().map(|value| value.value).collect())
    }

    #[test]
    fn collateral_is_sixty_four_bytes_an_amount_and_a_time() {
        let shape = ClaimShape::parse("uint256 amount,uint256 expiryTimestamp").unwrap();

        let data = shape
            .encode(&json!({ "expiryTimestamp": 1_900_000_000, "amount": "1000" }))
            .unwrap();

        assert!(shape.is_amount_with_expiry());
        assert_eq!(shape.as_str(), "uint256 amount, uint256 expiryTimestamp");
        assert_eq!(data.len(), 64);
        assert_eq!((data[30], data[31]), (3, 232));
        let decoded = shape.decode(&data).unwrap();
        assert_eq!((decoded[0].key.as_str(), decoded[0].value.as_str()), ("amount", "1000"));
        assert_eq!(
            (decoded[1].key.as_str(), decoded[1].value.as_str()),
            ("expiryTimestamp", "1900000000")
        );
    }

    #[test]
    fn every_elementary_type_reads_back_as_text() {
        let shape = "string, bool, bool, address, uint8, int16, bytes4, bytes";
        let values = json!([
            "é",
            true,
            "false",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            255,
            "-32768",
            "0xdeadBEEF",
            "0x"
        ]);
        let texts = [
            "é",
            "true",
            "false",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "255",
            "-32768",
            "0xdeadbeef",
            "0x",
        ];

        assert_eq!(round_trip(shape, values).unwrap(), texts);
    }

    #[test]
    fn numbers_are_refused_just_outside_their_type() {
        for (shape, inside, outside) in [
            ("uint8", "255", "256"),
            ("uint64", "18446744073709551615", "18446744073709551616"),
            ("int8", "127", "128"),
            ("int8", "-128", "-129"),
        ] {
            assert_eq!(round_trip(shape, json!([inside])).unwrap(), [inside], "{shape}");
            assert!(round_trip(shape, json!([outside])).is_err(), "{shape} {outside}");
        }
        assert_eq!(
            round_trip("uint256", json!([Amount::MAX.to_string()])).unwrap(),
            [Amount::MAX.to_string()]
        );
        assert!(round_trip("uint256", json!([9_007_199_254_740_991_u64])).is_ok());
        assert!(round_trip("uint256", json!([9_007_199_254_740_992_u64])).is_err());
        assert!(round_trip("uint256", json!([1.5])).is_err());
        assert!(round_trip("uint8", json!(["-1"])).is_err());
    }

    #[test]
    fn missing_unknown_and_mistyped_fields_are_named() {
        let shape = ClaimShape::parse("string claim, uint8 level").unwrap();
        let field = |values: Value| shape.encode(&values).unwrap_err().field;

        assert_eq!(field(json!({ "claim": "yes" })).as_deref(), Some("level"));
        assert_eq!(field(json!({ "claim": 1, "level": 1 })).as_deref(), Some("claim"));
        assert_eq!(field(json!({ "claim": "yes", "level": 1, "more": 1 })), None);
        assert_eq!(field(json!(["yes"])), None);
        assert_eq!(field(json!("yes")), None);
    }

    #[test]
    fn only_elementary_types_make_a_shape() {
        for text in [
            "", "string,", "uint7", "uint0", "uint08", "uint264", "bytes0", "bytes33", "bytes01", "(string)",
            "string[]",
        ] {
            assert!(ClaimShape::parse(text).is_err(), "{text}");
        }
        assert!(ClaimShape::parse("string a, string a").is_err());
        assert!(ClaimShape::parse("string a b").is_err());
        assert!(ClaimShape::parse(&["bool"; 16].join(",")).is_ok());
        assert!(ClaimShape::parse(&["bool"; 17].join(",")).is_err());
        assert!(
            !ClaimShape::parse("uint256 amount, uint8 expiryTimestamp")
                .unwrap()
                .is_amount_with_expiry()
        );
    }

    #[test]
    fn data_that_is_not_the_canonical_encoding_is_refused() {
        let shape = ClaimShape::parse("string claim").unwrap();
        let good = shape.encode(&json!(["verified"])).unwrap();
        let longer = [good.clone(), vec![0; 32]].concat();
        let mut padded = good.clone();
        *padded.last_mut().unwrap() = 1;

        assert!(shape.decode(&good).is_ok());
        for data in [longer, padded, Vec::new(), vec![0xff; 64]] {
            assert!(shape.decode(&data).is_err());
        }
        let small = ClaimShape::parse("uint8 level").unwrap();
        assert!(small.decode(&Amount::from(255).to_be_bytes()).is_ok());
        assert!(small.decode(&Amount::from(256).to_be_bytes()).is_err());
    }
}
