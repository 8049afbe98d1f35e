//! Finds a tone in a recording with the Goertzel algorithm, so that "heard" is a measurement.

use std::path::Path;

use anyhow::{Context, Result, ensure};

/// A recording: mono, linear 16 bit.
pub struct Recording {
    pub rate_hz: u32,
    pub samples: Vec<i16>,
}

/// The length of a window that is judged by itself. Unit: milliseconds.
const WINDOW_MS: u32 = 100;

/// The part of a window's power that must lie in the tone for it to be heard there.
const SHARE_MIN: f64 = 0.5;

/// Windows quieter than this mean square are silence.
const POWER_MIN: f64 = 10_000.0;

impl Recording {
    /// Reads a RIFF file; what follows an unfinished header counts as samples.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        Self::parse(&bytes).with_context(|| path.display().to_string())
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.len() >= 44 && &bytes[..4] == b"RIFF", "no RIFF file");
        let format = position(bytes, b"fmt ").context("no format")?;
        let word = |at: usize| bytes.get(at..at + 2).map(|it| u16::from_le_bytes([it[0], it[1]]));
        ensure!(word(format + 10) == Some(1), "not mono");
        ensure!(word(format + 22) == Some(16), "not 16 bit");
        let rate = bytes.get(format + 12..format + 16).context("no rate")?;
        let rate_hz = u32::from_le_bytes([rate[0], rate[1], rate[2], rate[3]]);
        let data = position(bytes, b"data").context("no samples")? + 8;
        let samples = bytes.get(data..).unwrap_or_default().chunks_exact(2);
        Ok(Self {
            rate_hz,
            samples: samples.map(|it| i16::from_le_bytes([it[0], it[1]])).collect(),
        })
    }

    /// Seconds in which the tone is heard, out of all of them.
    pub fn seconds_of(&self, tone_hz: f64) -> f64 {
        let window = usize::try_from(self.rate_hz * WINDOW_MS / 1000).unwrap_or(1).max(1);
        let with = |it: &&[i16]| holds_tone(it, tone_hz, f64::from(self.rate_hz));
        let windows = self.samples.chunks_exact(window).filter(with).count();
        f64::from(u32::try_from(windows).unwrap_or(u32::MAX)) * f64::from(WINDOW_MS) / 1000.0
    }
}

fn position(bytes: &[u8], name: &[u8]) -> Option<usize> {
    bytes.windows(name.len()).position(|it| it == name)
}

/// Whether at least [`SHARE_MIN`] of the window's power is at that frequency.
fn holds_tone(window: &[i16], tone_hz: f64, rate_hz: f64) -> bool {
    let length = f64::from(u32::try_from(window.len()).unwrap_or(u32::MAX));
    let power = window.iter().map(|&it| f64::from(it).powi(2)).sum::<f64>() / length;
    if power < POWER_MIN {
        return false;
    }
    let factor = 2.0 * (std::f64::consts::TAU * tone_hz / rate_hz).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for &sample in window {
        (before, last) = (last, f64::from(sample) + factor * last - before);
    }
    let square = last * last + before * before - factor * last * before;
    // A sine of that power alone gives length² / 2 times the power.
    square / (length * length / 2.0) / power > SHARE_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(tone_hz: f64, amplitude: f64) -> Vec<i16> {
        let sample =
            |at: u32| (f64::from(at) * tone_hz * std::f64::consts::TAU / 8000.0).sin() * amplitude;
        #[expect(clippy::cast_possible_truncation, reason = "amplitudes below 32767")]
        (0..8000).map(|at| sample(at) as i16).collect()
    }

    #[test]
    fn only_the_tone_that_is_there_is_heard() {
        let table = [(440.0, 440.0, 1.0), (440.0, 1000.0, 0.0), (1000.0, 1000.0, 1.0)];
        for (played, sought, seconds) in table {
            let recording = Recording { rate_hz: 8000, samples: sine(played, 8000.0) };
            assert_eq!(recording.seconds_of(sought), seconds, "{played} Hz, {sought} Hz sought");
        }
        let silence = Recording { rate_hz: 8000, samples: sine(440.0, 10.0) };
        assert_eq!(silence.seconds_of(440.0), 0.0);
    }
}
