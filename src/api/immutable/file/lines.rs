//! The lines of a file of mint requests, as CSV or as JSON lines.

use std::io;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::api::immutable::mint_request::{MintAsset, request_of};
use crate::api::json;
use crate::collection::{FileLine, LineRefusal, Metadata, NewMintFile, NewMintRequest};
use crate::error::{Error, Issue};

/// The fields of a wish that have a column of their own, and after them those of what its token shows.
const COLUMNS: [&str; 5] = ["reference_id", "owner_address", "token_id", "amount", "metadata"];
const TEXTS: [&str; 6] = [
    "name",
    "description",
    "image",
    "external_url",
    "animation_url",
    "youtube_url",
];
/// One more than there can be: then one of them is wrong.
const COLUMNS_READ_MAX: usize = COLUMNS.len() + TEXTS.len() + 1;
/// Of a line: metadata of 16 KiB fits with all that stands beside it, even where each é is written as \u00e9. What is longer
/// is read no further: a line of many small parts takes much more memory than its bytes.
const LINE_BYTES_MAX: usize = 64 * 1_024;
/// Characters of a column's name that an error repeats.
const COLUMN_LENGTH_MAX: usize = 50;

#[derive(Clone, Copy)]
pub(super) enum Form {
    Csv,
    JsonLines,
}

impl Form {
    pub fn of(request: &HttpRequest) -> Result<Self, Error> {
        let header = request.headers().get(CONTENT_TYPE);
        let text = header.and_then(|value| value.to_str().ok()).unwrap_or("");
        match text
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase()
            .as_str()
        {
            "text/csv" => Ok(Self::Csv),
            "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => Ok(Self::JsonLines),
            _ => Err(Error::invalid(
                "Content-Type",
                "must be text/csv, or application/x-ndjson for JSON lines",
            )),
        }
    }

    /// Each line of the file alone: one that is wrong is a refusal among the others. Errors: `Invalid` for a file that cannot be
    /// read at all.
    pub fn lines(self, bytes: &[u8]) -> Result<Vec<FileLine>, Error> {
        match self {
            Self::Csv => csv_lines(bytes),
            Self::JsonLines => json_lines(bytes),
        }
    }
}

fn too_many() -> Error {
    let message = format!("must have 1 to {} lines", NewMintFile::LINES_MAX);
    Error::Invalid(vec![Issue::new("", "range", message)])
}

fn too_long(line: i32) -> Error {
    let message = format!("line {line} has more than {LINE_BYTES_MAX} bytes, or a quote in it has no end");
    Error::Invalid(vec![Issue::new("", "range", message)])
}

fn json_lines(bytes: &[u8]) -> Result<Vec<FileLine>, Error> {
    let mut lines = Vec::new();
    for (line, text) in (1_i32..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if lines.len() == NewMintFile::LINES_MAX {
            return Err(too_many());
        }
        if text.len() > LINE_BYTES_MAX {
            return Err(too_long(line));
        }
        lines.push(line_of(line, json::parse::<MintAsset>(text)));
    }
    Ok(lines)
}

/// With a first line that names the columns; those nobody knows are an error, so that no misspelt one is lost.
fn csv_lines(bytes: &[u8]) -> Result<Vec<FileLine>, Error> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(Bounded::of(bytes));
    let wrong = |error: csv::Error| match error.is_io_error() {
        true => too_long(1),
        false => Error::invalid("", error.to_string()),
    };
    let names = reader.headers().map_err(wrong)?.iter();
    let columns: Vec<String> = names.take(COLUMNS_READ_MAX).map(str::to_owned).collect();
    check_columns(&columns)?;
    let mut lines = Vec::new();
    let mut record = csv::StringRecord::new();
    let mut places = Places::of(bytes);
    while let Some(place) = next_record(&mut reader, &mut record, &mut places)? {
        if lines.len() == NewMintFile::LINES_MAX {
            return Err(too_many());
        }
        let asset = match place.found {
            Ok(()) => asset_of(&columns, &record).and_then(|value| {
                let text = value.to_string();
                json::parse::<MintAsset>(text.as_bytes())
            }),
            Err(error) => Err(Error::invalid("", error.to_string())),
        };
        lines.push(line_of(place.line, asset));
    }
    Ok(lines)
}

