//! Server-sent events (WHATWG HTML, "Event stream interpretation"), decoded from bytes as they come.

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field: empty for an ordinary message.
    pub name: String,
    /// The `data` lines, joined with newlines.
    pub data: String,
}

/// The largest event that is kept, in bytes: what is longer is cut, so that a stream without end cannot
/// fill the memory.
pub const MAX_EVENT: usize = 10 << 20;

/// Turns chunks of bytes into events, wherever the chunks are cut.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    /// Whether the last byte was a carriage return, whose line feed may follow.
    after_return: bool,
    started: bool,
    event: Event,
    has_data: bool,
    has_cut: bool,
}

impl Decoder {
    /// Takes the next bytes, and gives the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            let feed_of_return = byte == b'\n' && std::mem::take(&mut self.after_return);
            self.after_return = byte == b'\r';
            match byte {
                b'\n' if feed_of_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ if self.line.len() < MAX_EVENT => self.line.push(byte),
                _ => self.has_cut = true,
            }
        }
        events
    }

    /// Whether an event of this stream was longer than [`MAX_EVENT`], and lost its end.
    pub fn has_cut(&self) -> bool {
        self.has_cut
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&line);
        if !std::mem::replace(&mut self.started, true)
            && let Some(rest) = line.strip_prefix('\u{feff}')
        {
            line = rest.to_owned().into();
        }
        if line.is_empty() {
            let complete = std::mem::take(&mut self.has_data);
            let event = std::mem::take(&mut self.event);
            return complete.then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if self.has_data && self.event.data.len() < MAX_EVENT {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                let room = value.floor_char_boundary(MAX_EVENT.saturating_sub(self.event.data.len()));
                self.has_cut |= room < value.len();
                self.event.data.push_str(&value[..room]);
            }
            // Comments, `id`, `retry` and what is not known.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(text: &[u8]) -> Vec<String> {
        Decoder::default().push(text).into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn events_in_all_their_shapes() {
        assert_eq!(data(b"data: a\n\ndata:b\n\n"), ["a", "b"]);
        assert_eq!(data(b"data: a\r\ndata: b\r\n\r\n"), ["a\nb"]);
        assert_eq!(data(b"data: a\r\rdata: b\r\r"), ["a", "b"]);
        assert_eq!(data(b"\xef\xbb\xbfdata: a\n\n"), ["a"]);
        assert_eq!(data(b": keep-alive\n\nid: 1\n\ndata:\n\n"), [""]);
        assert_eq!(data(b"data: never ended\n"), [""; 0]);
        let named = Decoder::default().push(b"event: close\ndata\n\n");
        assert_eq!(named, [Event { name: "close".to_owned(), data: String::new() }]);
    }

    #[test]
    fn an_event_without_end_is_cut() {
        let line = [b"data: ".as_slice(), &vec![b'x'; MAX_EVENT / 2], b"\n"].concat();
        let mut decoder = Decoder::default();
        decoder.push(&line);
        assert!(!decoder.has_cut());
        decoder.push(&line);
        assert!(decoder.has_cut());
        let events = decoder.push(b"data: y\n\ndata: z\n\n");
        assert!(events[0].data.len() <= MAX_EVENT);
        assert_eq!(events[1].data, "z");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_stream_is_cut(
            text in "(data: ?[a-c\u{e9}]{0,3}|event: x|:c|)(\n|\r\n|\r)((data: ?[a-c]{0,3}|)(\n|\r\n|\r)){0,8}",
            cuts in prop::collection::vec(0usize..80, 0..6),
        ) {
            let bytes = text.as_bytes();
            let whole = Decoder::default().push(bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut decoder = Decoder::default();
            let mut events = Vec::new();
            let mut start = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                events.extend(decoder.push(&bytes[start..cut]));
                start = cut;
            }
            prop_assert_eq!(whole, events);
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Decoder::default().push(&bytes);
        }
    }
}
