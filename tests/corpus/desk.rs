//! A person of a vector's own, and several forms of one attack.

use crate::bench::{Answer, Bench, Update};
use crate::object::Kind;
use crate::vector::{Expected, Vector};

/// Makes the signature block of a payload.
type Sign<'s> = &'s (dyn Fn(&[u8]) -> String + Send + Sync);

/// Where one person signs: called like the vector, since all vectors share one registry.
pub struct Desk<'a> {
    pub bench: &'a Bench<'a>,
    pub who: &'a str,
}

impl<'a> Desk<'a> {
    /// Employs the person.
    pub fn new(bench: &'a Bench<'a>, who: &'a str) -> Desk<'a> {
        bench.lab.employ(who);
        Desk { bench, who }
    }

    /// Registers what follows `keyring-sync key add WHO`.
    pub fn register(&self, option: &str, key: impl AsRef<[u8]>) {
        self.bench.lab.must_sync(&["key", "add", self.who, option, "-"], key.as_ref());
    }

    /// Pushes a commit of the person's with this signature to `main`.
    pub fn push(&self, sign: impl Fn(&[u8]) -> String + Send + Sync) -> Answer {
        self.bench.to_main(&[self.bench.plain_with_block(self.who, sign)])
    }

    /// Shows that this signature is fine on a branch, so that the attack is the only thing wrong with the next one.
    #[track_caller]
    pub fn good(&self, branch: &str, sign: impl Fn(&[u8]) -> String + Send + Sync) {
        let commit = self.bench.plain_with_block(self.who, sign);
        let update = Update::create(&format!("refs/heads/{branch}"), &commit.id);
        let answer = self.bench.push(&[commit], &[update]);
        must_be(Expected::Accepted, branch, &answer);
    }

    /// Pushes a commit whose committer is somebody else.
    pub fn push_as(&self, committer: &str, sign: impl Fn(&[u8]) -> String + Send + Sync) -> Answer {
        self.bench.to_main(&[self.bench.plain_with_block(committer, sign)])
    }

    /// Pushes one commit on the other, each with one form of its signature: every one is refused, and for this alone.
    pub fn push_each<F: Fn(&[u8]) -> String + Send + Sync>(&self, finding: &str, forms: &[F]) -> Answer {
        let signatures: Vec<Sign<'_>> = forms.iter().map(|form| -> Sign<'_> { form }).collect();
        let answer = self.push_chain(&signatures);
        let all = format!("{0} of {0} new commit", forms.len());
        assert!(answer.said.contains(&all), "not all are refused\n{}", answer.said);
        assert!(answer.findings.iter().all(|id| id == finding), "{:?}\n{}", answer.findings, answer.said);
        answer
    }

    /// Pushes several commits on top of each other, each with its signature, at once.
    pub fn push_chain(&self, signatures: &[Sign<'_>]) -> Answer {
        struct Block<'b>(Sign<'b>);
        impl crate::signer::Signer for Block<'_> {
            fn sign(&self, payload: &[u8]) -> String {
                (self.0)(payload)
            }
        }
        let (who, mut parent, mut commits) = (self.who, "{base}".to_owned(), Vec::new());
        for sign in signatures {
            let text =
                format!("tree {{tree}}\nparent {parent}\nauthor {{{who}}}\ncommitter {{{who}}}\n{{gpgsig}}\n\nwork\n");
            let commit = self.bench.signed_by(Kind::Commit, &text, &Block(*sign));
            parent = commit.id.clone();
            commits.push(commit);
        }
        self.bench.to_main(&commits)
    }
}

/// A vector with a person of its own.
pub fn vector(
    name: &'static str,
    about: &str,
    expected: &str,
    attempt: impl Fn(&Desk<'_>) -> Answer + Send + Sync + 'static,
) -> Vector {
    Vector::new(name, about, expected, move |bench| attempt(&Desk::new(bench, name)))
}

/// A vector of several forms, each with a word for it: all of them must get the expected answer.
pub fn forms(
    name: &'static str,
    about: &str,
    expected: &'static str,
    attempt: impl Fn(&Desk<'_>) -> Vec<(String, Answer)> + Send + Sync + 'static,
) -> Vector {
    vector(name, about, expected, move |desk| {
        let answers = attempt(desk);
        for (form, answer) in &answers {
            must_be(Expected::from_word(expected), form, answer);
        }
        // All that was said goes on, since it is looked through for what a terminal obeys.
        let said = answers.iter().map(|(_, answer)| answer.said.as_str()).collect();
        let (_, last) = answers.into_iter().next_back().expect("a form");
        Answer { said, ..last }
    })
}

/// The answer to one step on the way to the one that matters.
#[track_caller]
pub fn must_be(expected: Expected, what: &str, answer: &Answer) {
    if let Err(why) = expected.compare(answer) {
        panic!("{what}: {why}, not {expected}\n{}", answer.said);
    }
}
