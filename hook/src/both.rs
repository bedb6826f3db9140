//! Two things at once.

use crate::spread::{Spread, threads};
use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// Does one thing here and the other on a thread beside it, or afterwards where no thread can be had. A panic of
/// either is passed on.
pub fn both<A, B: Send>(here: impl FnOnce() -> A, beside: impl Fn() -> B + Sync) -> (A, B) {
    let known: Vec<_> = threads().collect();
    scope(|scope| {
        let begun = Builder::new().spawn_scoped(scope, &beside);
        let spread = Spread::new(&known);
        let here = here();
        drop(spread);
        let beside = match begun {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => beside(),
        };
        (here, beside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;
    use std::thread::current;

    #[test]
    fn both_are_done_and_no_panic_is_lost() {
        assert_eq!(both(|| 3, || "four"), (3, "four"));
        let (here, beside) = both(|| current().id(), || current().id());
        assert!(here == current().id() && beside != here, "one here, the other elsewhere");
        assert!(catch_unwind(|| both(|| 3, || -> u8 { panic!("on purpose") })).is_err());
        assert!(catch_unwind(|| both(|| -> u8 { panic!("on purpose") }, || 4)).is_err());
    }
}
