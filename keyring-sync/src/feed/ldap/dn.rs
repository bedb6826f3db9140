//! Distinguished names, as far as two spellings of one are to be known as one.

use countersign_policy::text::shown;
use serde::Deserialize;

/// Bytes of a name: those of deep trees have some hundreds.
const DN_MAX: usize = 4096;

/// A name in one spelling: without white space around its parts, in lower case. Directories compare most attributes so;
/// what would differ by case alone counts as one name, and what is escaped in another way as two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Dn(String);

impl TryFrom<String> for Dn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Dn::new(&text)
            .ok_or_else(|| format!("`{}` is no distinguished name such as cn=seniors,dc=x", shown(&text, 120)))
    }
}

impl Dn {
    pub fn new(text: &str) -> Option<Self> {
        if text.len() > DN_MAX || text.contains(char::is_control) {
            return None;
        }
        let parts: Option<Vec<String>> = split(text)
            .into_iter()
            .map(|part| {
                let (attribute, value) = part.split_once('=')?;
                let (attribute, value) = (attribute.trim(), value.trim());
                let whole = !attribute.is_empty() && !value.is_empty();
                whole.then(|| format!("{}={}", attribute.to_lowercase(), value.to_lowercase()))
            })
            .collect();
        Some(Dn(parts?.join(",")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At commas without a backslash before them.
fn split(text: &str) -> Vec<&str> {
    let mut escaped = false;
    let is_comma = |c: char| {
        let splits = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    };
    text.split(is_comma).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_two_spellings() {
        let dn = |text: &str| Dn::new(text).unwrap();
        assert_eq!(dn("CN=Seniors, OU=Groups,DC=X"), dn("cn=seniors,ou=groups , dc = x"));
        assert_ne!(dn("cn=seniors,dc=x"), dn("cn=seniors,dc=y"));
        assert_eq!(dn(r"cn=Example\, Alice,dc=x").as_str(), r"cn=example\, alice,dc=x");
        for bad in ["", "seniors", "cn=,dc=x", "cn=a,,dc=x", "cn=a\n,dc=x", &format!("cn={}", "a".repeat(DN_MAX))] {
            assert_eq!(Dn::new(bad), None, "{bad}");
        }
    }
}
