use super::{Expression, ExpressionError, Token, parse_infix};
use crate::policy::topic::Topic;

/// Infix text. Words are `and`, `or`, `not` in any case, everything else that looks like a name is a topic, which
/// `resolve` looks up; its error is the message.
pub(super) fn parse_text(
    text: &str,
    resolve: &mut dyn FnMut(&str) -> Result<Topic, String>,
) -> Result<Expression, ExpressionError> {
    let end = text.chars().count();
    if end > Expression::TEXT_MAX {
        return Err(ExpressionError::new(
            Expression::TEXT_MAX,
            format!("is longer than {} characters", Expression::TEXT_MAX),
        ));
    }
    parse_infix(&tokens(text, resolve)?, end)
}

fn tokens(
    text: &str,
    resolve: &mut dyn FnMut(&str) -> Result<Topic, String>,
) -> Result<Vec<(usize, Token)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().enumerate().peekable();
    while let Some((at, character)) = characters.next() {
        let token = match character {
            ' ' | '\t' | '\n' | '\r' => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            _ if in_word(character) => {
                let mut word = String::from(character);
                while let Some((_, more)) = characters.next_if(|(_, next)| in_word(*next)) {
                    word.push(more);
                }
                word_token(&word, resolve).map_err(|message| ExpressionError::new(at, message))?
            }
            _ => {
                return Err(ExpressionError::new(
                    at,
                    format!("has the character {character:?}, which means nothing"),
                ));
            }
        };
        tokens.push((at, token));
    }
    Ok(tokens)
}

fn in_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
}

fn word_token(word: &str, resolve: &mut dyn FnMut(&str) -> Result<Topic, String>) -> Result<Token, String> {
    match word.to_ascii_lowercase().as_str() {
        "and" => Ok(Token::And),
        "or" => Ok(Token::Or),
        "not" => Ok(Token::Not),
        _ => resolve(word).map(Token::Topic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TopicName;

    fn parse(text: &str) -> Result<Expression, ExpressionError> {
        parse_text(text, &mut |word| Ok(Topic::Named(TopicName::parse(word).unwrap())))
    }

    fn canonical(text: &str) -> String {
        parse(text).unwrap().to_string()
    }

    #[test]
    fn expressions_are_read_with_not_tightest_and_parentheses_between_and_and_or() {
        assert_eq!(canonical("kyc"), "kyc");
        assert_eq!(canonical("(kyc AND aml) Or qii"), "(kyc and aml) or qii");
        assert_eq!(canonical("kyc and aml and  not pep"), "kyc and aml and not pep");
        assert_eq!(canonical("not not kyc"), "kyc");
        assert_eq!(canonical("not (kyc and not aml)"), "not kyc or aml");
        assert_eq!(canonical("((kyc))"), "kyc");
    }

    #[test]
    fn what_is_not_one_expression_is_refused_with_its_column() {
        let cases = [
            ("", 0, "empty"),
            ("   ", 0, "empty"),
            ("(kyc and aml", 0, "never closed"),
            ("kyc and aml)", 11, "closes nothing"),
            ("kyc aml", 4, "expected between two topics"),
            ("kyc and aml or qii", 12, "add parentheses"),
            ("kyc and", 7, "ends where"),
            ("and kyc", 0, "is expected here"),
            ("kyc not aml", 4, "expected between"),
            ("kyc & aml", 4, "means nothing"),
            ("()", 1, "is expected here"),
            ("not", 3, "ends where"),
            ("kyc or not kyc", 0, "everyone would pass"),
            ("kyc and not kyc", 0, "nobody could pass"),
        ];

        for (text, at, part) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text}: {}", error.message);
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
    }

    #[test]
    fn size_limits_hold_just_inside_and_just_outside() {
        let all = |count: usize| (0..count).map(|n| format!("t{n}")).collect::<Vec<_>>().join(" and ");
        assert!(parse(&all(15)).is_ok());
        assert!(parse(&all(16)).unwrap_err().message.contains("at most 15"));

        let nested = |depth: usize| format!("{}kyc{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(20)).is_ok());
        assert!(parse(&nested(21)).unwrap_err().message.contains("deeper than 20"));
        assert!(
            parse(&"(".repeat(3000))
                .unwrap_err()
                .message
                .contains("longer than 2000")
        );
    }

    #[test]
    fn implication_follows_the_truth_table() {
        let implies = |a: &str, b: &str| parse(a).unwrap().implies(&parse(b).unwrap());

        assert!(implies("kyc and aml", "kyc"));
        assert!(implies("kyc", "kyc or aml"));
        assert!(implies("kyc and aml", "aml and kyc"));
        assert!(!implies("kyc", "kyc and aml"));
        assert!(!implies("kyc or aml", "kyc"));
        assert!(implies("kyc and not pep", "kyc"));
        assert!(!implies("not pep", "kyc"));
    }
}
