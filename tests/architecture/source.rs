//! A Rust file as the architecture rules see it: tokens without comments, strings and tests; paths with `use` groups
//! spelled out and `self`/`super` resolved; functions with their length. It reads text and knows no types, so a name
//! made by a macro escapes it.

use super::tokens::{Token, is_word, lex};

pub struct Source {
    /// From the root of the repository: `src/ledger/store.rs`.
    pub path: String,
    pub text: String,
    /// Everything, tests included.
    pub all_tokens: Vec<Token>,
    /// What the program is made of: without `#[cfg(test)]` items.
    pub tokens: Vec<Token>,
    /// Lines outside `#[cfg(test)]` items.
    pub code_lines: usize,
}

/// One path as the program would write it in full, like `crate::db::schema`.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    pub name: String,
    pub line: usize,
    pub in_attribute: bool,
}

pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let all_tokens = lex(text);
        let (tokens, test_lines) = without_tests(&all_tokens);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code_lines: text.lines().count().saturating_sub(test_lines),
            all_tokens,
            tokens,
        }
    }

    /// The module of section 3 this file belongs to; `None` for `lib.rs`, which belongs to none.
    pub fn module(&self) -> Option<String> {
        let inside = self.path.strip_prefix("src/")?;
        let name = inside.split('/').next()?.trim_end_matches(".rs");
        (name != "lib").then(|| name.to_owned())
    }

    pub fn is_in(&self, modules: &[&str]) -> bool {
        self.module().is_some_and(|module| modules.contains(&module.as_str()))
    }

    /// Files that exist only for tests: `#[cfg(test)] mod name;` names them.
    pub fn test_files(&self) -> Vec<String> {
        let folder = match self.path.trim_end_matches(".rs").rsplit_once('/') {
            Some((folder, "mod" | "lib" | "main")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let words: Vec<&str> = self.all_tokens.iter().map(|token| token.text.as_str()).collect();
        words
            .windows(CFG_TEST.len() + 3)
            .filter(|seen| seen.starts_with(CFG_TEST) && seen[7] == "mod" && seen[9] == ";")
            .flat_map(|seen| {
                [
                    format!("{folder}/{}.rs", seen[8]),
                    format!("{folder}/{}/mod.rs", seen[8]),
                ]
            })
            .collect()
    }

    pub fn drop_code(&mut self) {
        self.tokens.clear();
        self.code_lines = 0;
    }

    pub fn paths(&self) -> Vec<Path> {
        let mut reader = PathReader {
            tokens: &self.tokens,
            module: self.module_path(),
            inline: Vec::new(),
            found: Vec::new(),
        };
        reader.read();
        reader.found
    }

    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (at, pair) in self.tokens.windows(2).enumerate() {
            if pair[0].text != "fn" || !is_word(&pair[1].text) {
                continue;
            }
            if let Some(end) = body_end(&self.tokens, at) {
                let lines = self.tokens[end].line - pair[0].line + 1;
                functions.push(Function {
                    name: pair[1].text.clone(),
                    line: pair[0].line,
                    lines,
                });
            }
        }
        functions
    }

    fn module_path(&self) -> Vec<String> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut segments: Vec<String> = inside.split('/').map(str::to_owned).collect();
        if matches!(segments.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            segments.pop();
        }
        segments
    }
}

// --- tests ----------------------------------------------------------------------------------------------------------

const CFG_TEST: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]"];

/// The tokens outside `#[cfg(test)]` items, and the number of lines inside them.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, usize) {
    let mut kept = Vec::new();
    let mut test_lines = 0;
    let mut at = 0;
    while at < tokens.len() {
        if starts_with(&tokens[at..], CFG_TEST) {
            let end = item_end(tokens, at);
            test_lines += tokens[end].line - tokens[at].line + 1;
            at = end + 1;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    (kept, test_lines)
}

fn starts_with(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.text == *word)
}

/// The last token of the item whose attributes start at `at`.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while starts_with(&tokens[at..], &["#", "["]) {
        at = closing(tokens, at + 1) + 1;
    }
    if starts_with(&tokens[at..], &["pub", "("]) {
        at = closing(tokens, at + 1) + 1;
    }
    // A field, variant or arm ends at a comma; in an item a comma only separates its parameters.
    const ITEMS: &[&str] = &[
        "mod",
        "fn",
        "use",
        "struct",
        "enum",
        "impl",
        "trait",
        "const",
        "static",
        "type",
        "let",
        "async",
        "extern",
        "macro_rules",
        "pub",
    ];
    let is_item = tokens.get(at).is_some_and(|token| ITEMS.contains(&token.text.as_str()));
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" => return closing(tokens, at),
            "(" | "[" => at = closing(tokens, at),
            ";" => return at,
            "," if !is_item => return at,
            _ => {}
        }
        at += 1;
    }
    tokens.len() - 1
}

