//! Whether two opinions on one object are the same, and if not, why.

use crate::keys::Keys;
use crate::ours::Verdict;
use crate::theirs::{Opinion, Status};
use std::fmt;

/// Ordered by how much it matters to a reader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// We accept what they do not, or for another key than theirs. Never right.
    Laxer,
    /// We refuse what they accept, or for another reason than theirs, and nothing here explains it.
    Unexplained,
    /// We refuse what they accept, for this reason.
    Stricter(String),
    /// Both refuse, we for another reason than they.
    OtherReason(String),
    Same,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Relation::Laxer => "LAXER",
            Relation::Unexplained => "UNEXPLAINED",
            Relation::Stricter(_) => "stricter",
            Relation::OtherReason(_) => "both refuse",
            Relation::Same => "same",
        })
    }
}

impl Relation {
    pub fn why(&self) -> &str {
        match self {
            Relation::Laxer | Relation::Unexplained | Relation::Same => "",
            Relation::Stricter(why) | Relation::OtherReason(why) => why,
        }
    }
}

/// What we call the same thing.
fn same_meaning(status: Status) -> &'static [&'static str] {
    match status {
        Status::Good => &[],
        Status::KeyExpired => &["key-expired"],
        Status::KeyRevoked => &["key-revoked"],
        Status::SignatureExpired => &["signature-expired"],
        Status::Bad => &["bad-signature"],
        Status::NoKey => &["unknown-key"],
        Status::Unsigned => &["unsigned"],
        // They have one word for all of these.
        Status::Unusable => &[
            "malformed-object",
            "malformed-signature",
            "multiple-signatures",
            "unsigned-data",
            "weak-algorithm",
            "wrong-namespace",
            "unknown-key",
            "bad-signature",
            "key-not-for-signing",
        ],
    }
}

pub fn compare(raw: &[u8], ours: &Verdict, theirs: &Opinion, keys: &Keys) -> Relation {
    let same_key = match (&ours.key, &theirs.key) {
        (Some(ours), Some(theirs)) => ours.ends_with(theirs.as_str()),
        (Some(_), None) => !ours.accepted(),
        (None, _) => true,
    };
    if ours.accepted() {
        return if theirs.status == Status::Good && same_key { Relation::Same } else { Relation::Laxer };
    }
    if !same_key {
        return Relation::Unexplained;
    }
    if ours.findings.iter().any(|id| same_meaning(theirs.status).contains(id)) {
        return Relation::Same;
    }
    let wrap = if theirs.status == Status::Good { Relation::Stricter } else { Relation::OtherReason };
    ours.findings.first().and_then(|id| explanation(id, raw, ours, theirs, keys)).map_or(Relation::Unexplained, wrap)
}

