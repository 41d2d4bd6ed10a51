//! Calldata, results, logs and reverts by the JSON of an ABI: written for tests, apart from the program's own bindings,
//! so that neither can hide the other's mistake.
//!
//! Values are JSON: an address or bytes as hexadecimal text, a number as a JSON number or as text (decimal or `0x`), a
//! tuple as an array. Decoded numbers are decimal text, decoded addresses carry their checksum.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::collections::HashMap;
use std::path::Path;

use moneyer::types::{Address, keccak256};
use ruint::aliases::U256;
use serde_json::{Value, json};

const WORD: usize = 32;

#[derive(Clone, Debug)]
enum Type {
    Uint,
    Address,
    Bool,
    FixedBytes(usize),
    Bytes,
    Text,
    List(Box<Type>),
    Tuple(Vec<Type>),
}

#[derive(Clone, Debug)]
pub struct Function {
    pub signature: String,
    inputs: Vec<Type>,
    outputs: Vec<Type>,
}

#[derive(Clone, Debug)]
struct Event {
    name: String,
    inputs: Vec<(Type, bool)>,
}

#[derive(Clone, Debug, Default)]
pub struct Abi {
    pub bytecode: String,
    constructor: Vec<Type>,
    /// By name and by signature; the first of a name has the name.
    functions: HashMap<String, Function>,
    errors: HashMap<String, (String, Vec<Type>)>,
    events: HashMap<String, Event>,
}