/// The bracket that closes the one at `open`, whatever its kind.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// The closing brace of the function at `start`; `None` for a declaration without a body.
fn body_end(tokens: &[Token], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match tokens.get(at)?.text.as_str() {
            "{" => return Some(closing(tokens, at)),
            "(" | "[" => at = closing(tokens, at),
            ";" => return None,
            _ => {}
        }
        at += 1;
    }
}

// --- paths ----------------------------------------------------------------------------------------------------------

struct PathReader<'a> {
    tokens: &'a [Token],
    module: Vec<String>,
    /// Inline modules around the current token: name and the token that closes it.
    inline: Vec<(String, usize)>,
    found: Vec<Path>,
}

impl PathReader<'_> {
    fn read(&mut self) {
        let mut attribute_end = 0;
        let mut at = 0;
        while at < self.tokens.len() {
            self.inline.retain(|(_, end)| at < *end);
            if starts_with(&self.tokens[at..], &["#", "["]) || starts_with(&self.tokens[at..], &["#", "!", "["]) {
                attribute_end = item_attribute_end(self.tokens, at);
            }
            at = match self.word(at) {
                "use" if self.word(at + 1) != "<" => self.read_use(at + 1, ""),
                "mod" if self.word(at + 2) == "{" => {
                    self.inline
                        .push((self.word(at + 1).to_owned(), closing(self.tokens, at + 2)));
                    at + 3
                }
                word if is_word(word) && self.word(at + 1) == "::" && self.starts_path(at) => {
                    self.read_inline(at, at < attribute_end)
                }
                _ => at + 1,
            };
        }
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    /// Not the middle of a path; `::std` after anything but a path is a start too.
    fn starts_path(&self, at: usize) -> bool {
        match at {
            0 => true,
            1 => true,
            _ => self.word(at - 1) != "::" || !(is_word(self.word(at - 2)) || self.word(at - 2) == ">"),
        }
    }

    fn read_inline(&mut self, start: usize, in_attribute: bool) -> usize {
        let mut name = self.word(start).to_owned();
        let mut at = start + 1;
        while self.word(at) == "::" && is_word(self.word(at + 1)) {
            name = format!("{name}::{}", self.word(at + 1));
            at += 2;
        }
        self.add(&name, start, in_attribute);
        at
    }

    /// One branch of a `use` tree; returns the first token after it.
    fn read_use(&mut self, start: usize, prefix: &str) -> usize {
        let mut name = prefix.to_owned();
        let mut at = start;
        loop {
            match self.word(at) {
                "::" => at += 1,
                "{" => return self.read_use_group(at, &name),
                word if is_word(word) || word == "*" => {
                    name = if name.is_empty() {
                        word.to_owned()
                    } else {
                        format!("{name}::{word}")
                    };
                    at += 1;
                    if self.word(at) != "::" {
                        break;
                    }
                }
                _ => return at + 1,
            }
        }
        self.add(&name, at - 1, false);
        if self.word(at) == "as" { at + 2 } else { at }
    }

    fn read_use_group(&mut self, open: usize, prefix: &str) -> usize {
        let close = closing(self.tokens, open);
        let mut at = open + 1;
        while at < close {
            at = if self.word(at) == "," {
                at + 1
            } else {
                self.read_use(at, prefix)
            };
        }
        close + 1
    }

    fn add(&mut self, name: &str, at: usize, in_attribute: bool) {
        let name = self.resolve(name.trim_end_matches("::self"));
        self.found.push(Path {
            name,
            line: self.tokens[at].line,
            in_attribute,
        });
    }

    /// `super::rules` in `src/ledger/store.rs` is `crate::ledger::rules`.
    fn resolve(&self, name: &str) -> String {
        if !name.starts_with("self::") && !name.starts_with("super::") {
            return name.to_owned();
        }
        let mut module = self.module.clone();
        module.extend(self.inline.iter().map(|(name, _)| name.clone()));
        let mut rest = Vec::new();
        for segment in name.split("::") {
            match segment {
                "self" => {}
                "super" => drop(module.pop()),
                _ => rest.push(segment.to_owned()),
            }
        }
        [vec!["crate".to_owned()], module, rest].concat().join("::")
    }
}

fn item_attribute_end(tokens: &[Token], at: usize) -> usize {
    let open = if tokens[at + 1].text == "!" { at + 2 } else { at + 1 };
    closing(tokens, open)
}
