use super::{Expression, ExpressionError};
use crate::policy::topic::Topic;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Topic(Topic),
    And,
    Or,
    Not,
    Open,
    Close,
}

/// Tokens in infix order, each with its place. `end` is the place just after the last one.
pub(super) fn parse_infix(tokens: &[(usize, Token)], end: usize) -> Result<Expression, ExpressionError> {
    check_length(tokens)?;
    let mut parser = Infix {
        tokens,
        next: 0,
        end,
        depth: 0,
    };
    let expression = parser.group()?;
    match parser.peek() {
        None => expression.check_meaning(),
        Some((at, Token::Close)) => Err(ExpressionError::new(*at, "unbalanced: this ')' closes nothing")),
        Some((at, _)) => Err(ExpressionError::new(*at, EXPECTED_OPERATOR)),
    }
}

/// Tokens in postfix order, as the reference's contract stores them: NOT takes one operand, AND and OR take two, and
/// exactly one result is left at the end.
pub(super) fn parse_postfix(tokens: &[(usize, Token)]) -> Result<Expression, ExpressionError> {
    check_length(tokens)?;
    let mut stack: Vec<Expression> = Vec::new();
    for (at, token) in tokens {
        let short = || ExpressionError::new(*at, "unbalanced: this operator has too few operands before it");
        let result = match token {
            Token::Topic(topic) => Expression::Has(topic.clone()),
            Token::Not => stack.pop().ok_or_else(short)?.negated(),
            Token::And | Token::Or => {
                let right = stack.pop().ok_or_else(short)?;
                let left = stack.pop().ok_or_else(short)?;
                let parts = vec![left, right];
                if *token == Token::And {
                    Expression::All(parts)
                } else {
                    Expression::Any(parts)
                }
            }
            Token::Open | Token::Close => {
                return Err(ExpressionError::new(
                    *at,
                    "ambiguous: postfix notation has no parentheses",
                ));
            }
        };
        stack.push(result);
    }
    match (stack.pop(), stack.is_empty()) {
        (Some(expression), true) => expression.check_meaning(),
        (Some(_) | None, _) => {
            let last = tokens.last().map_or(0, |(at, _)| *at);
            Err(ExpressionError::new(
                last,
                "unbalanced: more than one result is left, an operator is missing",
            ))
        }
    }
}

const EXPECTED_OPERATOR: &str =
    "ambiguous: 'and' or 'or' expected between two topics (a postfix list must say notation = \"postfix\")";

fn check_length(tokens: &[(usize, Token)]) -> Result<(), ExpressionError> {
    if tokens.is_empty() {
        return Err(ExpressionError::new(0, "is empty: name at least one claim topic"));
    }
    match tokens.get(Expression::TOKENS_MAX) {
        Some((at, _)) => Err(ExpressionError::new(
            *at,
            format!("is longer than {} tokens", Expression::TOKENS_MAX),
        )),
        None => Ok(()),
    }
}

struct Infix<'t> {
    tokens: &'t [(usize, Token)],
    next: usize,
    end: usize,
    depth: usize,
}

impl<'t> Infix<'t> {
    fn peek(&self) -> Option<&'t (usize, Token)> {
        self.tokens.get(self.next)
    }

    fn advance(&mut self) {
        self.next = self.next.saturating_add(1);
    }

    /// Operands joined by one kind of operator, up to a `)` or the end.
    fn group(&mut self) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.operand()?];
        let mut operator: Option<&Token> = None;
        while let Some((at, token)) = self.peek() {
            match (token, operator) {
                (Token::Close, _) => break,
                (Token::And | Token::Or, Some(first)) if first != token => {
                    let message = "ambiguous: 'and' and 'or' side by side, add parentheses";
                    return Err(ExpressionError::new(*at, message));
                }
                (Token::And | Token::Or, _) => operator = Some(token),
                (Token::Topic(_) | Token::Not | Token::Open, _) => {
                    return Err(ExpressionError::new(*at, EXPECTED_OPERATOR));
                }
            }
            self.advance();
            parts.push(self.operand()?);
        }
        Ok(match operator {
            Some(Token::Or) => Expression::Any(parts),
            Some(_) => Expression::All(parts),
            None => parts.swap_remove(0),
        })
    }

    /// A topic or a group in parentheses, with any number of `not` before it.
    fn operand(&mut self) -> Result<Expression, ExpressionError> {
        let mut negated = false;
        while let Some((_, Token::Not)) = self.peek() {
            negated = !negated;
            self.advance();
        }
        let Some((at, token)) = self.peek() else {
            return Err(ExpressionError::new(self.end, "ends where a topic or '(' is expected"));
        };
        self.advance();
        let expression = match token {
            Token::Topic(topic) => Expression::Has(topic.clone()),
            Token::Open => self.closed_group(*at)?,
            Token::And | Token::Or | Token::Not | Token::Close => {
                return Err(ExpressionError::new(*at, "unbalanced: a topic or '(' is expected here"));
            }
        };
        Ok(if negated { expression.negated() } else { expression })
    }

    fn closed_group(&mut self, opened_at: usize) -> Result<Expression, ExpressionError> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > Expression::DEPTH_MAX {
            let message = format!("is nested deeper than {} parentheses", Expression::DEPTH_MAX);
            return Err(ExpressionError::new(opened_at, message));
        }
        let expression = self.group()?;
        match self.peek() {
            Some((_, Token::Close)) => self.advance(),
            Some((_, Token::Topic(_) | Token::And | Token::Or | Token::Not | Token::Open)) | None => {
                return Err(ExpressionError::new(opened_at, "unbalanced: this '(' is never closed"));
            }
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(expression)
    }
}
