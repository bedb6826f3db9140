//! Patterns for refs and repositories: `*` stands for any run of characters, `/` included.

use crate::id::RefName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern: it is empty, too long or holds control characters")]
pub struct BadPattern(String);

/// A name with `*` as the only special character. It matches greedily more rather than less,
/// because a branch that is mainline by mistake is safer than one that is free by mistake.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl Pattern {
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
            return Err(BadPattern(crate::text::shown(text, 80)));
        }
        Ok(Pattern(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether any ref can match: git lets no name hold these characters, so that they are taken for another
    /// program's wildcards.
    pub fn can_match_a_ref(&self) -> bool {
        let text = self.0.as_str();
        let forbidden = |c: char| " ~^:?[\\".contains(c);
        !(text.contains(forbidden)
            || text.contains("..")
            || text.contains("//")
            || text.starts_with('/')
            || text.ends_with('/'))
    }

    /// A pattern without `*` is one name.
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    pub fn matches(&self, name: &[u8]) -> bool {
        // Two pointers with one point of return: linear in practice, never exponential.
        let pattern = self.0.as_bytes();
        let (mut p, mut n) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while let Some(&byte) = name.get(n) {
            match pattern.get(p) {
                Some(b'*') => {
                    back = Some((p + 1, n));
                    p += 1;
                }
                Some(&wanted) if wanted == byte => {
                    p += 1;
                    n += 1;
                }
                _ => match back {
                    Some((after_star, from)) => {
                        back = Some((after_star, from + 1));
                        p = after_star;
                        n = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern.get(p..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
    }

    /// A pattern that does not begin with `refs/` speaks of branches, `*` alone of every ref.
    pub fn matches_ref(&self, name: &RefName) -> bool {
        if self.0 == "*" || self.0.starts_with("refs/") {
            self.matches(name.as_bytes())
        } else {
            name.branch().is_some_and(|branch| self.matches(branch))
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Pattern::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(name.as_bytes())
    }

    #[test]
    fn a_star_is_any_run() {
        assert!(matches("release/*", "release/1.0") && matches("release/*", "release/1/2"));
        assert!(!matches("release/*", "releases/1") && !matches("main", "mainx") && !matches("main", "xmain"));
        assert!(matches("*a*b*", "xxaxxbxx") && !matches("*a*b", "xxaxxbxx"));
        assert!(matches("*", "") && matches("a**", "a"));
        assert!(!matches(&"*a".repeat(500), &"a".repeat(400)));
    }

    #[test]
    fn a_pattern_is_a_short_text_that_can_be_seen() {
        assert!(Pattern::new(&"a".repeat(1024)).is_ok() && Pattern::new(&"a".repeat(1025)).is_err());
        assert!(Pattern::new("").is_err() && Pattern::new("a\tb").is_err());
        let read: Pattern = serde_json::from_str("\"release/*\"").unwrap();
        assert_eq!((read.as_str(), read.to_string().as_str()), ("release/*", "release/*"));
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"release/*\"");
        assert!(serde_json::from_str::<Pattern>("\"\"").is_err());
        assert!(!read.is_literal() && Pattern::new("main").unwrap().is_literal());
    }

    #[test]
    fn what_no_ref_is_called_is_known() {
        let can = |text: &str| Pattern::new(text).unwrap().can_match_a_ref();
        assert!(can("main") && can("release/*") && can("refs/tags/v*") && can("{a,b}") && can("*"));
        for text in ["release/[0-9]*", "prod?", "/prod", "prod/", "a b", "a..b", "a//b", "a:b", "a\\b", "a^", "a~1"] {
            assert!(!can(text), "{text}");
        }
    }

    #[test]
    fn a_short_pattern_speaks_of_branches() {
        let main = Pattern::new("main").unwrap();
        assert!(main.matches_ref(&RefName::new(b"refs/heads/main")));
        assert!(!main.matches_ref(&RefName::new(b"refs/tags/main")));
        assert!(Pattern::new("refs/tags/*").unwrap().matches_ref(&RefName::new(b"refs/tags/v1")));
        let tail = Pattern::new("*-lts").unwrap();
        assert!(
            tail.matches_ref(&RefName::new(b"refs/heads/1-lts")) && !tail.matches_ref(&RefName::new(b"refs/x-lts"))
        );
        assert!(Pattern::new("*").unwrap().matches_ref(&RefName::new(b"refs/tags/v1")));
    }
}
