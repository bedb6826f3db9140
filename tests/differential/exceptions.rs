//! The disagreements that are known, each with its reason.

use serde::Deserialize;
use std::collections::BTreeMap;

/// A kind of mutation, our verdict, and a program that says otherwise.
pub type Class = (String, String, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// We refuse what the other program accepts.
    stricter: Vec<Stricter>,
    /// We accept what the other program refuses.
    laxer: Vec<Laxer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stricter {
    because: String,
    ours: String,
    they: Vec<String>,
    kinds: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Laxer {
    because: String,
    they: Vec<String>,
    kinds: Vec<String>,
    /// No other program accepts, and that is for what those programs are, not for what the object is.
    #[serde(default)]
    limit_of_the_others: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub because: String,
    pub against_all: bool,
}

#[derive(Debug)]
pub struct Exceptions {
    pub known: BTreeMap<Class, Reason>,
}

impl Exceptions {
    pub fn read(text: &str) -> Exceptions {
        let file: File = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("exceptions.yaml: {error}"));
        let mut known = BTreeMap::new();
        let mut put = |kinds: &[String], ours: &str, they: &[String], because: &str, against_all: bool| {
            for (kind, they) in kinds.iter().flat_map(|kind| they.iter().map(move |they| (kind, they))) {
                let class = (kind.clone(), ours.to_owned(), they.clone());
                let reason = Reason { because: because.trim().to_owned(), against_all };
                assert!(!reason.because.is_empty(), "exceptions.yaml: {class:?} has no reason");
                let before = known.insert(class.clone(), reason);
                assert!(before.is_none(), "exceptions.yaml: {class:?} is there twice");
            }
        };
        for Stricter { because, ours, they, kinds } in &file.stricter {
            assert_ne!(ours, crate::ours::ACCEPT, "exceptions.yaml: to accept is not stricter");
            put(kinds, ours, they, because, false);
        }
        for Laxer { because, they, kinds, limit_of_the_others } in &file.laxer {
            put(kinds, crate::ours::ACCEPT, they, because, *limit_of_the_others);
        }
        Exceptions { known }
    }
}
