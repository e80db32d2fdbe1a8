//! The rules of heads under unexpected inputs: first the corpus, then mutations of it for two seconds, or for
//! `FUZZ_SECONDS`. `fuzz/` runs the same checks under libFuzzer, which finds more.

#![expect(clippy::unwrap_used, reason = "a panic fails the test with its place")]
#![expect(clippy::disallowed_methods, reason = "the duration and the seed of a run are variables")]

mod heads;
mod request;
mod response;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

const SECONDS: u64 = 2;

#[test]
fn rules_hold_for_any_request() {
    run("request", request::check, include_bytes!("request.dict"));
}

#[test]
fn rules_hold_for_any_response() {
    run("response", response::check, include_bytes!("response.dict"));
}

fn run(name: &str, check: fn(&[u8]), words: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!corpus.is_empty());
    for (path, input) in files.iter().zip(&corpus) {
        try_one(check, input, || format!("{}", path.display()));
    }
    let words: Vec<&[u8]> = words
        .split(|b| *b == b'\n')
        .filter_map(|line| line.strip_prefix(b"\"")?.strip_suffix(b"\""))
        .collect();
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let seed = std::env::var("FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into());
    let (mut random, start, mut count) = (Random(seed), Instant::now(), 0u64);
    while start.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..256 {
            let input = random.change(&corpus, &words);
            try_one(check, &input, || format!("FUZZ_SEED={seed}, input {count}"));
            count += 1;
        }
    }
    println!("{name}: {} kept inputs and {count} others, FUZZ_SEED={seed}", corpus.len());
}

fn try_one(check: fn(&[u8]), input: &[u8], what: impl FnOnce() -> String) {
    let passed = catch_unwind(AssertUnwindSafe(|| check(input))).is_ok();
    assert!(passed, "{}:\n{}", what(), input.escape_ascii());
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap() % limit.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Returns an input of the corpus with lines of others and changed bytes.
    fn change(&mut self, corpus: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = self.pick(corpus).split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        for _ in 0..self.below(6) {
            let other: Vec<&[u8]> = self.pick(corpus).split(|b| *b == b'\n').skip(2).collect();
            let at = 2 + self.below(lines.len());
            match self.below(4) {
                0 if at < lines.len() => drop(lines.remove(at)),
                1 if at < lines.len() => lines.push(lines[at].clone()),
                _ if !other.is_empty() => lines.insert(at.min(lines.len()), self.pick(&other).to_vec()),
                _ => {}
            }
        }
        if self.below(2) == 0 {
            lines[0] = self.below(512).to_string().into_bytes();
        }
        for _ in 0..self.below(6) {
            let line = self.below(lines.len());
            let line = &mut lines[line];
            let at = self.below(line.len() + 1);
            match self.below(6) {
                0 => line.insert(at, u8::try_from(self.below(256)).unwrap()),
                1 if at < line.len() => drop(line.remove(at)),
                2 if at < line.len() => line[at] ^= 0x20,
                3 => drop(line.splice(at..at, self.pick(words).iter().copied())),
                4 => drop(line.splice(at.., self.pick(words).iter().copied())),
                _ => {
                    let to = at + self.below(line.len() - at + 1);
                    let piece = line[at..to].to_vec();
                    line.splice(at..at, piece);
                }
            }
        }
        lines.join(&b'\n')
    }
}
