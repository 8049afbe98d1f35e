//! The media light of a leg (媒体指示灯): whether voice flows over it, as the figures of the media edge
//! tell from one report to the next.

use crate::media::Figures;

/// Between the newest two reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Light {
    /// Packets come from the leg and go to it.
    Green,
    /// Only one of the two.
    Yellow,
    /// Neither.
    Red,
}

impl Light {
    /// What a leg's transports carried since the report before, which the new ones were not in.
    pub fn between(before: &[Figures], now: &[Figures]) -> Self {
        let grown = |read: fn(&Figures) -> u64| {
            now.iter().map(read).sum::<u64>() > before.iter().map(read).sum()
        };
        match (grown(|it| it.packets_in), grown(|it| it.packets_out)) {
            (true, true) => Self::Green,
            (true, false) | (false, true) => Self::Yellow,
            (false, false) => Self::Red,
        }
    }

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::TransportId;

    #[test]
    fn light_table() {
        let of = |packets_in, packets_out| Figures {
            transport: TransportId(0),
            packets_in,
            bytes_in: 0,
            lost_in: 0,
            jitter_in_us: 0,
            packets_out,
            refused: 0,
        };
        #[rustfmt::skip]
        let table = [
            (vec![],                     vec![of(5, 5)],           Light::Green),
            (vec![of(5, 5)],             vec![of(9, 9)],           Light::Green),
            (vec![of(5, 5)],             vec![of(5, 9)],           Light::Yellow),
            (vec![of(5, 5)],             vec![of(6, 5)],           Light::Yellow),
            (vec![of(5, 5)],             vec![of(5, 5)],           Light::Red),
            (vec![],                     vec![of(0, 0)],           Light::Red),
            // voice and video
            (vec![of(5, 0), of(0, 0)],   vec![of(5, 1), of(1, 0)], Light::Green),
        ];
        for (before, now, expected) in table {
            assert_eq!(Light::between(&before, &now), expected, "{before:?} {now:?}");
        }
        assert_eq!([Light::Green, Light::Red, Light::Yellow].iter().max(), Some(&Light::Red));
    }
}
