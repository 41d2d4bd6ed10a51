use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of IP addresses, as RFC 4632 writes it: `10.0.0.0/8`, `fc00::/7`. An address alone is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("must be a range of addresses such as 10.0.0.0/8 or fc00::/7")]
    Form,
    /// Whoever writes 10.1.2.3/8 may mean something smaller.
    #[error("must begin with its first address: bits behind the prefix are set")]
    Base,
}

impl Network {
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| NetworkError::Form)?;
        let width = width(base);
        let prefix = prefix.map_or(Ok(width), |prefix| prefix.parse().map_err(|_| NetworkError::Form))?;
        if prefix > width {
            return Err(NetworkError::Form);
        }
        let network = Self { base, prefix };
        match network.head(base) == bits(base) {
            true => Ok(network),
            false => Err(NetworkError::Base),
        }
    }

    /// An IPv4 range, known when the program is written.
    pub const fn v4(base: [u8; 4], prefix: u8) -> Self {
        let [a, b, c, d] = base;
        Self {
            base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            prefix,
        }
    }

    /// An IPv6 range, known when the program is written, by the first three groups of its base.
    pub const fn v6(base: [u16; 3], prefix: u8) -> Self {
        let [a, b, c] = base;
        Self {
            base: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)),
            prefix,
        }
    }

    /// An address of the other family is in no range.
    pub fn contains(&self, address: IpAddr) -> bool {
        width(self.base) == width(address) && self.head(address) == bits(self.base)
    }

    /// The address with everything behind the prefix cleared.
    fn head(&self, address: IpAddr) -> u128 {
        let behind = u32::from(width(address).saturating_sub(self.prefix));
        let cleared = bits(address).checked_shr(behind).unwrap_or(0);
        cleared.checked_shl(behind).unwrap_or(0)
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_ends_at_its_last_address() {
        for (network, first, last, before, behind) in [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            (
                "172.16.0.0/12",
                "172.16.0.0",
                "172.31.255.255",
                "172.15.255.255",
                "172.32.0.0",
            ),
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"),
            ("fc00::/7", "fc00::", "fdff::1", "fbff::", "fe00::"),
        ] {
            assert!(contains(network, first) && contains(network, last), "{network}");
            assert!(!contains(network, before) && !contains(network, behind), "{network}");
        }
        assert!(contains("0.0.0.0/0", "255.255.255.255") && contains("::/0", "ffff::"));
        assert!(!contains("::/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "host/8",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(Network::parse(text), Err(NetworkError::Form), "{text}");
        }
        assert_eq!(Network::parse("10.1.0.0/8"), Err(NetworkError::Base));
        assert_eq!(Network::parse("fc00::/7").unwrap().to_string(), "fc00::/7");
    }
}