fn check_columns(columns: &[String]) -> Result<(), Error> {
    let wrong = |code, message: String| Err(Error::Invalid(vec![Issue::new("", code, message)]));
    let is_known = |name: &str| COLUMNS.contains(&name) || TEXTS.contains(&name);
    for (place, name) in columns.iter().enumerate() {
        let shown: String = name.chars().take(COLUMN_LENGTH_MAX).collect();
        if !is_known(name) {
            return wrong("unsupported", format!("no such column: {shown}"));
        }
        if columns.iter().take(place).any(|before| before == name) {
            return wrong("duplicate", format!("two columns are named {shown}"));
        }
    }
    for required in ["reference_id", "owner_address"] {
        if !columns.iter().any(|name| name == required) {
            let message = format!("the first line must name the columns, {required} among them");
            return Err(Error::Invalid(vec![Issue::new(required, "required", message)]));
        }
    }
    Ok(())
}

struct Read {
    line: i32,
    found: Result<(), csv::Error>,
}

fn next_record(
    reader: &mut csv::Reader<Bounded<'_>>,
    record: &mut csv::StringRecord,
    places: &mut Places<'_>,
) -> Result<Option<Read>, Error> {
    let begin = reader.position().byte();
    reader.get_mut().allow_a_line();
    let found = reader.read_record(record);
    if matches!(found, Ok(false)) {
        return Ok(None);
    }
    let line = places.line_of(begin);
    let is_endless = found.as_ref().is_err_and(csv::Error::is_io_error);
    if is_endless || places.text_until(reader.position().byte()).len() > LINE_BYTES_MAX {
        return Err(too_long(line));
    }
    let found = found.map(|_| ());
    Ok(Some(Read { line, found }))
}

/// The bytes of a file, as far as the line that is being read may go: what follows is an error.
struct Bounded<'b> {
    bytes: &'b [u8],
    left: usize,
}

impl<'b> Bounded<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        let mut bounded = Self { bytes, left: 0 };
        bounded.allow_a_line();
        bounded
    }

    /// Twice its bytes, for the ends of lines before it, which do not count.
    const fn allow_a_line(&mut self) {
        self.left = LINE_BYTES_MAX.saturating_mul(2);
    }
}

impl io::Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.bytes.is_empty() {
            return Err(io::Error::other("the line is too long"));
        }
        let count = buffer.len().min(self.left);
        let (now, _) = buffer.split_at_mut(count);
        let count = self.bytes.read(now)?;
        self.left = self.left.saturating_sub(count);
        Ok(count)
    }
}

/// In which line of a file a byte stands, asked from front to back. The reader counts LF alone; lines also end with CR, or
/// with both.
struct Places<'b> {
    bytes: &'b [u8],
    counted: usize,
    line: i32,
}

impl<'b> Places<'b> {
    const fn of(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            counted: 0,
            line: 1,
        }
    }

    /// Of the first byte from there on that ends no line: a record begins after what is left of the line before.
    fn line_of(&mut self, byte: u64) -> i32 {
        let start = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(here) = self.bytes.get(self.counted) {
            let next = self.counted.saturating_add(1);
            let ends = match here {
                b'\n' => true,
                b'\r' => self.bytes.get(next) != Some(&b'\n'),
                _ => false,
            };
            if self.counted >= start && !matches!(here, b'\n' | b'\r') {
                break;
            }
            self.counted = next;
            self.line = self.line.saturating_add(i32::from(ends));
        }
        self.line
    }

    /// From where the last question led to, without the end of the line.
    fn text_until(&self, byte: u64) -> &'b [u8] {
        let end = usize::try_from(byte).unwrap_or(usize::MAX).min(self.bytes.len());
        let text = self.bytes.get(self.counted..end).unwrap_or_default();
        let ends = text.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r'));
        let length = text.len().saturating_sub(ends.count());
        text.get(..length).unwrap_or_default()
    }
}

