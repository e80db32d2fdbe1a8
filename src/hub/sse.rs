//! Server-sent events (WHATWG HTML, "Event stream interpretation"), decoded from bytes as they come.

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field: empty for an ordinary message.
    pub name: String,
    /// The `data` lines, joined with newlines.
    pub data: String,
}

/// The largest event of a log that is kept, in bytes: what is longer is cut, so that a stream without end cannot
/// fill the memory.
pub const MAX_LOG_EVENT: usize = 10 << 20;

/// Turns chunks of bytes into events, wherever the chunks are cut.
#[derive(Debug)]
pub struct Decoder {
    /// The largest event that is kept, in bytes.
    limit: usize,
    line: Vec<u8>,
    /// The last byte was a carriage return, so a line feed may follow.
    after_return: bool,
    started: bool,
    event: Event,
    has_data: bool,
    has_cut: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(MAX_LOG_EVENT)
    }
}

impl Decoder {
    /// Makes a decoder that keeps events of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_return: false,
            started: false,
            event: Event::default(),
            has_data: false,
            has_cut: false,
        }
    }

    /// Takes the next bytes, and gives the events that they complete.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return)
                && let Some(rest) = bytes.strip_prefix(b"\n")
            {
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let text = &bytes[..end.unwrap_or(bytes.len())];
            let room = self.limit.saturating_sub(self.line.len()).min(text.len());
            self.line.extend_from_slice(&text[..room]);
            self.has_cut |= room < text.len();
            let Some(end) = end else { break };
            events.extend(self.end_line());
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
        }
        events
    }

    /// True if an event of this stream was longer than the limit, and lost its end.
    pub fn has_cut(&self) -> bool {
        self.has_cut
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        // A large line is moved: a copy would take as much memory again.
        let mut line = String::from_utf8(line)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        if !std::mem::replace(&mut self.started, true) && line.starts_with('\u{feff}') {
            line.drain(..'\u{feff}'.len_utf8());
        }
        if line.is_empty() {
            let complete = std::mem::take(&mut self.has_data);
            let event = std::mem::take(&mut self.event);
            return complete.then_some(event);
        }
        let (field, mut start) = match line.find(':') {
            Some(colon) => (&line[..colon], colon + 1),
            None => (line.as_str(), line.len()),
        };
        start += usize::from(line[start..].starts_with(' '));
        match field {
            "event" => line[start..].clone_into(&mut self.event.name),
            "data" if !self.has_data => {
                self.has_data = true;
                line.drain(..start);
                self.event.data = line;
            }
            "data" => self.add_data(&line[start..]),
            // Comments, `id`, `retry` and what is not known.
            _ => {}
        }
        None
    }

    /// Adds a second line of data, and more.
    fn add_data(&mut self, value: &str) {
        let data = &mut self.event.data;
        if data.len() < self.limit {
            data.push('\n');
        }
        let room = value.floor_char_boundary(self.limit.saturating_sub(data.len()));
        self.has_cut |= room < value.len();
        data.push_str(&value[..room]);
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
        let limit = 1000;
        let line = [b"data: ".as_slice(), &vec![b'x'; limit / 2], b"\n"].concat();
        let mut decoder = Decoder::new(limit);
        decoder.push(&line);
        assert!(!decoder.has_cut());
        decoder.push(&line);
        assert!(decoder.has_cut());
        let events = decoder.push(b"data: y\n\ndata: z\n\n");
        assert!(events[0].data.len() <= limit);
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
