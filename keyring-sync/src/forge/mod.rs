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
    /// What still works of that which somebody else has cut in part: it ends too, and is theirs to give back.
    Partly(String),
}

/// A forge that an administrator's token opens.
pub trait Forge: Send + Sync {
    /// What works now, as the forge shows it to an administrator.
    fn look(&self, login: &str, step: Step) -> Result<Standing, Trouble>;

    /// Ends what works. Whether it did is for [`Forge::look`] to say.
    fn cut(&self, login: &str, step: Step) -> Result<(), Trouble>;

    /// Lets a blocked account in again. Keys and tokens are gone, and stay so.
    fn give_back(&self, login: &str) -> Result<(), Trouble>;

    /// The keys that commits of the account may be signed with; `None`: there is no such account.
    fn keys(&self, login: &str) -> Result<Option<Keys>, Trouble>;
}

/// How a way in stands after an attempt to end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub standing: Standing,
    /// It was wholly open when the attempt began, and was seen to have ended in it: nobody else's doing.
    pub own: bool,
}

/// Ends one way in and reads back whether it ended.
pub fn settle(forge: &dyn Forge, login: &str, step: Step) -> Result<Settled, Trouble> {
    let own = match forge.look(login, step)? {
        standing @ (Standing::Cut | Standing::Absent) => return Ok(Settled { standing, own: false }),
        Standing::Open(_) => true,
        Standing::Partly(_) => false,
    };
    let told = forge.cut(login, step);
    // An answer that got lost does not mean that nothing was done.
    match (forge.look(login, step)?, told) {
        (Standing::Open(_) | Standing::Partly(_), Err(trouble)) => Err(trouble),
        (Standing::Open(what) | Standing::Partly(what), Ok(())) => {
            Err(Trouble::Odd(format!("it answered that all is done, but there is still {what}")))
        }
        (standing @ Standing::Cut, _) => Ok(Settled { standing, own }),
        (standing @ Standing::Absent, _) => Ok(Settled { standing, own: false }),
    }
}

/// Lets an account in again and reads back whether it is in. Only for what this program itself had blocked.
pub fn restore(forge: &dyn Forge, login: &str) -> Result<Standing, Trouble> {
    match forge.look(login, Step::Block)? {
        done @ (Standing::Open(_) | Standing::Absent) => return Ok(done),
        Standing::Cut => {}
        Standing::Partly(_) => {
            return Err(Trouble::odd("somebody changed the account there since it was blocked: decide there by hand"));
        }
    }
    let told = forge.give_back(login);
    match (forge.look(login, Step::Block)?, told) {
        (done @ (Standing::Open(_) | Standing::Absent), _) => Ok(done),
        (_, Err(trouble)) => Err(trouble),
        (_, Ok(())) => Err(Trouble::odd("it answered that all is done, but the account is still blocked")),
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

        fn give_back(&self, _: &str) -> Result<(), Trouble> {
            self.cut.clone()
        }
    }

    fn script(looks: Vec<Result<Standing, Trouble>>, cut: Result<(), Trouble>) -> Script {
        Script { looks: Mutex::new(looks), cut }
    }

    fn settled(looks: Vec<Result<Standing, Trouble>>, cut: Result<(), Trouble>) -> Result<Standing, Trouble> {
        settle(&script(looks, cut), "alice", Step::SshKeys).map(|settled| settled.standing)
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
    fn only_what_was_open_and_ended_by_this_attempt_is_ours() {
        let own = |first: Standing, told: Result<(), Trouble>| {
            settle(&script(vec![Ok(first), Ok(Standing::Cut)], told), "alice", Step::Block).unwrap().own
        };
        let login = || "a login".to_owned();
        assert!(own(Standing::Open(login()), Ok(())));
        assert!(own(Standing::Open(login()), Err(Trouble::Unreachable("timed out".to_owned()))));
        assert!(!own(Standing::Partly(login()), Ok(())), "somebody else had begun to block it");
        assert!(!own(Standing::Cut, Ok(())));
    }

    #[test]
    fn an_account_is_given_back_when_it_is_seen_to_be_open() {
        let open = || Ok(Standing::Open("a login".to_owned()));
        let cut = || Ok(Standing::Cut);
        let restored = |looks: Vec<Result<Standing, Trouble>>, told: Result<(), Trouble>| {
            restore(&script(looks, told), "alice").map_err(|trouble| trouble.to_string())
        };
        let lost = || Err(Trouble::Unreachable("timed out".to_owned()));
        assert_eq!(restored(vec![open()], lost()), open().map_err(|_: Trouble| String::new()), "by hand already");
        assert_eq!(restored(vec![cut(), open()], lost()).unwrap(), Standing::Open("a login".to_owned()));
        assert_eq!(restored(vec![cut(), cut()], lost()).unwrap_err(), "timed out");
        assert!(restored(vec![cut(), cut()], Ok(())).unwrap_err().contains("still blocked"));
        assert!(restored(vec![Ok(Standing::Partly("a login".to_owned()))], Ok(())).unwrap_err().contains("by hand"));
        assert_eq!(restored(vec![Ok(Standing::Absent)], Ok(())), Ok(Standing::Absent));
    }

    #[test]
    fn a_step_survives_its_name() {
        assert!(Step::ALL.into_iter().all(|step| Step::of(step.as_str()) == Some(step)));
    }
}
