//! Formats of files, by their first bytes, because names and MIME types are claims of the app.

use infer::MatcherType;

/// Number of first bytes that [`sniff`] reads.
pub(super) const HEAD: usize = 512;

/// Families of formats that a check can expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Image,
    Video,
    Audio,
}

impl Family {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// A recognized format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) family: Family,
    /// The usual file name extension, without the dot.
    pub(super) extension: &'static str,
    pub(super) mime: &'static str,
}

/// Recognizes an image, a video or a sound by its first [`HEAD`] bytes.
pub(super) fn sniff(head: &[u8]) -> Option<Format> {
    let known = infer::get(head).and_then(|known| {
        let family = match known.matcher_type() {
            MatcherType::Image => Family::Image,
            MatcherType::Video => Family::Video,
            MatcherType::Audio => Family::Audio,
            _ => return None,
        };
        Some(Format { family, extension: known.extension(), mime: known.mime_type() })
    });
    known.or_else(|| text_format(head))
}

/// Recognizes formats that are text: a vector image, and a playlist of HTTP Live Streaming, with which Gradio streams
/// sound and video.
fn text_format(head: &[u8]) -> Option<Format> {
    if head.starts_with(b"#EXTM3U") {
        let mime = "application/vnd.apple.mpegurl";
        return Some(Format { family: Family::Video, extension: "m3u8", mime });
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let is_svg = text.starts_with("<svg")
        || ((text.starts_with("<?xml") || text.starts_with("<!")) && text.contains("<svg"));
    is_svg.then_some(Format { family: Family::Image, extension: "svg", mime: "image/svg+xml" })
}

/// Returns true for an image without pixels, and a sound or a video without content, judged by header and length in
/// bytes.
pub(super) fn is_empty(format: Format, head: &[u8], length: u64) -> bool {
    match format.extension {
        "png" => head.get(16..24).is_none_or(|size| size[..4] == [0; 4] || size[4..] == [0; 4]),
        "gif" => head.get(6..10).is_none_or(|size| size[..2] == [0; 2] || size[2..] == [0; 2]),
        // RIFF header, `fmt ` chunk, `data` header: 44 bytes without a sample.
        "wav" => length <= 44,
        _ => length <= 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(head: &[u8]) -> Option<(&'static str, &'static str)> {
        sniff(head).map(|format| (format.family.as_str(), format.extension))
    }

    #[test]
    fn formats_are_recognized_by_their_first_bytes() {
        let table: &[(&[u8], &str, &str)] = &[
            (b"\x89PNG\r\n\x1a\n....", "image", "png"),
            (b"\xff\xd8\xff\xe0", "image", "jpg"),
            (b"GIF89a\x01\0\x01\0", "image", "gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image", "webp"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "audio", "wav"),
            (b"\0\0\0\x20ftypisom", "video", "mp4"),
            (b"\0\0\0\x20ftypM4A ", "audio", "m4a"),
            (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "image", "avif"),
            (b"\x1a\x45\xdf\xa3....", "video", "webm"),
            (b"ID3\x04", "audio", "mp3"),
            (b"\xff\xfb\x90\x00", "audio", "mp3"),
            (b"\xff\xf1\x50\x80", "audio", "aac"),
            (b"fLaC\0", "audio", "flac"),
            (b"OggS\0\x02", "audio", "ogg"),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=", "image", "svg"),
            (b" <svg>", "image", "svg"),
        ];
        for (head, family, extension) in table {
            assert_eq!(named(head), Some((*family, *extension)));
        }
        for head in [b"".as_slice(), b"hello", b"<html><svg>", b"PK\x03\x04", b"%PDF-1.7", b"\xff"] {
            assert_eq!(named(head), None);
        }
    }

    #[test]
    fn files_without_content_are_empty() {
        let png =
            |width: u8| [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0".as_slice(), &[width, 0, 0, 0, 1]].concat();
        let empty = |head: &[u8], length| is_empty(sniff(head).unwrap(), head, length);
        assert!(!empty(&png(1), 70));
        assert!(empty(&png(0), 70));
        assert!(empty(b"RIFF\x24\0\0\0WAVE", 44));
        assert!(!empty(b"RIFF\x24\0\0\0WAVE", 46));
    }
}
