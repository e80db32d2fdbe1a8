//! Readers of text files: rows, types and faults; and the memory that they take.

use std::io::{self, Read};

use proptest::prelude::*;

use super::*;

const MAX_ROW: u64 = 1000;

fn read(format: Format, text: impl AsRef<[u8]>) -> (Table, Vec<String>) {
    let mut list = Vec::new();
    let mut faults = Faults::new("f", &mut list, 20);
    let table = read_text(format, text.as_ref(), MAX_ROW, &mut faults).unwrap();
    let shown = list.iter().map(|fault| match fault.line {
        Some(line) => format!("{line} {}", fault.sentence),
        None => fault.sentence.clone(),
    });
    (table, shown.collect())
}

fn types(table: &Table) -> String {
    let types = table.columns.iter().map(|(name, column)| format!("{name}: {}", column.kind));
    types.collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(format: Format, text: &str, rows: u64, columns: &str) {
    let (table, faults) = read(format, text);
    assert_eq!((table.rows, types(&table).as_str(), faults), (rows, columns, vec![]), "{text:?}");
}

#[track_caller]
fn check_faults(format: Format, text: impl AsRef<[u8]>, wanted: &[&str]) {
    assert_eq!(read(format, &text).1, wanted, "{:?}", String::from_utf8_lossy(text.as_ref()));
}

#[test]
fn rows_of_json_lines_have_types() {
    use Format::JsonLines;
    check(JsonLines, "{\"a\": 1, \"b\": \"x\"}\r\n\n{\"a\": 2.5, \"b\": null}", 2, "a: float64, b: string");
    check(JsonLines, "{\"a\": []}\n{\"a\": [[true]]}\n", 2, "a: list<list<bool>>");
    check(JsonLines, "{\"a\": {\"b\": 1}}\n{\"a\": {\"c\": \"\"}}\n", 2, "a: struct<b: int64, c: string>");
    check(JsonLines, "{\"a\": null}\n", 1, "a: null");
    check(JsonLines, "{\"big\": 18446744073709551615}\n", 1, "big: float64");
    assert_eq!(read(JsonLines, "{\"é\": 1}\n{}").0.example, Some(serde_json::json!({"é": 1})));
}

#[test]
fn faults_of_json_lines_have_their_lines() {
    use Format::JsonLines;
    check_faults(
        JsonLines,
        "{\"a\": 1}\nno\n[1]\n{\"a\": \"x\"}\n\n{\"a\": 1, \"a\": 2}\n{\"a\": {}}\n{\"b\": {\"c\": 1, \"c\": 2}}\n{\"a\": NaN}\n{\"a\"",
        &[
            "2 is no JSON: expected ident (column 2)",
            "3 is no JSON object",
            "4 has the type string in the column `a`, which is int64 since line 1",
            "6 has the key `a` twice",
            "7 has the type struct in the column `a`, which is int64 since line 1",
            "8 has the key `b.c` twice",
            "9 is no JSON: expected value (column 7)",
            "10 is no JSON: EOF while parsing an object (column 4)",
        ],
    );
    let long = format!("{{\"a\": \"{}\"}}\n{{\"a\": 1}}\n", "x".repeat(2000));
    check_faults(JsonLines, long, &["1 has a row of 2 kB, and the limit is 1 kB"]);
}

#[test]
fn encodings_are_refused_once_for_a_file() {
    use Format::{Csv, Json, JsonLines};
    check_faults(JsonLines, b"{\"a\": \"\xe9\"}\n{\"a\": \"\xe9\"}\n", &["1 is not UTF-8"]);
    check_faults(
        JsonLines,
        [b"{\"a\": \"\"}\n{\"a\": \"\xc3\xa9\"}\n", &b"{\"a\": \"\xe9\"}\n"[..]].concat().as_slice(),
        &["3 is not UTF-8, while line 2 is: the file mixes encodings"],
    );
    check_faults(Csv, b"a\n\xe9\n", &["2 is not UTF-8"]);
    check_faults(Csv, b"\xff\xfea\0\n\0", &["1 is UTF-16 and must be UTF-8"]);
    check(Json, "\u{feff}[{\"a\": 1}]", 1, "a: int64");
    check(Csv, "\u{feff}a\n1\n", 1, "a: int64");
}

#[test]
fn json_is_a_list_or_lines() {
    use Format::Json;
    check(Json, "\n[\n {\"a\": \"}],\\\"\"},\n {\"a\": \"[\"}\n]\n", 2, "a: string");
    check(Json, "{\"a\": 1}\n{\"a\": 2}\n", 2, "a: int64");
    check(Json, "[]", 0, "");
    for (text, faults) in [
        ("[{\"a\": 1}\n{\"a\": 2}]", &["2 has no comma between two objects"][..]),
        ("[{\"a\": 1},\n]", &["2 has a comma without an object behind it"]),
        ("[{\"a\": 1}\n", &["2 ends in the middle of its list"]),
        ("[{\"a\": 1}] x", &["1 has text behind its list"]),
        ("[1,\n{\"a\":\n x}]", &["1 is no JSON object", "3 is no JSON: expected value (column 2)"]),
        ("{\n\"a\": 1\n}", &["1 must be a list of objects, or an object on each line"]),
    ] {
        check_faults(Json, text, faults);
    }
}

#[test]
fn types_of_csv_are_those_of_pandas() {
    use Format::{Csv, Tsv};
    check(Csv, "a,b,c\n1,x,True\n2.5,,false\nNA,\"q, \"\"r\"\"\n2\",\n", 3, "a: float64, b: string, c: bool");
    check(Csv, ",b\n0,1\n1,x\n", 2, "Unnamed: 0: int64, b: string");
    check(Tsv, "a\tb\n1\t2,5\n", 1, "a: int64, b: string");
    check_faults(
        Csv,
        "a,b,a\n1,2\n",
        &["1 has the column `a` twice", "2 has 2 fields, and the header has 3"],
    );
    let open = format!("a\n\"{}", "x\n".repeat(100_000));
    check_faults(Csv, open, &["2 has a larger row, or a `\"` that is not closed, and the limit is 1 kB"]);
}

#[test]
fn csv_types_must_hold_for_each_piece_that_pandas_reads() {
    let rows = |number: usize, cell: &str| format!("{cell}\n").repeat(number);
    let text = format!("a\n{}{}", rows(10_000, "1"), rows(3, "x"));
    let fault = "10002 has the type string in the column `a`, which is int64 in the rows before";
    check_faults(Format::Csv, text, &[fault]);
    check(Format::Csv, &format!("a\n{}{}", rows(10_000, "x"), rows(3, "1")), 10_003, "a: string");
}

#[test]
fn later_files_agree_with_the_first() {
    let differences = |format, first: &str, later: &str| -> Vec<String> {
        let [first, later] = [first, later].map(|text| read(format, text).0.columns);
        let found = super::differences(&first, &later, format);
        found.iter().map(|difference| format!("{:?} {}", difference.line, difference.sentence("f"))).collect()
    };
    use Format::JsonLines;
    for (first, later, wanted) in [
        ("{\"a\": 1.5}", "{\"a\": 1}", vec![]),
        ("{\"a\": 1}", "{\"a\": null}\n{\"a\": null}", vec![]),
        ("{\"a\": {\"b\": 1, \"c\": 1}}", "{\"a\": {\"b\": 1}}", vec![]),
        (
            "{\"a\": 1}",
            "{\"a\": 1}\n{\"a\": 1.5}",
            vec!["Some(2) has the type float64 in the column `a`, which is int64 in f"],
        ),
        (
            "{\"a\": null}",
            "{\"a\": \"x\"}",
            vec!["Some(1) has the type string in the column `a`, which is null in f"],
        ),
        (
            "{\"a\": [{\"b\": 1}], \"x\": 1}",
            "{\"a\": [{\"b\": \"\"}], \"y\": 1}",
            vec![
                "None has no column `x`, which f has",
                "Some(1) has the type string in the column `a.b`, which is int64 in f",
                "Some(1) has a column `y`, which f does not have",
            ],
        ),
    ] {
        assert_eq!(differences(JsonLines, first, later), wanted, "{first} {later}");
    }
}

#[test]
fn shards_of_csv_are_equal_and_splits_fit() {
    // With the results of version 5.2 of the library.
    for (first, later, fits, is_equal) in [
        ("a\nx\n", "a\n1\n", true, false),
        ("a\n1\n", "a\nx\n", false, false),
        ("a\n1.5\n", "a\n1\n", true, false),
        ("a\n1\n", "a\n1.5\n", false, false),
        ("a,b\n,1\n", "a,b\n1,1\n", true, false),
        ("a,b\n1,1\n", "a,b\n,1\n", true, false),
        ("a,b\nTrue,1\n", "a,b\n,1\n", true, false),
        ("a,b\nTrue,1\n,1\n", "a,b\nTrue,1\n", true, true),
        ("a,b\n1,x\n", "b,a\nx,1\n", true, false),
        ("a,b\n1,1\n,1\n", "a,b\n1.5,1\n", true, true),
    ] {
        let [one, other] = [first, later].map(|text| read(Format::Csv, text).0.columns);
        let found = super::differences(&one, &other, Format::Csv);
        assert_eq!(found.is_empty(), fits, "{first} {later} {found:?}");
        let found = differences_of_shards(&one, &other);
        assert_eq!(found.is_empty(), is_equal, "{first} {later} {found:?}");
    }
}

#[test]
fn keys_that_differ_from_row_to_row_end_the_check() {
    let rows: String = (0..20_000).map(|number| format!("{{\"key{number}\": 1}}\n")).collect();
    let (table, faults) = read(Format::JsonLines, rows);
    assert_eq!(table.rows, 10_001);
    assert_eq!(faults, ["10001 has the column 10001: keys that differ from row to row belong into a list"]);
}

/// A stream that repeats a piece.
struct Repeated {
    piece: &'static [u8],
    left: usize,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.left).min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece[..length]);
        self.left -= length;
        Ok(length)
    }
}

