//! How a hook was called, and what comes of it.

use crate::forge::{ForgeKind, Variables};
use countersign_policy::time::Time;
use std::path::PathBuf;

/// The server's clock. Hooks use the system's; tests of time set their own.
#[derive(Clone, Copy, Debug)]
pub struct Clock(fn() -> Time);

impl Clock {
    pub fn system() -> Self {
        Clock(|| Time::from_system(std::time::SystemTime::now()))
    }

    pub fn now(self) -> Time {
        (self.0)()
    }
}

/// What the installed hook file and the server say.
pub struct Call<'a> {
    pub config: PathBuf,
    pub forge: ForgeKind,
    pub variables: Variables<'a>,
    pub clock: Clock,
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("config", &self.config).field("forge", &self.forge).finish_non_exhaustive()
    }
}

/// What to tell the client, and git.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub lines: Vec<String>,
    pub exit_code: u8,
}

impl Outcome {
    pub fn silent(exit_code: u8) -> Self {
        Outcome { lines: Vec::new(), exit_code }
    }
}
