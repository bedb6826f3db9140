//! Addresses that a secret may be sent to.

use countersign_policy::text::shown;
use serde::Deserialize;

/// An address that a token may be sent to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url(String);

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = |why| format!("url `{}` {why}", shown(&text, 120));
        let uri: ureq::http::Uri = text.parse().map_err(|_| bad("is no address such as https://git.example"))?;
        let host = uri.host().unwrap_or_default();
        let is_here = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
        match uri.scheme_str() {
            _ if host.is_empty() || uri.query().is_some() => Err(bad("is no address such as https://git.example")),
            Some("https") => Ok(Url(text.trim_end_matches('/').to_owned())),
            Some("http") if is_here => Ok(Url(text.trim_end_matches('/').to_owned())),
            Some("http") => Err(bad("would send the token in the clear: use https")),
            _ => Err(bad("is no address such as https://git.example")),
        }
    }
}

impl Url {
    /// Without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_nowhere_in_the_clear() {
        let url = |text: &str| Url::try_from(text.to_owned());
        assert_eq!(url("https://git.example/").unwrap().0, "https://git.example");
        assert_eq!(url("http://127.0.0.1:3000/forge").unwrap().0, "http://127.0.0.1:3000/forge");
        assert!(url("http://git.example").unwrap_err().contains("in the clear"));
        for bad in ["git.example", "", "ftp://git.example", "https://", "https://git.example/?a=b"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