const LONG: usize = 8 << 20;

#[test]
fn row_without_an_end_is_never_held() {
    const MAX: u64 = 100_000;
    let piece: &[u8; 4096] = &[b'['; 4096];
    let stream = || BufReader::with_capacity(BUFFER, Repeated { piece, left: LONG });
    let mut held = Vec::new();
    assert_eq!(lines::next_line(&mut stream(), MAX, &mut held).unwrap(), lines::Line::TooLong(LONG as u64));
    assert!(held.capacity() <= 2 * MAX as usize, "{}", held.capacity());
    let mut held = Vec::new();
    assert_eq!(json_list::read_element(&mut stream(), &mut 1, MAX, &mut held).unwrap(), LONG as u64);
    assert!(held.capacity() <= 2 * MAX as usize, "{}", held.capacity());
    // The reader of CSV has buffers of its own, so that it must not read on.
    let mut csv = Repeated { piece: b"\"aaaaaaa", left: LONG };
    let mut list = Vec::new();
    let mut faults = Faults::new("f", &mut list, 20);
    delimited::read(&mut csv, b',', MAX, &mut faults).unwrap();
    assert!(LONG - csv.left <= MAX as usize + 2 * BUFFER, "{}", LONG - csv.left);
}

#[test]
fn many_rows_need_the_memory_of_one() {
    for (format, piece) in [(Format::JsonLines, &b"{\"a\": 1}\n"[..]), (Format::Csv, b"text\n")] {
        let mut list = Vec::new();
        let mut faults = Faults::new("f", &mut list, 20);
        let left = LONG / 8 / piece.len() * piece.len();
        let table = read_text(format, Repeated { piece, left }, MAX_ROW, &mut faults).unwrap();
        assert_eq!(table.columns.iter().count(), 1);
        assert!(table.rows as usize >= left / piece.len() - 1 && list.is_empty(), "{list:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>, text in "[\\[\\]{}\",:a1 \n\\\\]{0,60}") {
        for format in [Format::JsonLines, Format::Json, Format::Csv, Format::Tsv] {
            for input in [bytes.as_slice(), text.as_bytes()] {
                let (table, faults) = read(format, input);
                prop_assert!(faults.len() <= 20);
                prop_assert!(table.rows <= input.len() as u64);
            }
        }
    }

    #[test]
    fn list_and_lines_of_the_same_objects_agree(numbers in proptest::collection::vec(any::<i64>(), 1..20), text in any::<String>()) {
        let objects: Vec<String> =
            numbers.iter().map(|number| serde_json::json!({ "n": number, "t": text }).to_string()).collect();
        let (lines, faults) = read(Format::JsonLines, objects.join("\n"));
        prop_assume!(faults.is_empty());
        let (list, faults) = read(Format::Json, format!("[{}]", objects.join(" ,\n")));
        prop_assert_eq!(faults, Vec::<String>::new());
        prop_assert_eq!((list.rows, types(&list)), (lines.rows, types(&lines)));
    }
}
