//! What another thread does while this one goes on.

use crate::spread::{Spread, threads};
use std::panic::resume_unwind;
use std::thread::{Builder, JoinHandle};

/// The outcome of some work that another thread has begun. Where no thread can be had, the work is done when it is
/// asked for.
pub struct Ahead<T, W> {
    begun: Option<JoinHandle<T>>,
    work: W,
    _spread: Spread,
}

impl<T, W> std::fmt::Debug for Ahead<T, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ahead").field("begun", &self.begun.is_some()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static, W: FnOnce() -> T + Clone + Send + 'static> Ahead<T, W> {
    pub fn begin(work: W) -> Self {
        let known: Vec<_> = threads().collect();
        let begun = Builder::new().spawn(work.clone()).ok();
        Ahead { begun, work, _spread: Spread::new(&known) }
    }

    /// Waits for it. A panic is passed on.
    pub fn get(self) -> T {
        match self.begun {
            Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => (self.work)(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_there_when_it_is_asked_for() {
        assert_eq!(Ahead::begin(|| 3).get(), 3);
        let here = Ahead { begun: None, work: || 4, _spread: Spread::new(&threads().collect::<Vec<_>>()) };
        assert_eq!(here.get(), 4);
    }

    #[test]
    fn a_panic_is_not_lost() {
        let caught = std::panic::catch_unwind(|| Ahead::begin(|| -> u8 { panic!("on purpose") }).get());
        assert!(caught.is_err());
    }
}
