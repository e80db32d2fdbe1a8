//! Files for parameters without an argument.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::arguments::Sample;

/// An image of 64 × 64 pixels in sixteen colours.
const SAMPLE_IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAEAAAABABAMAAABYR2ztAAAAMFBMVEUA/4AQ74Ag34Awz4BAv4BQr4Bgn4Bwj4CAf4CQb4CgX4CwT4DAP4DQL4DgH4DwD4DEixMKAAAAL0lEQVR42mNkgAJBHDQTAwEwqmA4KWB0GU0PowoQgGU0PYwqQC4fzoymh1EFCAAAh9YCoP1vU7cAAAAASUVORK5CYII=";

/// Returns the name and the content of a sample.
pub(super) fn sample_file(sample: Sample) -> (&'static str, Vec<u8>) {
    match sample {
        Sample::Image => ("sample.png", STANDARD.decode(SAMPLE_IMAGE).unwrap_or_default()),
        Sample::Audio => ("sample.wav", tone()),
        Sample::Text => ("sample.txt", b"Hello\n".to_vec()),
    }
}

/// Returns one second of a triangle wave of 444 Hz: WAV, PCM of 16 bits, 16 kHz, one channel.
fn tone() -> Vec<u8> {
    const RATE: u32 = 16_000;
    let samples = (0..RATE).map(|time| (((time % 36) as i16 - 18).abs() - 9) * 1000);
    let length = RATE * 2;
    let mut wav = Vec::with_capacity(44 + length as usize);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + length).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16u32.to_le_bytes());
    wav.extend_from_slice(&[1, 0, 1, 0]);
    wav.extend_from_slice(&RATE.to_le_bytes());
    wav.extend_from_slice(&(RATE * 2).to_le_bytes());
    wav.extend_from_slice(&[2, 0, 16, 0]);
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&length.to_le_bytes());
    samples.for_each(|sample| wav.extend_from_slice(&sample.to_le_bytes()));
    wav
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_check::media;

    #[test]
    fn samples_have_their_formats() {
        let format = |sample| media::sniff(&sample_file(sample).1).map(|format| format.extension);
        assert_eq!(format(Sample::Image), Some("png"));
        assert_eq!(format(Sample::Audio), Some("wav"));
        assert_eq!(tone().len(), 44 + 32_000);
    }
}
