use std::fmt;

use serde::Serialize;

use super::node::At;
use crate::error::Issue;

/// Something wrong in a rule, at a place of a file or of a JSON value; becomes a [`PolicyError`] or an [`Issue`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub at: At,
    /// Characters into the text at `at`, when the fault is inside it.
    pub inside: Option<usize>,
    pub code: &'static str,
    pub message: String,
    /// What would have been right, when that is a short list.
    pub known: Vec<String>,
}

impl Problem {
    pub fn new(at: &At, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            at: at.clone(),
            inside: None,
            code,
            message: message.into(),
            known: Vec::new(),
        }
    }

    pub fn knowing(mut self, known: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.known = known.into_iter().map(Into::into).collect();
        self
    }

    pub fn inside(mut self, characters: usize) -> Self {
        self.inside = Some(characters);
        self
    }

    pub fn into_issue(self) -> Issue {
        let path = match self.at {
            At::Path(path) => path,
            At::Bytes(_) => Vec::new(),
        };
        let known = if self.known.is_empty() {
            String::new()
        } else {
            format!(" (known: {})", self.known.join(", "))
        };
        let column = self
            .inside
            .map(|inside| format!(" (column {})", inside.saturating_add(1)))
            .unwrap_or_default();
        Issue {
            path,
            code: self.code,
            message: format!("{}{column}{known}", self.message),
        }
    }
}

/// Why a folder of policies does not load: one fault, where it is, and what would have been right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyError {
    /// Relative to the folder of policies, with forward slashes.
    pub file: String,
    /// From 1; 0 when the fault is the file as a whole (it cannot be read, it is missing).
    pub line: usize,
    /// From 1, in characters; 0 with `line`.
    pub column: usize,
    pub message: String,
    /// The line as it stands in the file.
    pub excerpt: String,
    /// The alternatives, for a misspelt key or name.
    pub known: Vec<String>,
}

impl PolicyError {
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            excerpt: String::new(),
            known: Vec::new(),
        }
    }

    pub(crate) fn at(file: &str, text: &str, byte: usize, message: impl Into<String>) -> Self {
        let (line, column, excerpt) = position(text, byte);
        Self {
            line,
            column,
            excerpt,
            ..Self::of_file(file, message)
        }
    }

    pub(crate) fn from_problem(file: &str, text: &str, problem: Problem) -> Self {
        let byte = match &problem.at {
            At::Bytes(span) => problem
                .inside
                .and_then(|inside| byte_inside(text, span.start, span.end, inside))
                .unwrap_or(span.start),
            At::Path(_) => 0,
        };
        Self {
            known: problem.known,
            ..Self::at(file, text, byte, problem.message)
        }
    }
}

impl std::error::Error for PolicyError {}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)?;
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
            let margin = " ".repeat(self.line.to_string().len());
            let caret = " ".repeat(self.column.saturating_sub(1));
            write!(
                f,
                "\n {margin} |\n {} | {}\n {margin} | {caret}^",
                self.line, self.excerpt
            )?;
        }
        if !self.known.is_empty() {
            write!(f, "\n   known here: {}", self.known.join(", "))?;
        }
        Ok(())
    }
}

/// Line and column of a byte, both from 1 and the column in characters, and the line's text.
pub(crate) fn position(text: &str, byte: usize) -> (usize, usize, String) {
    let before = text.get(..byte.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let column = before
        .get(line_start..)
        .unwrap_or_default()
        .chars()
        .count()
        .saturating_add(1);
    let excerpt = text
        .get(line_start..)
        .unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default();
    (line, column, excerpt.to_owned())
}

/// The byte of the `inside`-th character of a quoted text; none when escapes make the two differ.
fn byte_inside(text: &str, start: usize, end: usize, inside: usize) -> Option<usize> {
    let quoted = text.get(start..end)?;
    if quoted.contains('\\') || quoted.starts_with("\"\"\"") || quoted.starts_with("'''") {
        return None;
    }
    let body = quoted.get(1..)?;
    let offset = body
        .char_indices()
        .nth(inside)
        .map_or(body.len().saturating_sub(1), |(byte, _)| byte);
    start.checked_add(1)?.checked_add(offset)
}
