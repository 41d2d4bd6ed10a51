use std::fmt;

use zeroize::Zeroizing;

/// An e-mail address, in lower case. Personal data: it has no printable form.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(Zeroizing<String>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address of at most {} ASCII characters", Email::LENGTH_MAX)]
pub struct EmailError;

impl Email {
    /// RFC 3696, errata 1690: what a path of SMTP has room for.
    pub const LENGTH_MAX: usize = 254;
    /// RFC 5321 section 4.5.3.1.1.
    const LOCAL_PART_LENGTH_MAX: usize = 64;

    /// The unquoted form alone, in ASCII. Upper and lower case are the same address: mail systems treat them so, and a
    /// wallet must not depend on how somebody wrote it that day.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let (local, domain) = text.split_once('@').ok_or(EmailError)?;
        let local_is_good = (1..=Self::LOCAL_PART_LENGTH_MAX).contains(&local.len()) && local.split('.').all(is_atom);
        let labels: Vec<&str> = domain.split('.').collect();
        let domain_is_good = labels.len() > 1 && labels.into_iter().all(is_label);
        if text.len() > Self::LENGTH_MAX || !local_is_good || !domain_is_good {
            return Err(EmailError);
        }
        Ok(Self(Zeroizing::new(text.to_ascii_lowercase())))
    }

    /// For the cipher, the keyed hash and the derivation of a wallet.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// RFC 5322 section 3.2.3, `atext`.
fn is_atom(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// RFC 1123 section 2.1.
fn is_label(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_allowed) && !text.starts_with('-') && !text.ends_with('-')
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_in_any_case() {
        let one = Email::parse("Ada.Lovelace+Nft@Example.COM").unwrap();

        assert_eq!(one.reveal(), "ada.lovelace+nft@example.com");
        assert_eq!(one, Email::parse("ada.lovelace+nft@example.com").unwrap());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "a@b@example.com",
            "ada@-example.com",
            "ada@exa_mple.com",
            ".ada@example.com",
            "ada..l@example.com",
            "ada@example..com",
            "ädä@example.com",
            "ada@example.com\n",
        ] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text}");
        }
    }

    #[test]
    fn its_parts_keep_their_lengths() {
        let of = |local: usize, label: usize| format!("{}@{}.com", "a".repeat(local), "b".repeat(label));

        assert!(Email::parse(&of(64, 63)).is_ok());
        assert!(Email::parse(&of(65, 63)).is_err());
        assert!(Email::parse(&of(64, 64)).is_err());
        let long = |last: usize| format!("{}@{0}.{0}.{}.com", "a".repeat(63), "b".repeat(last));
        assert_eq!((long(58).len(), Email::parse(&long(58)).is_ok()), (254, true));
        assert!(Email::parse(&long(59)).is_err());
    }

    #[test]
    fn it_never_prints() {
        assert!(!format!("{:?}", Email::parse("ada@example.com").unwrap()).contains("ada"));
    }
}
