//! Requests as a client sends them, and what came back.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// A client for plain HTTP. It brings its own TLS, which trusts nobody: the program's reqwest has no provider of its own,
/// and a default of the process would hide where the program forgets to name one.
pub fn http() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .build()
        .unwrap()
}

/// A request that is not sent yet.
pub struct Call {
    pub(super) request: reqwest::RequestBuilder,
}

impl Call {
    pub(super) fn new(client: &reqwest::Client, method: Method, url: String, key: Option<&str>) -> Self {
        let request = client.request(method, url);
        let request = match key {
            Some(key) => request.header("X-Api-Key", key),
            None => request,
        };
        Self { request }
    }

    pub fn json(self, body: &Value) -> Self {
        Self {
            request: self.request.json(body),
        }
    }

    /// A body as it is, whatever it is.
    pub fn text(self, content_type: &str, body: impl Into<String>) -> Self {
        let request = self.request.header("Content-Type", content_type);
        Self {
            request: request.body(body.into()),
        }
    }

    pub fn bytes(self, body: Vec<u8>) -> Self {
        Self {
            request: self.request.body(body),
        }
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self {
            request: self.request.header(name, value),
        }
    }

    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub async fn send(self) -> Answer {
        let response = self.request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer {
            status,
            headers,
            text,
            body,
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body as it was sent.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert!(self.header("X-Request-Id").is_some(), "every answer has a request id");
        self.body
    }

    /// The `data` of an error, after its envelope was checked (dalp.md A7).
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        assert_eq!(self.header("Content-Type"), Some("application/json"));
        assert!(self.header("X-Request-Id").is_some(), "every answer has a request id");
        assert_eq!(self.body["defined"], true);
        assert_eq!(self.body["status"], status);
        assert!(
            self.body["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{}",
            self.text
        );
        self.body["data"].clone()
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or("")
    }

    /// `path code` of each issue of a 400.
    #[track_caller]
    pub fn issues(&self) -> Vec<String> {
        let data = self.error(400, "BAD_REQUEST");
        let issues = data["issues"].as_array().unwrap();
        let path = |issue: &Value| {
            let parts = issue["path"].as_array().unwrap();
            parts
                .iter()
                .map(|part| part.as_str().unwrap())
                .collect::<Vec<_>>()
                .join(".")
        };
        issues
            .iter()
            .map(|issue| format!("{} {}", path(issue), issue["code"].as_str().unwrap()))
            .collect()
    }

    /// `index slug` of each finding of a refusal by rules, after its form was checked.
    #[track_caller]
    pub fn findings(&self) -> Vec<String> {
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", self.text);
        findings_of(&self.body["data"]["findings"])
    }
}

/// `index slug` of each finding; `-` for one about the whole request.
#[track_caller]
pub fn findings_of(findings: &Value) -> Vec<String> {
    let findings = findings.as_array().expect("findings are a list");
    let word = |finding: &Value| {
        for text in ["rule", "slug", "message"] {
            assert!(finding[text].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
        }
        assert!(finding["params"].is_object(), "{finding}");
        let index = finding["index"]
            .as_u64()
            .map_or("-".to_owned(), |index| index.to_string());
        assert_eq!(finding["index"].is_null(), finding["recipient"].is_null(), "{finding}");
        format!("{index} {}", finding["slug"].as_str().unwrap())
    };
    findings.iter().map(word).collect()
}