/// As it would stand in a request; what is empty is left out.
fn asset_of(columns: &[String], record: &csv::StringRecord) -> Result<Value, Error> {
    if record.len() > columns.len() {
        return Err(Error::invalid("", "has more fields than there are columns"));
    }
    let (mut asset, mut texts) = (serde_json::Map::new(), serde_json::Map::new());
    let mut metadata = Value::Null;
    for (name, text) in columns.iter().zip(record).filter(|(_, text)| !text.is_empty()) {
        match name.as_str() {
            "metadata" => {
                metadata = serde_json::from_str(text)
                    .map_err(|error| Error::invalid("metadata", format!("is not JSON: {error}")))?;
            }
            name if TEXTS.contains(&name) => {
                texts.insert(name.to_owned(), Value::from(text));
            }
            name => {
                asset.insert(name.to_owned(), Value::from(text));
            }
        }
    }
    match (&mut metadata, texts.is_empty()) {
        (_, true) => {}
        (Value::Object(fields), false) => fields.extend(texts),
        (Value::Null, false) => metadata = Value::Object(texts),
        // No object: refused for that, rather than lost.
        (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_), false) => {}
    }
    asset.insert("metadata".to_owned(), metadata);
    Ok(Value::Object(asset))
}

fn line_of(line: i32, asset: Result<MintAsset, Error>) -> FileLine {
    let reference = asset.as_ref().ok().map(|asset| asset.reference().to_owned());
    let wish = asset.and_then(|asset| request_of(0, asset)).and_then(bounded);
    let wish = wish.map_err(|error| LineRefusal::new(line, reference.as_deref(), &told(&error)));
    FileLine { line, wish }
}

/// Here already, for what waits in memory and in its part; the mint itself is refused for the same reason.
fn bounded(wish: NewMintRequest) -> Result<NewMintRequest, Error> {
    let size = wish.metadata.as_ref().map_or(0, Metadata::size_bytes);
    if size > Metadata::SIZE_BYTES_MAX {
        let message = format!("must be at most {} bytes, is {size}", Metadata::SIZE_BYTES_MAX);
        return Err(Error::Invalid(vec![Issue::new("metadata", "range", message)]));
    }
    Ok(wish)
}

