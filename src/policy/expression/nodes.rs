use super::{Expression, ExpressionError, Token, parse_infix, parse_postfix, parse_text};
use crate::policy::definitions::Definitions;
use crate::policy::node::{Node, Raw};
use crate::policy::parameter::{Form, Parameter};
use crate::policy::problem::Problem;
use crate::policy::reader::{Fields, Reader, TopicWords};
use crate::policy::topic::Topic;
use crate::types::{Amount, TopicName};

/// The reference's expression node; `value` counts for a topic only.
const NODE: &[Parameter] = &[
    Parameter::required("nodeType", Form::Count, "0 TOPIC, 1 AND, 2 OR, 3 NOT"),
    Parameter::optional("value", Form::Text, "the topic, as its number in digits or its name"),
];

/// Reads an expression in any of its writings. `notation` is the node that says `infix` or `postfix`; without it a
/// list is infix.
pub(crate) fn read(node: &Node, notation: Option<&Node>, reader: &mut Reader<'_>) -> Option<Expression> {
    let postfix = notation.is_some_and(|notation| is_postfix(notation, reader));
    match &node.value {
        Raw::Text(text) if postfix => {
            let message = "ambiguous: a text is infix, postfix notation is for lists of nodes";
            reader.problem(Problem::new(&node.at, "format", message).inside(text.chars().count()));
            None
        }
        Raw::Text(text) => read_text(node, text, reader),
        Raw::List(items) => read_list(node, items, postfix, reader),
        Raw::Integer(_) | Raw::Boolean(_) | Raw::Date(_) | Raw::Table(_) | Raw::Other(_) => {
            reader.wrong_type(node, "an expression such as \"kyc and aml\", or a list of nodes");
            None
        }
    }
}

fn is_postfix(notation: &Node, reader: &mut Reader<'_>) -> bool {
    match &notation.value {
        Raw::Text(word) if word == "postfix" => true,
        Raw::Text(word) if word == "infix" => false,
        Raw::Text(_)
        | Raw::Integer(_)
        | Raw::Boolean(_)
        | Raw::Date(_)
        | Raw::List(_)
        | Raw::Table(_)
        | Raw::Other(_) => {
            let problem = Problem::new(&notation.at, "unknown", "must be \"infix\" or \"postfix\"");
            reader.problem(problem.knowing(["infix", "postfix"]));
            false
        }
    }
}

fn read_text(node: &Node, text: &str, reader: &mut Reader<'_>) -> Option<Expression> {
    let (definitions, words) = (reader.definitions, reader.topics);
    let mut unknown = false;
    let parsed = parse_text(text, &mut |word| {
        resolve(word, definitions, words).inspect_err(|_| unknown = true)
    });
    let ExpressionError { at, message } = match parsed {
        Ok(expression) => return Some(expression),
        Err(error) => error,
    };
    let problem = Problem::new(&node.at, if unknown { "unknown" } else { "format" }, message).inside(at);
    let known: Vec<&String> = if unknown {
        definitions.topics.keys().collect()
    } else {
        Vec::new()
    };
    reader.problem(problem.knowing(known));
    None
}

fn read_list(node: &Node, items: &[Node], postfix: bool, reader: &mut Reader<'_>) -> Option<Expression> {
    let before = reader.problem_count();
    let tokens: Vec<(usize, Token)> = items
        .iter()
        .take(Expression::TOKENS_MAX.saturating_add(1))
        .enumerate()
        .filter_map(|(index, item)| token(item, reader).map(|token| (index, token)))
        .collect();
    if reader.problem_count() > before {
        return None;
    }
    let parsed = if postfix {
        parse_postfix(&tokens)
    } else {
        parse_infix(&tokens, items.len())
    };
    let ExpressionError { at, message } = match parsed {
        Ok(expression) => return Some(expression),
        Err(error) => error,
    };
    let place = items.get(at).map_or(&node.at, |item| &item.at);
    reader.problem(Problem::new(place, "format", format!("node {at}: {message}")));
    None
}

fn token(item: &Node, reader: &mut Reader<'_>) -> Option<Token> {
    match &item.value {
        Raw::Text(text) if text == "(" => return Some(Token::Open),
        Raw::Text(text) if text == ")" => return Some(Token::Close),
        Raw::Text(_) | Raw::Integer(_) | Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Other(_) => {
            reader.wrong_type(item, "a node {nodeType, value}, \"(\" or \")\"");
            return None;
        }
        Raw::Table(_) => {}
    }
    let fields = Fields::open(item, NODE, reader)?;
    let node_type = fields.get("nodeType")?;
    match &node_type.value {
        Raw::Text(digit) | Raw::Integer(digit) => match digit.as_str() {
            "0" => return topic(item, fields.get("value"), reader).map(Token::Topic),
            "1" => return Some(Token::And),
            "2" => return Some(Token::Or),
            "3" => return Some(Token::Not),
            _ => {}
        },
        Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {}
    }
    let problem = Problem::new(
        &node_type.at,
        "unknown",
        "must be 0 (TOPIC), 1 (AND), 2 (OR) or 3 (NOT)",
    );
    reader.problem(problem.knowing(["0", "1", "2", "3"]));
    None
}

fn topic(item: &Node, value: Option<&Node>, reader: &mut Reader<'_>) -> Option<Topic> {
    let Some(value) = value else {
        reader.problem(Problem::new(&item.at, "required", "a topic node needs its value"));
        return None;
    };
    match &value.value {
        Raw::Text(word) | Raw::Integer(word) => {
            let (definitions, words) = (reader.definitions, reader.topics);
            let resolved = resolve(word, definitions, words);
            resolved
                .map_err(|message| {
                    let problem = Problem::new(&value.at, "unknown", message);
                    reader.problem(problem.knowing(definitions.topics.keys()));
                })
                .ok()
        }
        Raw::Boolean(_) | Raw::Date(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => {
            reader.wrong_type(value, "a topic's number in digits, or its name");
            None
        }
    }
}

fn resolve(word: &str, definitions: &Definitions, words: TopicWords) -> Result<Topic, String> {
    if let Some(topic) = definitions.topics.get(word) {
        return Ok(Topic::Named(topic.name.clone()));
    }
    match words {
        TopicWords::Defined => Err(format!("unknown topic `{word}`")),
        TopicWords::Registered if word.bytes().all(|b| b.is_ascii_digit()) => numbered(word, definitions),
        TopicWords::Registered => TopicName::parse(word)
            .map(Topic::Named)
            .map_err(|error| format!("the topic `{word}` {error}")),
    }
}

fn numbered(digits: &str, definitions: &Definitions) -> Result<Topic, String> {
    let number = Amount::parse(digits).map_err(|error| format!("the topic number {error}"))?;
    if number.is_zero() {
        return Err("the topic number must not be zero".to_owned());
    }
    if let Some(topic) = definitions.topic_of_number(number) {
        return Ok(Topic::Named(topic.name.clone()));
    }
    let digits = TopicName::parse(&number.to_string()).map_err(|error| error.to_string())?;
    Ok(Topic::Numbered { digits, number })
}
