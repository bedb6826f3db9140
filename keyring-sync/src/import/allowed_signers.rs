//! Reads OpenSSH's `allowed_signers`: `PRINCIPALS [OPTIONS] KEYTYPE BASE64 [COMMENT]`.

use countersign_policy::id::Email;
use countersign_policy::time::Time;

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Signer(Signer),
    /// A key that certifies keys for everybody.
    Authority {
        key: String,
    },
}

/// A key that signs for the holder of some addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    pub emails: Vec<Email>,
    pub key: String,
    pub valid_after: Option<Time>,
    pub valid_before: Option<Time>,
}

/// A line that cannot be taken over as it is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    #[error("it has no key")]
    NoKey,
    #[error("a quote is not closed")]
    OpenQuote,
    #[error("principal `{0}` is a pattern: a key belongs to one person, so name the address")]
    Wildcard(String),
    #[error(
        "authority for `{0}` only: an authority here speaks for everybody; add it with keyring-sync key add --ssh-ca if that is meant"
    )]
    NarrowAuthority(String),
    #[error("{0}")]
    NotAnAddress(#[from] countersign_policy::id::BadId),
    #[error("its namespaces `{0}` do not include git")]
    OtherNamespaces(String),
    #[error("`{0}` is no time such as 20260101000000Z")]
    NotATime(String),
    #[error("unknown option `{0}`")]
    UnknownOption(String),
}

/// Every line that is neither empty nor a comment, with its number from 1.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, Result<Line, BadLine>)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(number, line)| (number, parse(line)))
}

fn parse(line: &str) -> Result<Line, BadLine> {
    let (principals, rest) = field(line)?;
    let (first, after_first) = field(rest)?;
    // Whatever is no key type is the options.
    let (options, key) = if is_key_type(first) { (None, rest) } else { (Some(first), after_first) };
    if !key.split_ascii_whitespace().next().is_some_and(is_key_type) {
        return Err(BadLine::NoKey);
    }
    let principals = principals.trim_matches('"');
    let mut signer = Signer { emails: Vec::new(), key: key.to_owned(), valid_after: None, valid_before: None };
    let mut authority = false;
    for option in options.map(split_options).into_iter().flatten() {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = value.trim_matches('"');
        match name.to_ascii_lowercase().as_str() {
            "cert-authority" => authority = true,
            "namespaces" if value.split(',').any(|namespace| matches!(namespace, "git" | "*")) => {}
            "namespaces" => return Err(BadLine::OtherNamespaces(value.to_owned())),
            "valid-after" => signer.valid_after = Some(time(value)?),
            "valid-before" => signer.valid_before = Some(time(value)?),
            _ => return Err(BadLine::UnknownOption(name.to_owned())),
        }
    }
    if authority {
        return match principals {
            "*" | "*@*" if signer.valid_after.is_none() && signer.valid_before.is_none() => {
                Ok(Line::Authority { key: signer.key })
            }
            _ => Err(BadLine::NarrowAuthority(principals.to_owned())),
        };
    }
    for principal in principals.split(',') {
        if principal.contains(['*', '?', '!']) {
            return Err(BadLine::Wildcard(principal.to_owned()));
        }
        signer.emails.push(Email::new(principal)?);
    }
    Ok(Line::Signer(signer))
}

/// The first field and what follows it; white space inside quotes does not end a field.
fn field(text: &str) -> Result<(&str, &str), BadLine> {
    let text = text.trim_start();
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_ascii_whitespace() && !quoted => {
                let (field, rest) = text.split_at(at);
                return Ok((field, rest.trim_start()));
            }
            _ => {}
        }
    }
    if quoted { Err(BadLine::OpenQuote) } else { Err(BadLine::NoKey) }
}

fn split_options(options: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    options.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

fn is_key_type(text: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| text.starts_with(start))
}

/// `YYYYMMDD[HHMM[SS]][Z]`. Without `Z` OpenSSH takes the reader's local time; on the server that is UTC.
fn time(text: &str) -> Result<Time, BadLine> {
    let bad = || BadLine::NotATime(text.to_owned());
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let whole = format!("{digits:0<14}");
    let part = |from: usize, until: usize| whole.get(from..until).unwrap_or_default();
    let instant =
        format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14));
    instant.parse().map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3Nza alice's laptop";

    fn one(line: &str) -> Result<Line, BadLine> {
        lines(line).next().unwrap().1
    }

    #[test]
    fn principals_are_addresses_and_windows_are_kept() {
        let line = format!(
            "a@x.example,B@x.example namespaces=\"file,git\",valid-after=\"20260101\",valid-before=\"20270101120000Z\" {KEY}"
        );
        let Ok(Line::Signer(signer)) = one(&line) else { panic!("{:?}", one(&line)) };
        assert_eq!(signer.emails, [Email::new("a@x.example").unwrap(), Email::new("b@x.example").unwrap()]);
        assert_eq!(signer.key, KEY);
        assert_eq!(signer.valid_after.unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(signer.valid_before.unwrap().to_string(), "2027-01-01T12:00:00Z");
    }

    #[test]
    fn nothing_is_taken_to_mean_more_than_it_says() {
        assert!(matches!(one(&format!("*@x.example {KEY}")), Err(BadLine::Wildcard(_))));
        assert!(matches!(one(&format!("*@x.example cert-authority {KEY}")), Err(BadLine::NarrowAuthority(_))));
        assert!(matches!(one(&format!("* cert-authority,namespaces=\"git\" {KEY}")), Ok(Line::Authority { .. })));
        assert!(matches!(one(&format!("a@x namespaces=\"file\" {KEY}")), Err(BadLine::OtherNamespaces(_))));
        assert!(matches!(one(&format!("alice {KEY}")), Err(BadLine::NotAnAddress(_))));
        assert!(matches!(one(&format!("a@x verify-required {KEY}")), Err(BadLine::UnknownOption(_))));
        assert!(matches!(one(&format!("a@x valid-after=\"tomorrow\" {KEY}")), Err(BadLine::NotATime(_))));
        assert_eq!(one("a@x"), Err(BadLine::NoKey));
        assert_eq!(one("a@x namespaces=\"git ssh-ed25519 AAAA"), Err(BadLine::OpenQuote));
    }
}
