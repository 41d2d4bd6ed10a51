use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::failure::{Failure, bounded};
use super::wire;
use crate::config::Endpoint;

/// Questions of one HTTP request. Public nodes allow about a hundred.
const BATCH_MAX: usize = 100;
/// The largest answer that is read: the receipt of a full mint transaction is up to 0.8 MB, and the first view after a
/// start asks for sixty-four.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// An endpoint that failed is asked after the others for this long.
const REST: Duration = Duration::from_secs(10);

/// One question to a node.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub method: &'static str,
    pub params: Value,
}

impl Question {
    pub fn new(method: &'static str, params: Value) -> Self {
        Self { method, params }
    }
}

/// What the node answers to one question: a value, or why it refuses.
pub(super) type Answer = Result<Value, Refusal>;

#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub code: i64,
    pub message: String,
    pub data: Value,
}

/// Why a request brought no answer.
#[derive(Clone, Debug)]
pub(super) enum Silence {
    /// It never left: there was no connection.
    Unsent(String),
    /// It may have been read and even obeyed.
    Unanswered(String),
}

impl Silence {
    pub fn text(&self) -> &str {
        match self {
            Self::Unsent(text) | Self::Unanswered(text) => text,
        }
    }
}

/// One JSON-RPC server: a node of the chain, or a remote signer.
pub(super) struct Node {
    endpoint: Endpoint,
    client: Client,
    next_id: AtomicU64,
    /// It said that it serves our chain, and has answered ever since.
    verified: AtomicBool,
    resting_since: Mutex<Option<Instant>>,
    answer_bytes_max: usize,
}

impl Node {
    pub fn new(endpoint: Endpoint, answer_bytes_max: usize) -> Result<Self, Failure> {
        let client = client(&endpoint)?;
        Ok(Self {
            endpoint,
            client,
            next_id: AtomicU64::new(1),
            verified: AtomicBool::new(false),
            resting_since: Mutex::new(None),
            answer_bytes_max,
        })
    }

    /// Host and port, nothing else: the rest of its address may be a key.
    pub fn name(&self) -> String {
        self.endpoint.to_string()
    }

    pub fn is_verified(&self) -> bool {
        self.verified.load(Ordering::Relaxed)
    }

    pub fn set_verified(&self) {
        self.verified.store(true, Ordering::Relaxed);
    }

    pub fn is_resting(&self) -> bool {
        let since = self.resting_since.lock().ok().and_then(|since| *since);
        since.is_some_and(|since| since.elapsed() < REST)
    }

    /// It failed: others go first for a while, and when it is back it may be another node.
    pub fn rest(&self) {
        metrics::counter!("chain_endpoint_failures_total", "endpoint" => self.name()).increment(1);
        self.verified.store(false, Ordering::Relaxed);
        if let Ok(mut since) = self.resting_since.lock() {
            *since = Some(Instant::now());
        }
    }

    pub fn wake(&self) {
        if let Ok(mut since) = self.resting_since.lock() {
            *since = None;
        }
    }

    pub fn malformed(&self, reason: impl Into<String>) -> Failure {
        Failure::Malformed {
            endpoint: self.name(),
            reason: bounded(&reason.into()),
        }
    }

    pub fn refused(&self, refusal: &Refusal) -> Failure {
        Failure::Refused {
            endpoint: self.name(),
            code: refusal.code,
            message: bounded(&refusal.message),
        }
    }

    /// The answers, in the order of the questions. Many questions become several requests, one after the other.
    pub async fn ask(&self, questions: &[Question], patience: Duration) -> Result<Vec<Answer>, Silence> {
        let mut answers = Vec::with_capacity(questions.len());
        for batch in questions.chunks(BATCH_MAX) {
            let started = Instant::now();
            let asked = self.ask_batch(batch, patience).await;
            record(batch, &asked, started.elapsed());
            answers.extend(asked?);
        }
        Ok(answers)
    }

    pub async fn ask_one(&self, question: Question, patience: Duration) -> Result<Answer, Silence> {
        let answers = self.ask(std::slice::from_ref(&question), patience).await?;
        let answer = answers.into_iter().next();
        answer.ok_or_else(|| Silence::Unanswered(format!("{}: no answer", self.name())))
    }