/// Why we refuse, where the other side gives the evidence for it.
fn explanation(id: &str, raw: &[u8], ours: &Verdict, theirs: &Opinion, keys: &Keys) -> Option<String> {
    let made = theirs.made_with;
    let says = |text: &str| Some(text.to_owned());
    match id {
        "unknown-key" => {
            let why = keys.why_refused(theirs.key.as_deref()?)?;
            Some(format!("the registry did not take this key: {why}"))
        }
        "weak-algorithm" => match made.map(|made| (made.algorithm, made.hash)) {
            Some((_, 1..=3 | 11)) => says("SHA-1 or another hash that is broken or too short"),
            Some((17, _)) => says("a DSA key"),
            Some((19 | 22, _)) => says("a curve that we do not take"),
            // The arithmetic was not done, so only the finding itself tells.
            None if theirs.status == Status::Bad => says("refused for the algorithm before any arithmetic"),
            _ => None,
        },
        "key-not-for-signing" => {
            let key_id = ours.reason.split(' ').find_map(|word| word.strip_suffix(',').filter(|id| id.len() == 16))?;
            let note = keys.notes.iter().find(|note| note.contains(key_id))?;
            let why = note.split_once(": ").map_or(note.as_str(), |(_, why)| why);
            Some(format!("the registry lets this key not sign: {why}"))
        }
        // `ots-git-gpg-wrapper` appends a proof of time, of which the signature knows nothing.
        "malformed-signature" | "unsigned-data" if holds(raw, b"-----BEGIN OPENTIMESTAMPS") => {
            says("an OpenTimestamps proof follows the signature, which does not cover it")
        }
        "identity-mismatch" if ours.reason == "names no tagger" => says("the tag names no tagger"),
        // gpg does not look whose user id it is.
        "identity-mismatch" if ours.reason.contains("in the name of") => {
            let name = ours.reason.split('`').nth(1)?;
            let dropped = keys.notes.iter().any(|note| note.contains(name) && note.contains("was dropped"));
            says(if dropped {
                "the signature names a user id that has no self-signature that counts, by SHA-1 most often"
            } else {
                "the signature names a user id that the certificate does not hold"
            })
        }
        // Git puts the values of all of them together; its own first signed commit has one for each line.
        "multiple-signatures" if count(raw, b"\ngpgsig ") > 1 => says("several signature headers"),
        "malformed-signature" => match made {
            Some(made) if made.class != 0 => says("a signature over text, not over bytes"),
            Some(made) if ours.reason.contains("unknown version") && !matches!(made.version, Some(4 | 6)) => {
                says("a signature packet of an old version")
            }
            _ => None,
        },
        "malformed-object" => Some(format!("the object is not as git writes them: it {}", ours.reason)),
        "key-revoked" if theirs.status == Status::KeyExpired => says("expired and revoked: gpg names the expiry"),
        "key-expired" | "key-revoked" if theirs.status == Status::SignatureExpired => {
            says("key and signature are over: gpg names the signature")
        }
        // ssh-keygen is asked at the date that the commit bears; a push is judged when it comes.
        "key-revoked" | "key-not-yet-valid" if made.is_none() && theirs.status == Status::Good => {
            says("outside of valid-after and valid-before today")
        }
        "verifier-unavailable" => says("X.509 signatures are not part of this comparison"),
        _ => None,
    }
}

fn holds(raw: &[u8], words: &[u8]) -> bool {
    count(raw, words) > 0
}

fn count(raw: &[u8], words: &[u8]) -> usize {
    raw.windows(words.len()).filter(|window| *window == words).count()
}

#[test]
fn an_acceptance_needs_their_good_word_for_the_same_key() {
    let home = tempfile::tempdir().expect("a folder");
    let keys = Keys::read(home.path());
    let opinion =
        |status, key: &str| Opinion { status, key: Some(key.to_owned()), made_with: None, words: String::new() };
    let accepted = Verdict { findings: Vec::new(), reason: String::new(), key: Some("00AA".to_owned()) };
    assert_eq!(compare(b"", &accepted, &opinion(Status::Good, "00AA"), &keys), Relation::Same);
    assert_eq!(compare(b"", &accepted, &opinion(Status::Good, "00BB"), &keys), Relation::Laxer);
    for status in [Status::KeyExpired, Status::KeyRevoked, Status::SignatureExpired, Status::Bad, Status::NoKey] {
        assert_eq!(compare(b"", &accepted, &opinion(status, "00AA"), &keys), Relation::Laxer);
    }
    for status in [Status::Unusable, Status::Unsigned] {
        assert_eq!(compare(b"", &accepted, &opinion(status, "00AA"), &keys), Relation::Laxer);
    }
    let refused = |id| Verdict { findings: vec![id], ..accepted.clone() };
    assert_eq!(compare(b"", &refused("key-expired"), &opinion(Status::KeyExpired, "00AA"), &keys), Relation::Same);
    assert_eq!(compare(b"", &refused("key-expired"), &opinion(Status::Good, "00AA"), &keys), Relation::Unexplained);
    assert_eq!(compare(b"", &refused("bad-signature"), &opinion(Status::Good, "00AA"), &keys), Relation::Unexplained);
    assert_eq!(compare(b"", &refused("unknown-key"), &opinion(Status::Good, "00AA"), &keys), Relation::Unexplained);
}
