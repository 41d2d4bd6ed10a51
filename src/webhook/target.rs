//! Where a webhook may be sent: never to where only this server can reach (OWASP API7, server-side request forgery).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::types::Network;

/// The address of a receiver: `https`, or `http` where private networks are allowed.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error(
        "must be a URL such as https://example.com/hook with at most {} characters",
        Target::LENGTH_MAX
    )]
    Form,
    #[error("must begin with https://")]
    Scheme,
    #[error("must not hold a user name or a password: who reads it would learn them")]
    UserInfo,
    #[error("must not hold a fragment")]
    Fragment,
    #[error("{0}")]
    Address(Refusal),
}

/// An address that no webhook is sent to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {address} is not allowed: it is {what}")]
pub struct Refusal {
    address: IpAddr,
    what: &'static str,
}

impl Target {
    pub const LENGTH_MAX: usize = 2_000;

    /// Refuses at once what is wrong whatever its name resolves to; the rest is judged at each attempt.
    pub fn parse(text: &str, rules: &TargetRules) -> Result<Self, TargetError> {
        if text.chars().count() > Self::LENGTH_MAX {
            return Err(TargetError::Form);
        }
        let url = Url::parse(text).map_err(|_| TargetError::Form)?;
        match url.scheme() {
            "https" => {}
            "http" if rules.has_private() => {}
            _ => return Err(TargetError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        let target = Self(url);
        if target.0.host_str().is_none_or(str::is_empty) || target.0.port() == Some(0) {
            return Err(TargetError::Form);
        }
        match target.literal() {
            Some(address) => rules
                .judge(address, target.transport())
                .map(|()| target)
                .map_err(TargetError::Address),
            None => Ok(target),
        }
    }

    /// What was parsed before, without asking again: the rules may have changed, and count at each attempt.
    pub(super) fn stored(text: &str) -> Option<Self> {
        Url::parse(text).ok().map(Self)
    }

    /// What a log may tell of it.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// Whether both lead to the same receiver: scheme, host and port (RFC 6454).
    pub(super) fn is_of_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    pub(super) fn transport(&self) -> Transport {
        match self.0.scheme() {
            "https" => Transport::Tls,
            _ => Transport::Clear,
        }
    }

    /// The address, where the URL names one instead of a host. The parser has made `0x7f.1` and the like plain.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        let host = self.0.host_str()?;
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Paths and queries of webhooks hold tokens: a log tells the host alone.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.host())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tls,
    Clear,
}

/// Which addresses may be connected to.
#[derive(Clone, Debug, Default)]
pub struct TargetRules {
    private: Arc<[Network]>,
}

impl TargetRules {
    /// Public addresses, and these networks.
    pub fn new(private: &[Network]) -> Self {
        Self {
            private: private.into(),
        }
    }

    fn has_private(&self) -> bool {
        !self.private.is_empty()
    }

    /// Without TLS only the networks that were named: in public everybody on the way could read and forge.
    pub(super) fn judge(&self, address: IpAddr, transport: Transport) -> Result<(), Refusal> {
        let meant = meant(address);
        if self.private.iter().any(|network| network.contains(meant)) {
            return Ok(());
        }
        let what = match (refused(meant), transport) {
            (Some(what), _) => what,
            (None, Transport::Tls) => return Ok(()),
            (None, Transport::Clear) => "public, and the webhook has no TLS",
        };
        Err(Refusal { address, what })
    }
}

/// IPv4 inside IPv6 (RFC 4291 2.5.5.2, RFC 6052 2.1) is judged as the IPv4 address that is reached.
fn meant(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
    }
}

fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [head @ .., high, low] = address.segments();
    let is_embedding = matches!(head, [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0]);
    is_embedding.then(|| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

/// IANA's registries of special-purpose addresses (RFC 6890), and what clouds keep for their machines: 169.254.169.254
/// and 169.254.170.2 are link-local, 100.100.100.200 is in the carriers' range, fd00:ec2::254 is unique-local.
const REFUSED_V4: &[(Network, &str)] = &[
    (Network::v4([0, 0, 0, 0], 8), "unspecified (this network)"),
    (Network::v4([10, 0, 0, 0], 8), "private"),
    (Network::v4([100, 64, 0, 0], 10), "a carrier's (CGNAT)"),
    (Network::v4([127, 0, 0, 0], 8), "loopback"),
    (Network::v4([169, 254, 0, 0], 16), "link-local"),
    (Network::v4([172, 16, 0, 0], 12), "private"),
    (Network::v4([192, 0, 0, 0], 24), "for protocols"),
    (Network::v4([192, 0, 2, 0], 24), "for documents"),
    (Network::v4([192, 88, 99, 0], 24), "a relay of 6to4"),
    (Network::v4([192, 168, 0, 0], 16), "private"),
    (Network::v4([198, 18, 0, 0], 15), "for benchmarks"),
    (Network::v4([198, 51, 100, 0], 24), "for documents"),
    (Network::v4([203, 0, 113, 0], 24), "for documents"),
    (Network::v4([224, 0, 0, 0], 4), "multicast"),
    (Network::v4([240, 0, 0, 0], 4), "reserved or broadcast"),
];
/// Inside [`GLOBAL_V6`]; what is outside is refused whole.
const REFUSED_V6: &[(Network, &str)] = &[
    (Network::v6([0x2001, 0, 0], 23), "for protocols (Teredo, ORCHID)"),
    (Network::v6([0x2001, 0xdb8, 0], 32), "for documents"),
    (Network::v6([0x2002, 0, 0], 16), "6to4"),
    (Network::v6([0x3fff, 0, 0], 20), "for documents"),
];
/// The addresses of IPv6 that are routed in public (RFC 4291 2.4).
const GLOBAL_V6: Network = Network::v6([0x2000, 0, 0], 3);

fn refused(address: IpAddr) -> Option<&'static str> {
    let table = match address {
        IpAddr::V4(_) => REFUSED_V4,
        IpAddr::V6(_) if !GLOBAL_V6.contains(address) => {
            return Some("not public (loopback, link-local, unique-local, multicast, unspecified or reserved)");
        }
        IpAddr::V6(_) => REFUSED_V6,
    };
    let found = table.iter().find(|(network, _)| network.contains(address));
    found.map(|(_, what)| *what)
}

/// Names that are looked up at once. The system's resolver takes a thread for each, of a pool that the database needs too,
/// and may keep it for as long as a name server is silent: up to 20 s, while who asked has gone after 10 s. So a lane of slow
/// receivers keeps up to three names busy, and all of them ([`super::turns::SLOW_LANES_MAX`]) leave room for others.
const LOOKUPS_MAX: usize = 64;

type Found = Result<Arc<[SocketAddr]>, Arc<io::Error>>;

/// A look-up that everybody waits for who wants its name.
type Lookup = Shared<BoxFuture<'static, Found>>;

/// Bounds how many names are looked up at once, and looks each up once at a time.
#[derive(Clone, Debug)]
pub(super) struct Lookups {
    room: Arc<Semaphore>,
    running: Arc<Mutex<HashMap<String, Lookup>>>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            running: Arc::default(),
        }
    }
}

impl Lookups {
    /// The look-up of the name that is running, or else this one. When its callers have gone it goes on, and counts until it
    /// ends: its thread is taken all the same.
    fn find(&self, name: &str, lookup: impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static) -> Lookup {
        let mut running = self.running();
        if let Some(other) = running.get(name) {
            return other.clone();
        }
        let (lookups, own) = (self.clone(), name.to_owned());
        let looking = tokio::spawn(async move {
            // Nobody closes the semaphore.
            let _permit = lookups.room.acquire().await;
            let found = lookup.await;
            lookups.running().remove(&own);
            found
        });
        let found: BoxFuture<'static, Found> = Box::pin(async move {
            match looking.await {
                Ok(found) => found.map(Arc::from).map_err(Arc::new),
                Err(ended) => Err(Arc::new(io::Error::other(ended))),
            }
        });
        let own = found.shared();
        running.insert(name.to_owned(), own.clone());
        own
    }

    /// Nothing that is done under the lock panics half-way.
    fn running(&self) -> MutexGuard<'_, HashMap<String, Lookup>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks names up and gives out checked addresses only: the connection goes to one of these and asks no second time. A name
