//! The words and signs of a Rust text, without its comments.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// A word, a lifetime, `::`, or one sign; a string or character literal is `""`.
    pub text: String,
    pub line: usize,
}

pub fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

pub fn lex(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::new();
    while let Some(c) = lexer.peek(0) {
        let line = lexer.line;
        let text = match c {
            _ if c.is_whitespace() => lexer.skip(1),
            '/' if lexer.peek(1) == Some('/') => lexer.skip_line(),
            '/' if lexer.peek(1) == Some('*') => lexer.skip_block_comment(),
            '"' => lexer.string(0),
            '\'' => lexer.quote(),
            ':' if lexer.peek(1) == Some(':') => lexer.take(2),
            _ if c.is_alphanumeric() || c == '_' => lexer.word_or_raw_string(),
            _ => lexer.take(1),
        };
        if !text.is_empty() {
            tokens.push(Token { text, line });
        }
    }
    tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

const LITERAL: &str = "\"\"";

/// Each method moves on and returns the token's text; an empty one is no token.
impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn take(&mut self, count: usize) -> String {
        let end = (self.at + count).min(self.chars.len());
        let text: String = self.chars[self.at..end].iter().collect();
        self.line += text.matches('\n').count();
        self.at = end;
        text
    }

    fn skip(&mut self, count: usize) -> String {
        self.take(count);
        String::new()
    }

    fn skip_line(&mut self) -> String {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.skip(1);
        }
        String::new()
    }

    fn skip_block_comment(&mut self) -> String {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return String::new(),
                _ => {
                    self.skip(1);
                    continue;
                }
            }
            self.skip(2);
            if depth == 0 {
                return String::new();
            }
        }
    }

    /// At the opening quote; `hashes` signs close a raw string, in which a backslash means itself.
    fn raw_string(&mut self, hashes: usize) -> String {
        self.skip(1);
        while let Some(c) = self.peek(0) {
            let closes = c == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#'));
            self.skip(if closes { 1 + hashes } else { 1 });
            if closes {
                break;
            }
        }
        LITERAL.to_owned()
    }

    fn string(&mut self, prefix: usize) -> String {
        self.skip(prefix + 1);
        while let Some(c) = self.peek(0) {
            self.skip(if c == '\\' { 2 } else { 1 });
            if c == '"' {
                break;
            }
        }
        LITERAL.to_owned()
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) -> String {
        if self.peek(1) == Some('\\') {
            self.skip(3);
            while self.peek(0).is_some_and(|c| c != '\'') {
                self.skip(1);
            }
            self.skip(1);
            return LITERAL.to_owned();
        }
        if self.peek(2) == Some('\'') {
            self.skip(3);
            return LITERAL.to_owned();
        }
        self.take(1) + &self.word()
    }

    fn word(&mut self) -> String {
        let length = (0..)
            .take_while(|ahead| self.peek(*ahead).is_some_and(|c| c.is_alphanumeric() || c == '_'))
            .count();
        self.take(length)
    }

    fn word_or_raw_string(&mut self) -> String {
        let word = self.word();
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        match word.as_str() {
            "r" | "br" | "cr" if self.peek(hashes) == Some('"') => {
                self.skip(hashes);
                self.raw_string(hashes)
            }
            _ => word,
        }
    }
}