    async fn ask_batch(&self, questions: &[Question], patience: Duration) -> Result<Vec<Answer>, Silence> {
        let count = u64::try_from(questions.len()).unwrap_or(u64::MAX);
        let first = self.next_id.fetch_add(count, Ordering::Relaxed);
        let calls: Vec<Value> = questions
            .iter()
            .zip(first..)
            .map(|(q, id)| json!({ "jsonrpc": "2.0", "id": id, "method": q.method, "params": q.params }))
            .collect();
        // A single question goes without a list: not every server takes lists.
        let body = match calls.as_slice() {
            [only] => only.clone(),
            _ => Value::Array(calls),
        };
        let text = tokio::time::timeout(patience, self.post(&body)).await;
        let text = text.unwrap_or_else(|_| Err(self.unanswered("no answer in time")))?;
        let value = serde_json::from_slice(&text).map_err(|_| self.unanswered("an answer that is not JSON"))?;
        pair(value, first, questions.len()).map_err(|reason| self.unanswered(&reason))
    }

    fn unanswered(&self, reason: &str) -> Silence {
        Silence::Unanswered(format!("{}: {}", self.name(), bounded(reason)))
    }

    async fn post(&self, body: &Value) -> Result<Vec<u8>, Silence> {
        let url = self.endpoint.reveal().clone();
        let sent = self.client.post(url).json(body).send().await;
        let response = sent.map_err(|error| self.silence(error))?;
        let status = response.status();
        let text = self.body(response).await?;
        // Some nodes answer an error of the protocol with status 4xx and a body that says what it is.
        let speaks = status.is_success() || (status.is_client_error() && status.as_u16() != 429 && is_json_rpc(&text));
        if speaks {
            Ok(text)
        } else {
            Err(self.unanswered(&format!("HTTP status {}", status.as_u16())))
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Silence> {
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.silence(error))? {
            if text.len().saturating_add(chunk.len()) > self.answer_bytes_max {
                return Err(self.unanswered(&format!("more than {} bytes", self.answer_bytes_max)));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }

    fn silence(&self, error: reqwest::Error) -> Silence {
        let text = match (error.is_connect(), error.is_timeout()) {
            (true, _) => "no connection".to_owned(),
            (false, true) => "no answer in time".to_owned(),
            // The library's text names the address it asked, which may be a key.
            (false, false) => bounded(&error.without_url().to_string()),
        };
        let text = format!("{}: {text}", self.name());
        if text.ends_with("no connection") {
            Silence::Unsent(text)
        } else {
            Silence::Unanswered(text)
        }
    }
}

/// Which answer belongs to which question: by the ids, since a server may answer a list in any order.
fn pair(value: Value, first: u64, count: usize) -> Result<Vec<Answer>, String> {
    let list = match value {
        Value::Array(list) => list,
        single if count == 1 => vec![single],
        // One error for the whole list: too long, or lists are not taken.
        other => {
            let message = other.pointer("/error/message").and_then(Value::as_str);
            return Err(message.unwrap_or("no list of answers").to_owned());
        }
    };
    let mut answers: Vec<Option<Answer>> = vec![None; count];
    for answer in list {
        let id = answer.get("id").and_then(Value::as_u64);
        let place = id
            .and_then(|id| id.checked_sub(first))
            .and_then(|place| usize::try_from(place).ok());
        let slot = place.and_then(|place| answers.get_mut(place));
        let slot = slot.ok_or("an answer to another question")?;
        if slot.replace(read_answer(answer)?).is_some() {
            return Err("two answers to one question".to_owned());
        }
    }
    let answers: Option<Vec<Answer>> = answers.into_iter().collect();
    answers.ok_or_else(|| "a question without an answer".to_owned())
}

fn read_answer(mut answer: Value) -> Result<Answer, String> {
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        return Ok(Err(Refusal {
            code: error.get("code").and_then(Value::as_i64).unwrap_or(0),
            message: error.get("message").and_then(Value::as_str).unwrap_or("").to_owned(),
            data: error.get("data").cloned().unwrap_or(Value::Null),
        }));
    }
    let result = answer.get_mut("result").map(Value::take);
    result.map(Ok).ok_or_else(|| "neither a result nor an error".to_owned())
}

fn is_json_rpc(text: &[u8]) -> bool {
    serde_json::from_slice::<Value>(text).is_ok_and(|value| value.get("jsonrpc").is_some())
}

fn record(batch: &[Question], asked: &Result<Vec<Answer>, Silence>, took: Duration) {
    let label = match batch {
        [only] => only.method,
        _ => "batch",
    };
    metrics::histogram!("chain_rpc_seconds", "method" => label).record(took.as_secs_f64());
    for (place, question) in batch.iter().enumerate() {
        let outcome = match asked {
            Ok(answers) => match answers.get(place) {
                Some(Err(_)) => "refused",
                Some(Ok(_)) | None => "ok",
            },
            Err(Silence::Unsent(_)) => "unsent",
            Err(Silence::Unanswered(_)) => "unanswered",
        };
        let method = question.method;
        metrics::counter!("chain_rpc_requests_total", "method" => method, "outcome" => outcome).increment(1);
    }
}

/// A client for this endpoint alone. No redirects: an answer from elsewhere is not the node's.
fn client(endpoint: &Endpoint) -> Result<Client, Failure> {
    // An error says that this process has a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent("moneyer")
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(1))
        .pool_idle_timeout(Duration::from_secs(30))
        .no_proxy();
    // Without TLS nothing needs the system's certificates, and a small container has none.
    let builder = match endpoint.reveal().scheme() {
        "http" => builder.tls_certs_only(std::iter::empty()),
        _ => builder,
    };
    builder
        .build()
        .map_err(|error| Failure::Settings(format!("{endpoint}: {}", error.without_url())))
}

/// `eth_chainId` and `eth_blockNumber`: what an endpoint must say before its other answers count.
pub(super) fn credentials() -> [Question; 2] {
    [
        Question::new("eth_chainId", json!([])),
        Question::new("eth_blockNumber", json!([])),
    ]
}

/// Reads the answers to [`credentials`].
pub(super) fn read_credentials(node: &Node, chain: &Answer, head: &Answer) -> Result<(u64, u64), Failure> {
    let read = |answer: &Answer| match answer {
        Ok(value) => wire::number(value).map_err(|reason| node.malformed(reason)),
        Err(refusal) => Err(node.refused(refusal)),
    };
    Ok((read(chain)?, read(head)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: u64, result: &str) -> Value {
        json!({ "jsonrpc": "2.0", "id": id, "result": result })
    }

    #[test]
    fn answers_are_paired_by_their_ids() {
        let list = json!([answer(8, "b"), answer(7, "a")]);

        let paired = pair(list, 7, 2).unwrap();

        assert_eq!(paired[0].as_ref().unwrap(), "a");
        assert_eq!(paired[1].as_ref().unwrap(), "b");
    }

    #[test]
    fn a_missing_double_or_foreign_answer_is_refused() {
        for list in [
            json!([answer(7, "a")]),
            json!([answer(7, "a"), answer(7, "b")]),
            json!([answer(7, "a"), answer(9, "b")]),
            json!([answer(6, "a"), answer(7, "b")]),
            json!([answer(7, "a"), { "id": 8 }]),
            json!([answer(7, "a"), { "result": "b" }]),
            json!({ "error": { "code": -32600, "message": "batch too large" } }),
            json!("x"),
        ] {
            assert!(pair(list.clone(), 7, 2).is_err(), "{list}");
        }
    }

    #[test]
    fn a_null_result_is_a_result_and_an_error_keeps_its_data() {
        let null = pair(json!({ "id": 7, "result": null }), 7, 1).unwrap();
        let error = json!({ "id": 7, "error": { "code": 3, "message": "execution reverted", "data": "0x01" } });
        let refused = pair(error, 7, 1).unwrap();

        assert!(null[0].as_ref().unwrap().is_null());
        let refusal = refused[0].as_ref().unwrap_err();
        assert_eq!((refusal.code, refusal.data.as_str()), (3, Some("0x01")));
    }
}