/// with one refused address among several is refused whole.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub rules: TargetRules,
    pub transport: Transport,
    pub lookups: Lookups,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let lookup = async move {
                let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
                Ok::<Vec<SocketAddr>, io::Error>(found.collect())
            };
            let found = guard.lookups.find(name.as_str(), lookup).await?.to_vec();
            for address in &found {
                guard.rules.judge(address.ip(), guard.transport)?;
            }
            Ok::<Addrs, Box<dyn std::error::Error + Send + Sync>>(Box::new(found.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn judged(rules: &TargetRules, address: &str, transport: Transport) -> bool {
        rules.judge(address.parse().unwrap(), transport).is_ok()
    }

    /// The last address before each range, its first, its last, and the first behind it.
    #[test]
    fn each_refused_range_is_refused_from_its_first_address_to_its_last() {
        let rules = TargetRules::default();
        for (before, first, last, behind) in [
            ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
            ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
            ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
            ("223.255.255.255", "224.0.0.0", "255.255.255.255", ""),
            ("", "::", "1fff:ffff::", "2000::"),
            (
                "2000:ffff::",
                "2001::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:200::",
            ),
            ("2001:db7:ffff::", "2001:db8::", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:ffff::", "2002::", "2002:ffff::", "2003::"),
            ("3ffe:ffff::", "3fff::", "3fff:fff:ffff::", "3fff:1000::"),
            ("3fff:ffff::", "4000::", "ffff:ffff::", ""),
        ] {
            for outside in [before, behind].into_iter().filter(|text| !text.is_empty()) {
                assert!(judged(&rules, outside, Transport::Tls), "{outside}");
            }
            for inside in [first, last] {
                assert!(!judged(&rules, inside, Transport::Tls), "{inside}");
            }
        }
    }

    #[test]
    fn an_ipv4_address_does_not_hide_in_an_ipv6_one() {
        let rules = TargetRules::default();

        for hidden in [
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
        ] {
            assert!(!judged(&rules, hidden, Transport::Tls), "{hidden}");
        }
        assert!(judged(&rules, "::ffff:8.8.8.8", Transport::Tls));
        assert!(judged(&rules, "64:ff9b::8.8.8.8", Transport::Tls));
    }

    #[test]
    fn a_network_that_was_named_is_allowed_and_only_there_without_tls() {
        let rules = TargetRules::new(&[Network::parse("10.1.0.0/16").unwrap()]);

        for transport in [Transport::Tls, Transport::Clear] {
            assert!(judged(&rules, "10.1.255.255", transport));
            assert!(judged(&rules, "::ffff:10.1.0.0", transport));
            assert!(!judged(&rules, "10.2.0.0", transport));
            assert!(!judged(&rules, "127.0.0.1", transport));
        }
        assert!(judged(&rules, "8.8.8.8", Transport::Tls));
        assert!(!judged(&rules, "8.8.8.8", Transport::Clear));
    }

    #[test]
    fn a_target_is_judged_by_what_its_text_means() {
        let public = TargetRules::default();
        let error = |text: &str| Target::parse(text, &public).unwrap_err();

        for good in [
            "https://example.com/hook?x=1",
            "https://8.8.8.8:8443/",
            "https://[2600::1]/",
        ] {
            assert!(Target::parse(good, &public).is_ok(), "{good}");
        }
        for (text, expected) in [
            ("http://example.com/", TargetError::Scheme),
            ("ftp://example.com/", TargetError::Scheme),
            ("file:///etc/passwd", TargetError::Scheme),
            ("example.com", TargetError::Form),
            ("https://", TargetError::Form),
            ("https://example.com:0/", TargetError::Form),
            ("https://user@example.com/", TargetError::UserInfo),
            ("https://:pass@example.com/", TargetError::UserInfo),
            ("https://example.com/#part", TargetError::Fragment),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
        for disguised in [
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://0/",
        ] {
            assert!(matches!(error(disguised), TargetError::Address(_)), "{disguised}");
        }
        let private = TargetRules::new(&[Network::parse("127.0.0.0/8").unwrap()]);
        assert!(Target::parse("http://127.0.0.1:9/", &private).is_ok());
        assert!(Target::parse("http://8.8.8.8/", &private).is_err());
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        let rules = TargetRules::new(&[Network::parse("127.0.0.0/8").unwrap()]);
        let of = |text: &str| Target::parse(text, &rules).unwrap();
        let own = of("https://Example.com/hook?a=1");

        for same in ["https://example.com/", "https://EXAMPLE.com:443/other"] {
            assert!(of(same).is_of_origin(&own), "{same}");
        }
        for other in [
            "https://example.com:8443/hook",
            "https://www.example.com/hook",
            "https://example.com.evil.test/hook",
            "http://127.0.0.1/hook",
        ] {
            assert!(!of(other).is_of_origin(&own), "{other}");
        }
        assert!(!of("http://127.0.0.1:443/").is_of_origin(&of("https://127.0.0.1:443/")));
    }

    #[test]
    fn a_target_has_at_most_2000_characters_and_prints_its_host_alone() {
        let of_length = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
        let rules = TargetRules::default();

        assert!(Target::parse(&of_length(2_000), &rules).is_ok());
        assert_eq!(Target::parse(&of_length(2_001), &rules), Err(TargetError::Form));
        let target = Target::parse("https://example.com/secret-token", &rules).unwrap();
        assert_eq!(format!("{target:?}"), "Target(example.com)");
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_gives_no_address() {
        let resolve = |networks: &[Network]| {
            let guard = Guard {
                rules: TargetRules::new(networks),
                transport: Transport::Tls,
                lookups: Lookups::default(),
            };
            guard.resolve("localhost".parse().unwrap())
        };

        let refused = resolve(&[]).await.err().unwrap();

        assert!(refused.downcast_ref::<Refusal>().is_some(), "{refused}");
        let own = ["127.0.0.0/8", "::1"].map(|text| Network::parse(text).unwrap());
        assert!(resolve(&own).await.is_ok());
    }

    /// A name server that is silent, until it answers.
    struct Silent {
        lookups: Lookups,
        asked: Arc<AtomicUsize>,
        answers: Arc<Semaphore>,
    }

    impl Silent {
        fn new() -> Self {
            Self {
                lookups: Lookups::default(),
                asked: Arc::default(),
                answers: Arc::new(Semaphore::new(0)),
            }
        }

        fn find(&self, name: &str) -> Lookup {
            let (asked, answers) = (Arc::clone(&self.asked), Arc::clone(&self.answers));
            self.lookups.find(name, async move {
                asked.fetch_add(1, Ordering::SeqCst);
                answers.acquire().await.unwrap().forget();
                Ok(vec![SocketAddr::from(([8, 8, 8, 8], 0))])
            })
        }

        /// After everything has run that can.
        async fn asked(&self) -> usize {
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn sixty_four_names_are_looked_up_at_once_and_one_that_was_given_up_counts_until_it_ends() {
        let server = Silent::new();
        for number in 0..64 {
            drop(server.find(&format!("{number}.example.com")));
        }
        assert_eq!(server.asked().await, 64);

        let next = server.find("next.example.com");
        assert_eq!(server.asked().await, 64);

        server.answers.add_permits(65);
        assert_eq!(next.await.unwrap().len(), 1);
        assert_eq!(server.asked().await, 65);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_all_who_want_it_also_when_the_first_have_given_up() {
        let server = Silent::new();
        for _ in 0..100 {
            drop(server.find("silent.example.com"));
        }
        let last = server.find("silent.example.com");
        let other = server.find("other.example.com");
        assert_eq!(server.asked().await, 2);

        server.answers.add_permits(2);
        assert!(last.await.is_ok() && other.await.is_ok());

        server.answers.add_permits(1);
        assert!(
            server.find("silent.example.com").await.is_ok(),
            "what was found is not kept"
        );
        assert_eq!(server.asked().await, 3);
    }
}
