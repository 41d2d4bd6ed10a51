//! One request to a receiver.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use super::secret::Header;
use super::target::{Guard, Lookups, Target, TargetRules, Transport};
use crate::config::Webhooks;
use crate::telemetry::Stopwatch;

/// How much of an answer is read: enough to see an error, and nobody fills our memory.
const ANSWER_BYTES_MAX: usize = 1_024;
/// A name, an address and a handshake: what is away is away soon.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What came of a request. Success is a status of 2xx.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub took: Duration,
    pub outcome: Result<Answer, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    /// How its text begins, without characters that a log or a database cannot hold.
    pub text: String,
}

/// Two clients: what has no TLS may go to fewer addresses.
pub(super) struct Sender {
    rules: TargetRules,
    tls: Result<Client, String>,
    clear: Result<Client, String>,
}

impl Sender {
    pub fn new(settings: &Webhooks) -> Self {
        let rules = TargetRules::new(&settings.private_networks);
        let lookups = Lookups::default();
        let guard = |transport| Guard {
            rules: rules.clone(),
            transport,
            lookups: lookups.clone(),
        };
        Self {
            tls: client(guard(Transport::Tls), settings.timeout),
            clear: client(guard(Transport::Clear), settings.timeout),
            rules,
        }
    }

    /// Redirects are not followed: where they lead was not checked, and is not the receiver who was named.
    pub async fn send(&self, target: &Target, headers: &[Header], body: &str) -> Sent {
        let watch = Stopwatch::start();
        let outcome = self.ask(target, headers, body).await;
        Sent {
            took: watch.elapsed(),
            outcome,
        }
    }

    async fn ask(&self, target: &Target, headers: &[Header], body: &str) -> Result<Answer, String> {
        // The resolver is not asked about an address that stands in the URL.
        if let Some(address) = target.literal() {
            let judged = self.rules.judge(address, target.transport());
            judged.map_err(|refusal| refusal.to_string())?;
        }
        let client = match target.transport() {
            Transport::Tls => &self.tls,
            Transport::Clear => &self.clear,
        };
        let client = client.as_ref().map_err(Clone::clone)?;
        let mut request = client
            .post(target.url().clone())
            .header("content-type", "application/json");
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
            // What is shown to the receiver is printed by no library, and is in no table of HTTP/2.
            value.set_sensitive(*name == AUTHORIZATION);
            request = request.header(*name, value);
        }
        let response = request.body(body.to_owned()).send().await;
        let response = response.map_err(|error| reason(&error))?;
        Ok(Answer {
            status: response.status().as_u16(),
            text: beginning(response).await,
        })
    }
}

fn client(guard: Guard, timeout: Duration) -> Result<Client, String> {
    // An error says that this process has a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let transport = guard.transport;
    let builder = Client::builder()
        .user_agent(concat!("moneyer/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .dns_resolver(guard)
        .connect_timeout(CONNECT_WITHIN)
        .pool_idle_timeout(Duration::from_secs(30))
        .timeout(timeout);
    // Without TLS nothing needs the system's certificates, and a small container has none.
    let builder = match transport {
        Transport::Clear => builder.tls_certs_only(std::iter::empty()),
        Transport::Tls => builder,
    };
    builder
        .build()
        .map_err(|error| format!("no client: {}", reason(&error)))
}

/// The innermost cause says most; the URL, which may hold a token, is not repeated.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause = error.source();
    let mut text = None;
    while let Some(inner) = cause {
        text = Some(inner.to_string());
        cause = inner.source();
    }
    let kind = match error.is_connect() {
        true => "not connected",
        false => "no answer",
    };
    text.map_or_else(|| kind.to_owned(), |text| format!("{kind}: {text}"))
}

/// What cannot be read any more is left out: the status is what counts.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_BYTES_MAX.saturating_sub(bytes.len());
        bytes.extend(chunk.iter().take(room));
        if bytes.len() >= ANSWER_BYTES_MAX {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}
