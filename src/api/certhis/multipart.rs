//! `multipart/form-data` (RFC 7578) as a list of texts: this dialect has no files. The whole body is in memory already,
//! within its bound.

/// Of a body: names and values in their order. None when it is not of that form.
pub(super) fn fields(content_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    let boundary = boundary(content_type)?;
    let delimiter = format!("--{boundary}");
    let mut rest = after(body, delimiter.as_bytes())?;
    let between = format!("\r\n{delimiter}");
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(fields);
        }
        let part = rest.strip_prefix(b"\r\n")?;
        let end = find(part, between.as_bytes())?;
        let (content, remaining) = part.split_at_checked(end)?;
        fields.push(field(content)?);
        rest = remaining.get(between.len()..)?;
    }
}

/// RFC 2046 section 5.1.1: 1 to 70 characters, with or without quotes.
fn boundary(content_type: &str) -> Option<String> {
    let value = parameter(content_type, "boundary")?;
    ((1..=70).contains(&value.len()) && value.is_ascii()).then_some(value)
}

/// `name` among `; name=value; other="value"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    let parameters = header.split(';').skip(1);
    let mut values = parameters.filter_map(|parameter| {
        let (key, value) = parameter.trim().split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    });
    let value = values.next()?;
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(unquoted.unwrap_or(value).to_owned())
}

/// Headers, an empty line, the value.
fn field(part: &[u8]) -> Option<(String, String)> {
    let end = find(part, b"\r\n\r\n")?;
    let (headers, value) = part.split_at_checked(end)?;
    let headers = std::str::from_utf8(headers).ok()?;
    let disposition = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let value = std::str::from_utf8(value.get(4..)?).ok()?;
    Some((parameter(disposition, "name")?, value.to_owned()))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// What follows the first delimiter; before it there is nothing, or lines that nobody reads (RFC 2046).
fn after<'t>(text: &'t [u8], delimiter: &[u8]) -> Option<&'t [u8]> {
    if let Some(rest) = text.strip_prefix(delimiter) {
        return Some(rest);
    }
    let with_line = [b"\r\n", delimiter].concat();
    text.get(find(text, &with_line)?.checked_add(with_line.len())?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=----x";

    fn pairs(fields: Option<Vec<(String, String)>>) -> Vec<(String, String)> {
        fields.unwrap()
    }

    #[test]
    fn the_fields_of_a_form_are_read_in_their_order() {
        let body = "------x\r\nContent-Disposition: form-data; name=\"wallet\"\r\n\r\n0x01\r\n------x\r\n\
                    content-disposition: form-data; name=\"text\"\r\nContent-Type: text/plain\r\n\r\na\r\nb --\r\n\r\n------x--\r\n";

        let fields = pairs(fields(TYPE, body.as_bytes()));

        let expected = [("wallet", "0x01"), ("text", "a\r\nb --\r\n")];
        assert_eq!(
            fields,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn a_form_without_fields_and_lines_before_the_first_are_fine() {
        assert!(pairs(fields(TYPE, b"------x--")).is_empty());
        let body = b"nobody reads this\r\n------x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n------x--";
        assert_eq!(pairs(fields(TYPE, body)), [("a".to_owned(), String::new())]);
        assert!(fields("multipart/form-data; boundary=\"----x\"", b"------x--").is_some());
    }

    #[test]
    fn what_is_cut_off_or_has_no_boundary_is_refused() {
        let whole = "------x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n------x--";
        assert!(fields(TYPE, whole.as_bytes()).is_some());
        for length in 0..whole.len() {
            assert!(fields(TYPE, &whole.as_bytes()[..length]).is_none(), "{length}");
        }
        assert!(fields("multipart/form-data", whole.as_bytes()).is_none());
        assert!(fields("multipart/form-data; boundary=other", whole.as_bytes()).is_none());
        let nameless = "------x\r\nContent-Type: text/plain\r\n\r\nb\r\n------x--";
        assert!(fields(TYPE, nameless.as_bytes()).is_none());
        let binary = b"------x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n------x--";
        assert!(fields(TYPE, binary).is_none());
    }
}
