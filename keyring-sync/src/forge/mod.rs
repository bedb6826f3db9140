//! What offboarding does on the forges. Each of them is asked what still works, told to end it, and asked again: an
//! answer of success proves nothing. And the keys that people gave them, for a first import.

pub mod config;
mod ghes;
mod gitea;
mod gitlab;
mod keys;

pub use crate::http::Trouble;
pub use config::{BadForge, ForgeConfig, ForgeName, Kind};
pub use keys::{Keys, PublicKey};

/// One way into a forge that must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The account itself: first, because on most forges it ends the rest too.
    Block,
    SshKeys,
    Tokens,
    GpgKeys,
}

impl Step {
    /// The most urgent first.
    pub const ALL: [Step; 4] = [Step::Block, Step::SshKeys, Step::Tokens, Step::GpgKeys];

    pub fn as_str(self) -> &'static str {
        match self {
            Step::Block => "account",
            Step::SshKeys => "ssh-keys",
            Step::Tokens => "tokens",
            Step::GpgKeys => "gpg-keys",
        }
    }

    pub fn of(text: &str) -> Option<Self> {
        Step::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

/// What a forge says of one way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Cut,
    /// There is no such account.
    Absent,
    /// What still works: `2 SSH keys`.
    Open(String),
}

/// A forge that an administrator's token opens.
pub trait Forge: Send + Sync {
    /// What works now, as the forge shows it to an administrator.
    fn look(&self, login: &str, step: Step) -> Result<Standing, Trouble>;

    /// Ends what works. Whether it did is for [`Forge::look`] to say.
    fn cut(&self, login: &str, step: Step) -> Result<(), Trouble>;

    /// The keys that commits of the account may be signed with; `None`: there is no such account.
    fn keys(&self, login: &str) -> Result<Option<Keys>, Trouble>;
}

/// Ends one way in and reads back whether it ended.
pub fn settle(forge: &dyn Forge, login: &str, step: Step) -> Result<Standing, Trouble> {
    if let done @ (Standing::Cut | Standing::Absent) = forge.look(login, step)? {
        return Ok(done);
    }
    let told = forge.cut(login, step);
    // An answer that got lost does not mean that nothing was done.
    match (forge.look(login, step), told) {
        (Ok(Standing::Open(_)), Err(trouble)) => Err(trouble),
        (Ok(Standing::Open(what)), Ok(())) => {
            Err(Trouble::Odd(format!("it answered that all is done, but there is still {what}")))
        }
        (standing, _) => standing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Answers from a list, the first first.
    struct Script {
        looks: Mutex<Vec<Result<Standing, Trouble>>>,
        cut: Result<(), Trouble>,
    }

    impl Forge for Script {
        fn look(&self, _: &str, _: Step) -> Result<Standing, Trouble> {
            self.looks.lock().unwrap().remove(0)
        }

        fn cut(&self, _: &str, _: Step) -> Result<(), Trouble> {
            self.cut.clone()
        }

        fn keys(&self, _: &str) -> Result<Option<Keys>, Trouble> {
            Ok(None)
        }
    }

    fn settled(looks: Vec<Result<Standing, Trouble>>, cut: Result<(), Trouble>) -> Result<Standing, Trouble> {
        settle(&Script { looks: Mutex::new(looks), cut }, "alice", Step::SshKeys)
    }

    #[test]
    fn only_what_is_read_back_counts() {
        let open = || Ok(Standing::Open("1 SSH key".to_owned()));
        let lost = || Trouble::Unreachable("timed out".to_owned());
        assert_eq!(settled(vec![Ok(Standing::Cut)], Err(lost())), Ok(Standing::Cut), "nothing to do");
        assert_eq!(settled(vec![Ok(Standing::Absent)], Err(lost())), Ok(Standing::Absent));
        assert_eq!(settled(vec![open(), Ok(Standing::Cut)], Ok(())), Ok(Standing::Cut));
        assert_eq!(
            settled(vec![open(), Ok(Standing::Cut)], Err(lost())),
            Ok(Standing::Cut),
            "done, though no answer came"
        );
        assert_eq!(settled(vec![open(), open()], Err(lost())), Err(lost()));
        let lied = settled(vec![open(), open()], Ok(())).unwrap_err();
        assert_eq!(lied.to_string(), "it answered that all is done, but there is still 1 SSH key");
        assert_eq!(settled(vec![open(), Err(lost())], Ok(())), Err(lost()), "not read back is not done");
        assert_eq!(settled(vec![Err(lost())], Ok(())), Err(lost()));
    }

    #[test]
    fn a_step_survives_its_name() {
        assert!(Step::ALL.into_iter().all(|step| Step::of(step.as_str()) == Some(step)));
    }
}
