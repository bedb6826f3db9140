//! Milliseconds, taken in rounds in which each contender has its turn: what else the machine does meets all alike.

use std::time::Instant;

/// Measures of one thing, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    pub fn of(mut values: Vec<f64>) -> Sample {
        values.sort_by(f64::total_cmp);
        Sample(values)
    }

    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() {
            0 => f64::NAN,
            even if even % 2 == 0 => (self.0[middle - 1] + self.0[middle]) / 2.0,
            _ => self.0[middle],
        }
    }

    pub fn rounds(&self) -> usize {
        self.0.len()
    }

    /// The fastest and the slowest.
    pub fn range(&self) -> (f64, f64) {
        (self.0.first().copied().unwrap_or(f64::NAN), self.0.last().copied().unwrap_or(f64::NAN))
    }
}

/// As [`interleaved_all`], for a fixed number.
pub fn interleaved<const N: usize>(rounds: usize, mut contenders: [Contender<'_>; N]) -> [Sample; N] {
    interleaved_all(rounds, &mut contenders).try_into().expect("a sample of each")
}

/// Lets each contender run once a round, the order turned by one each time, and gives what each took.
pub fn interleaved_all(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Sample> {
    let mut taken: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let who = (round + turn) % contenders.len();
            taken[who].push(contenders[who]());
        }
    }
    taken.into_iter().map(Sample::of).collect()
}

/// Runs once and gives the milliseconds that count.
pub type Contender<'a> = Box<dyn FnMut() -> f64 + 'a>;

pub fn millis<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed().as_secs_f64() * 1000.0, done)
}

/// For each round the difference of two that were measured in it, the second less the first.
pub fn paired(
    rounds: usize,
    first: &mut dyn FnMut() -> f64,
    second: &mut dyn FnMut() -> f64,
) -> (Sample, Sample, Sample) {
    let (mut a, mut b, mut difference) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (one, two) = if round % 2 == 0 {
            let one = first();
            (one, second())
        } else {
            let two = second();
            (first(), two)
        };
        a.push(one);
        b.push(two);
        difference.push(two - one);
    }
    (Sample::of(a), Sample::of(b), Sample::of(difference))
}