impl Abi {
    /// One of our own contracts.
    pub fn of(contract: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::read(&root.join(format!("contracts/artifacts/{contract}.json")))
    }

    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&serde_json::from_str(&text).unwrap())
    }

    /// An artifact: an object with `abi` and `bytecode`.
    pub fn parse(artifact: &Value) -> Self {
        let mut abi = Self {
            bytecode: artifact["bytecode"].as_str().unwrap().to_owned(),
            ..Self::default()
        };
        for entry in artifact["abi"].as_array().unwrap() {
            abi.add(entry);
        }
        abi
    }

    fn add(&mut self, entry: &Value) {
        let name = entry["name"].as_str().unwrap_or_default();
        let inputs = types_of(&entry["inputs"]);
        let signature = format!("{name}{}", signature_of(&entry["inputs"]));
        match entry["type"].as_str().unwrap() {
            "constructor" => self.constructor = inputs,
            "error" => {
                self.errors.insert(selector(&signature), (name.to_owned(), inputs));
            }
            "event" => {
                let indexed = entry["inputs"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|input| input["indexed"] == json!(true));
                let event = Event {
                    name: name.to_owned(),
                    inputs: inputs.into_iter().zip(indexed).collect(),
                };
                self.events.insert(keccak256(signature.as_bytes()).to_string(), event);
            }
            "function" => {
                let outputs = types_of(&entry["outputs"]);
                let function = Function {
                    signature: signature.clone(),
                    inputs,
                    outputs,
                };
                self.functions
                    .entry(name.to_owned())
                    .or_insert_with(|| function.clone());
                self.functions.insert(signature, function);
            }
            _ => {}
        }
    }

    /// Every function once.
    pub fn signatures(&self) -> Vec<&str> {
        let signatures = self.functions.iter().filter(|(name, _)| name.contains('('));
        let mut signatures: Vec<&str> = signatures.map(|(_, function)| function.signature.as_str()).collect();
        signatures.sort_unstable();
        signatures
    }

    fn function(&self, name: &str) -> &Function {
        self.functions.get(name).unwrap_or_else(|| panic!("no function {name}"))
    }

    /// The creation code with its arguments.
    pub fn creation(&self, arguments: &Value) -> String {
        format!("{}{}", self.bytecode, to_hex(&encode_all(&self.constructor, arguments)))
    }

    pub fn calldata(&self, function: &str, arguments: &Value) -> String {
        let function = self.function(function);
        format!(
            "{}{}",
            selector(&function.signature),
            to_hex(&encode_all(&function.inputs, arguments))
        )
    }

    /// A single result is itself, several are an array, none is null.
    pub fn result(&self, function: &str, data: &str) -> Value {
        let values = decode_all(&self.function(function).outputs, &from_hex(data));
        match values.as_slice() {
            [] => Value::Null,
            [single] => single.clone(),
            _ => Value::Array(values),
        }
    }

    /// A revert as `Name(value, value)`: the contract's own errors, `Error(text)` and `Panic(code)`.
    pub fn revert(&self, data: &str) -> String {
        let own = data.get(..10).and_then(|selector| self.errors.get(selector));
        let (name, types) = match (own, data.get(..10)) {
            (Some((name, types)), _) => (name.as_str(), types.clone()),
            (None, Some("0x08c379a0")) => ("Error", vec![Type::Text]),
            (None, Some("0x4e487b71")) => ("Panic", vec![Type::Uint]),
            (None, _) => return format!("unknown revert {data}"),
        };
        let values = decode_all(&types, &from_hex(data.get(10..).unwrap()));
        let texts: Vec<String> = values.iter().map(plain).collect();
        format!("{name}({})", texts.join(", "))
    }

    /// A log as `Name(value, value)`, or nothing when the event is not in this ABI. An indexed text is its hash.
    pub fn event(&self, log: &Value) -> Option<String> {
        let topics: Vec<&str> = log["topics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|topic| topic.as_str().unwrap())
            .collect();
        let event = self.events.get(*topics.first()?)?;
        let unindexed: Vec<Type> = event
            .inputs
            .iter()
            .filter(|(_, indexed)| !indexed)
            .map(|(t, _)| t.clone())
            .collect();
        let mut data = decode_all(&unindexed, &from_hex(log["data"].as_str().unwrap())).into_iter();
        let mut topics = topics.into_iter().skip(1);

        let texts: Vec<String> = event
            .inputs
            .iter()
            .map(|(kind, indexed)| match (indexed, kind) {
                (false, _) => plain(&data.next().unwrap()),
                (true, Type::Uint | Type::Address | Type::Bool | Type::FixedBytes(_)) => {
                    plain(&decode(kind, &from_hex(topics.next().unwrap()), 0))
                }
                // What does not fit a topic is there as its hash.
                (true, _) => topics.next().unwrap().to_owned(),
            })
            .collect();
        Some(format!("{}({})", event.name, texts.join(", ")))
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first four bytes of a signature's hash.
pub fn selector(signature: &str) -> String {
    let hash = keccak256(signature.as_bytes()).to_string();
    hash.get(..10).unwrap().to_owned()
}

fn types_of(parameters: &Value) -> Vec<Type> {
    // `receive` and `fallback` have none.
    let parameters = parameters.as_array().into_iter().flatten();
    parameters
        .map(|parameter| type_of(parameter["type"].as_str().unwrap(), parameter))
        .collect()
}

fn type_of(text: &str, parameter: &Value) -> Type {
    if let Some(item) = text.strip_suffix("[]") {
        return Type::List(Box::new(type_of(item, parameter)));
    }
    match text {
        "address" => Type::Address,
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "string" => Type::Text,
        "tuple" => Type::Tuple(types_of(&parameter["components"])),
        _ if text.starts_with("uint") => Type::Uint,
        _ => match text.strip_prefix("bytes").and_then(|length| length.parse().ok()) {
            Some(length) => Type::FixedBytes(length),
            None => panic!("type {text} is not known here"),
        },
    }
}

fn signature_of(parameters: &Value) -> String {
    let name = |parameter: &Value| {
        let text = parameter["type"].as_str().unwrap();
        match text.strip_prefix("tuple") {
            Some(suffix) => format!("{}{suffix}", signature_of(&parameter["components"])),
            None => text.to_owned(),
        }
    };
    let names: Vec<String> = parameters.as_array().into_iter().flatten().map(name).collect();
    format!("({})", names.join(","))
}

// --- encoding -------------------------------------------------------------------------------------------------------

impl Type {
    fn is_dynamic(&self) -> bool {
        match self {
            Type::Bytes | Type::Text | Type::List(_) => true,
            Type::Tuple(fields) => fields.iter().any(Type::is_dynamic),
            Type::Uint | Type::Address | Type::Bool | Type::FixedBytes(_) => false,
        }
    }

    /// Bytes in the head of what contains it.
    fn head_size(&self) -> usize {
        match self {
            Type::Tuple(fields) if !self.is_dynamic() => fields.iter().map(Type::head_size).sum(),
            _ => WORD,
        }
    }
}

fn encode_all(types: &[Type], values: &Value) -> Vec<u8> {
    let values = values.as_array().unwrap();
    assert_eq!(types.len(), values.len(), "arguments: {values:?}");
    let mut head = Vec::new();
    let mut tail = Vec::new();
    let head_size: usize = types.iter().map(Type::head_size).sum();
    for (kind, value) in types.iter().zip(values) {
        let encoded = encode(kind, value);
        if kind.is_dynamic() {
            head.extend(word(U256::from(head_size + tail.len())));
            tail.extend(encoded);
        } else {
            head.extend(encoded);
        }
    }
    head.extend(tail);
    head
}

/// `abi.encode` of values of these types.
pub fn encode_values(types: &[&str], values: &Value) -> Vec<u8> {
    let types: Vec<Type> = types.iter().map(|kind| type_of(kind, &Value::Null)).collect();
    encode_all(&types, values)
}

fn encode(kind: &Type, value: &Value) -> Vec<u8> {
    match kind {
        Type::Uint | Type::Address => word(uint(value)).to_vec(),
        Type::Bool => word(U256::from(u8::from(value.as_bool().unwrap()))).to_vec(),
        Type::FixedBytes(length) => {
            let bytes = from_hex(value.as_str().unwrap());
            assert_eq!(bytes.len(), *length);
            padded(bytes)
        }
        Type::Bytes => with_length(from_hex(value.as_str().unwrap())),
        Type::Text => with_length(value.as_str().unwrap().as_bytes().to_vec()),
        Type::List(item) => {
            let items = value.as_array().unwrap();
            let types = vec![item.as_ref().clone(); items.len()];
            let mut encoded = word(U256::from(items.len())).to_vec();
            encoded.extend(encode_all(&types, value));
            encoded
        }
        Type::Tuple(fields) => encode_all(fields, value),
    }
}

fn uint(value: &Value) -> U256 {
    match value {
        Value::Number(number) => U256::from(number.as_u64().unwrap()),
        Value::String(text) => text.parse().unwrap_or_else(|_| panic!("not a number: {text}")),
        other => panic!("not a number: {other}"),
    }
}

fn word(number: U256) -> [u8; WORD] {
    number.to_be_bytes()
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().div_ceil(WORD) * WORD, 0);
    bytes
}

fn with_length(bytes: Vec<u8>) -> Vec<u8> {
    let mut encoded = word(U256::from(bytes.len())).to_vec();
    encoded.extend(padded(bytes));
    encoded
}

// --- decoding -------------------------------------------------------------------------------------------------------

fn decode_all(types: &[Type], data: &[u8]) -> Vec<Value> {
    let mut at = 0;
    let values = types.iter().map(|kind| {
        let start = if kind.is_dynamic() { size_at(data, at) } else { at };
        at += kind.head_size();
        decode(kind, data, start)
    });
    values.collect()
}

fn decode(kind: &Type, data: &[u8], at: usize) -> Value {
    match kind {
        Type::Uint => json!(U256::from_be_slice(&data[at..at + WORD]).to_string()),
        Type::Address => {
            let lower = to_hex(&data[at + 12..at + WORD]);
            json!(Address::parse(&format!("0x{lower}")).unwrap().to_string())
        }
        Type::Bool => json!(data[at + WORD - 1] == 1),
        Type::FixedBytes(length) => json!(format!("0x{}", to_hex(&data[at..at + length]))),
        Type::Bytes => json!(format!("0x{}", to_hex(counted(data, at)))),
        Type::Text => json!(String::from_utf8_lossy(counted(data, at))),
        Type::List(item) => {
            let types = vec![item.as_ref().clone(); size_at(data, at)];
            json!(decode_all(&types, &data[at + WORD..]))
        }
        Type::Tuple(fields) => json!(decode_all(fields, &data[at..])),
    }
}

fn size_at(data: &[u8], at: usize) -> usize {
    U256::from_be_slice(&data[at..at + WORD]).to()
}

fn counted(data: &[u8], at: usize) -> &[u8] {
    &data[at + WORD..at + WORD + size_at(data, at)]
}

pub fn to_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

pub fn from_hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.trim_start_matches("0x").as_bytes())
        .unwrap()
}
