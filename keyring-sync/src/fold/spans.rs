//! Sets of instants as sorted, disjoint spans.

use countersign_policy::time::{Span, Time};

/// INVARIANT: sorted by start, without overlap, touch or empty span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    pub fn since(from: Time) -> Self {
        Spans(vec![Span::since(from)])
    }

    pub fn between(from: Time, until: Time) -> Self {
        Spans(if from < until { vec![Span { from, until: Some(until) }] } else { Vec::new() })
    }

    pub fn first(&self) -> Option<Span> {
        self.0.first().copied()
    }

    pub fn last(&self) -> Option<Span> {
        self.0.last().copied()
    }

    /// Whether it holds from some instant on for good.
    pub fn lasts(&self) -> bool {
        self.0.last().is_some_and(|span| span.until.is_none())
    }

    /// When it ended for good.
    pub fn end(&self) -> Option<Time> {
        self.0.last().and_then(|span| span.until)
    }

    pub fn contains(&self, at: Time) -> bool {
        self.0.iter().any(|span| span.contains(at))
    }

    pub fn iter(&self) -> impl Iterator<Item = Span> {
        self.0.iter().copied()
    }

    pub fn union(mut self, other: &Spans) -> Spans {
        self.0.extend(other.iter());
        self.0.sort_by_key(|span| span.from);
        let mut joined: Vec<Span> = Vec::with_capacity(self.0.len());
        for span in self.0 {
            match joined.last_mut() {
                Some(last) if last.until.is_none_or(|until| span.from <= until) => {
                    last.until = match (last.until, span.until) {
                        (Some(a), Some(b)) => Some(a.max(b)),
                        _ => None,
                    };
                }
                _ => joined.push(span),
            }
        }
        Spans(joined)
    }

    pub fn minus(mut self, other: &Spans) -> Spans {
        for cut in other.iter() {
            let mut left = Vec::with_capacity(self.0.len() + 1);
            for span in self.0 {
                // Before the cut, and after it.
                let before =
                    Span { from: span.from, until: Some(span.until.map_or(cut.from, |until| until.min(cut.from))) };
                left.push(before);
                if let Some(resumed) = cut.until {
                    left.push(Span { from: span.from.max(resumed), until: span.until });
                }
            }
            left.retain(|span| span.until.is_none_or(|until| span.from < until));
            self.0 = left;
        }
        self
    }

    pub fn into_vec(self) -> Vec<Span> {
        self.0
    }
}

impl From<Vec<Span>> for Spans {
    fn from(spans: Vec<Span>) -> Self {
        Spans::default().union(&Spans(spans))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Spans> {
        let span = (0i64..20, prop::option::of(1i64..8)).prop_map(|(from, len)| Span {
            from: Time::from_unix_millis(from),
            until: len.map(|len| Time::from_unix_millis(from + len)),
        });
        prop::collection::vec(span, 0..5).prop_map(Spans::from)
    }

    proptest! {
        #[test]
        fn they_are_sets(a in spans(), b in spans()) {
            let (union, minus) = (a.clone().union(&b), a.clone().minus(&b));
            for at in (-1..40).map(Time::from_unix_millis) {
                prop_assert_eq!(union.contains(at), a.contains(at) || b.contains(at));
                prop_assert_eq!(minus.contains(at), a.contains(at) && !b.contains(at));
            }
            for set in [union, minus] {
                let ordered = set.0.windows(2).all(|pair| pair[0].until.is_some_and(|until| until < pair[1].from));
                prop_assert!(ordered, "{:?}", set);
            }
        }
    }
}