/// Without the place in a list that the line is not in.
fn told(error: &Error) -> String {
    let Error::Invalid(issues) = error else {
        return error.to_string();
    };
    let told = issues.iter().map(|issue| {
        let path = issue.path.join(".");
        let path = path.strip_prefix("assets.0.").unwrap_or(&path).to_owned();
        format!("{path} {}", issue.message).trim().to_owned()
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OWNER: &str = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";

    fn reasons(lines: &[FileLine]) -> Vec<(i32, String)> {
        let refused = lines.iter().filter_map(|one| one.wish.as_ref().err());
        refused.map(|one| (one.line, one.reason.clone())).collect()
    }

    #[test]
    fn lines_of_both_forms_are_the_same_wishes() {
        let csv = format!(
            "reference_id,owner_address,token_id,name,metadata\n\
             a,{OWNER},7,Sword,\n\
             \"b, \"\"x\"\"\",{OWNER},,Axe,\"{{\"\"image\"\":\"\"i\"\"}}\"\n"
        );
        let json = [
            json!({ "reference_id": "a", "owner_address": OWNER, "token_id": "7", "metadata": { "name": "Sword" } }),
            json!({ "reference_id": "b, \"x\"", "owner_address": OWNER, "metadata": { "name": "Axe", "image": "i" } }),
        ];
        let json = json.map(|one| one.to_string()).join("\n");

        let (of_csv, of_json) = (csv_lines(csv.as_bytes()).unwrap(), json_lines(json.as_bytes()).unwrap());

        let wishes = |lines: &[FileLine]| lines.iter().map(|one| one.wish.clone().unwrap()).collect::<Vec<_>>();
        assert_eq!(wishes(&of_csv), wishes(&of_json));
        assert_eq!(of_csv.iter().map(|one| one.line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(of_json.iter().map(|one| one.line).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_line_is_counted_whatever_ends_it() {
        for end in ["\n", "\r\n", "\r"] {
            let csv = ["reference_id,owner_address", "a,0x1", "", "b,0x2", "c,0x3", ""].join(end);

            let lines = csv_lines(csv.as_bytes()).unwrap();

            let numbers: Vec<i32> = reasons(&lines).into_iter().map(|(line, _)| line).collect();
            assert_eq!(numbers, [2, 4, 5], "{end:?}");
        }
    }

    #[test]
    fn a_line_that_is_wrong_is_refused_alone_with_its_reason() {
        let csv = format!(
            "reference_id,owner_address,token_id\na,{OWNER},1\nb,0x12,2\n,{OWNER},3\nd,{OWNER},4,5\ne,{OWNER}\n"
        );

        let lines = csv_lines(csv.as_bytes()).unwrap();

        assert_eq!(lines.len(), 5);
        let reasons = reasons(&lines);
        assert_eq!(reasons.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(reasons[0].1.starts_with("owner_address "), "{reasons:?}");
        assert!(reasons[1].1.starts_with("reference_id "), "{reasons:?}");
    }

    #[test]
    fn metadata_that_is_no_object_is_refused_whatever_columns_stand_beside_it() {
        for (metadata, is_taken) in [("", true), ("null", true), ("{}", true), ("[]", false), ("7", false)] {
            for name in ["", "Sword"] {
                let csv = format!("reference_id,owner_address,metadata,name\na,{OWNER},{metadata},{name}\n");

                let lines = csv_lines(csv.as_bytes()).unwrap();

                assert_eq!(lines[0].wish.is_ok(), is_taken, "{metadata:?} {name:?}");
                let told = reasons(&lines)
                    .into_iter()
                    .all(|(_, reason)| reason.contains("expected an object"));
                assert!(told, "{lines:?}");
            }
        }
    }

    #[test]
    fn a_file_without_its_columns_or_with_unknown_ones_is_refused() {
        for text in [
            "",
            "a,b\n1,2\n",
            "reference_id\nx\n",
            "reference_id,owner_address,name,name\n",
            "reference_id,owner_address,colour\n",
        ] {
            assert!(matches!(csv_lines(text.as_bytes()), Err(Error::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_a_part_of_it() {
        let long = "x".repeat(10_000);
        let csv = format!("reference_id,owner_address\n{long},{OWNER}\n{long},{long}\n");
        let lines = csv_lines(csv.as_bytes()).unwrap();
        let refusals: Vec<&LineRefusal> = lines.iter().filter_map(|one| one.wish.as_ref().err()).collect();

        assert_eq!(refusals.len(), 2);
        for refusal in refusals {
            assert_eq!(refusal.reference.as_ref().map(String::len), Some(255));
            assert!(
                refusal.reason.len() <= LineRefusal::REASON_LENGTH_MAX,
                "{}",
                refusal.reason
            );
        }
        for columns in [
            long.clone(),
            format!("reference_id,owner_address,{long}"),
            "name,".repeat(10_000),
        ] {
            let Err(Error::Invalid(issues)) = csv_lines(columns.as_bytes()) else {
                panic!("taken")
            };
            assert!(issues[0].message.len() < 100, "{issues:?}");
        }
    }

    /// A wish of so many bytes in all, most of them in a field that nobody knows.
    fn json_of(length: usize) -> String {
        let frame = json!({ "reference_id": "a", "owner_address": OWNER, "x": "" }).to_string();
        let filled = json!({ "reference_id": "a", "owner_address": OWNER, "x": "x".repeat(length - frame.len()) });
        filled.to_string()
    }

    #[test]
    fn a_line_of_64_kib_is_read_and_no_longer_one() {
        let is_told = |lines: Result<Vec<FileLine>, Error>, line: &str| {
            let Err(Error::Invalid(issues)) = lines else {
                return false;
            };
            issues[0].message.starts_with(line)
        };
        for (length, is_taken) in [(65_535, true), (65_536, true), (65_537, false), (1_000_000, false)] {
            for end in ["\n", "\r\n", "\r"] {
                let line = format!("{},{OWNER}", "x".repeat(length - OWNER.len() - 1));
                let good = format!("a,{OWNER}");
                let csv = ["reference_id,owner_address", &good, "", &line, &good, ""].join(end);
                let lines = csv_lines(csv.as_bytes());
                match is_taken {
                    true => assert_eq!(lines.unwrap().len(), 3, "{length} {end:?}"),
                    false => assert!(is_told(lines, "line 4 has"), "{length} {end:?}"),
                }
            }
            let lines = json_lines(format!("{}\n{}\r\n", json_of(200), json_of(length)).as_bytes());
            match length {
                65_535 => assert!(lines.unwrap().iter().all(|one| one.wish.is_ok())),
                // JSON lines end with LF: a CR before it counts.
                _ => assert!(is_told(lines, "line 2 has"), "{length}"),
            }
        }
        let lines = json_lines(format!("{}\n", json_of(65_536)).as_bytes());
        assert!(lines.unwrap()[0].wish.is_ok());
    }

    #[test]
    fn a_line_of_commas_is_read_no_further_than_its_bound() {
        let commas = ",".repeat(8 * 1_024 * 1_024);
        for csv in [
            commas.clone(),
            format!("reference_id,owner_address\n{commas}\n"),
            format!("reference_id,owner_address\n\"{commas}\n"),
        ] {
            let Err(Error::Invalid(issues)) = csv_lines(csv.as_bytes()) else {
                panic!("taken")
            };
            assert!(issues[0].message.contains("more than 65536 bytes"), "{issues:?}");
        }
        // Of what fits in a line the names are looked at.
        let short = csv_lines(",".repeat(65_536).as_bytes());
        assert!(short.is_err_and(|error| error.to_string().contains("no such column")));
    }

    #[test]
    fn metadata_of_16_kib_is_taken_and_no_more() {
        let frame = Metadata {
            name: Some(String::new()),
            ..Metadata::default()
        };
        for (size, is_taken) in [(16_383, true), (16_384, true), (16_385, false)] {
            let name = "n".repeat(size - frame.size_bytes());
            let csv = format!("reference_id,owner_address,name\na,{OWNER},{name}\nb,{OWNER},x\n");
            let json = json!({ "reference_id": "a", "owner_address": OWNER, "metadata": { "name": name } }).to_string();
            for lines in [csv_lines(csv.as_bytes()), json_lines(json.as_bytes())] {
                let lines = lines.unwrap();
                assert_eq!(lines[0].wish.is_ok(), is_taken, "{size}");
                assert!(lines.iter().skip(1).all(|one| one.wish.is_ok()), "the others are taken");
                if let Err(refusal) = &lines[0].wish {
                    assert_eq!(refusal.reference.as_deref(), Some("a"));
                    assert_eq!(refusal.reason, "metadata must be at most 16384 bytes, is 16385");
                }
            }
        }
    }

    #[test]
    fn a_hundred_thousand_lines_are_taken_and_no_more() {
        let line = json!({ "reference_id": "a", "owner_address": OWNER }).to_string() + "\n";
        let most = line.repeat(NewMintFile::LINES_MAX);

        assert_eq!(json_lines(most.as_bytes()).unwrap().len(), NewMintFile::LINES_MAX);
        assert!(json_lines((most + &line).as_bytes()).is_err());
    }
}
