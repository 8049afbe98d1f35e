//! Counts by size, as Prometheus' histograms are made of.

/// Samples up to each of a list of limits; its unit is that of the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<const N: usize> {
    /// Of the samples up to each limit, those above the one before.
    counts: [u64; N],
    /// Above the last limit.
    above: u64,
    /// Of all samples.
    sum: u64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Histogram<N> {
    /// No samples.
    pub const EMPTY: Self = Self { counts: [0; N], above: 0, sum: 0 };

    /// Takes a sample.
    pub fn add(&mut self, limits: &[u64; N], sample: u64) {
        match limits.iter().position(|it| sample <= *it) {
            Some(at) => self.counts[at] += 1,
            None => self.above += 1,
        }
        self.sum = self.sum.saturating_add(sample);
    }

    /// How many samples are no greater than each limit, then how many there are.
    pub fn up_to(&self) -> impl Iterator<Item = u64> {
        let counts = self.counts.iter().chain([&self.above]);
        counts.scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        })
    }

    /// Of all samples.
    pub fn sum(&self) -> u64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_count_for_every_limit_they_are_under() {
        let mut it = Histogram::EMPTY;
        for sample in [0, 10, 11, 20, 21, 1000] {
            it.add(&[10, 20], sample);
        }
        assert_eq!(it.up_to().collect::<Vec<_>>(), [2, 4, 6]);
        assert_eq!(it.sum(), 1062);
    }
}
