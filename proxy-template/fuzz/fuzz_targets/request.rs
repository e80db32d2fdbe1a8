#![no_main]

#[path = "../../tests/rules/heads.rs"]
mod heads;
#[path = "../../tests/rules/request.rs"]
mod rules;

libfuzzer_sys::fuzz_target!(|data: &[u8]| rules::check(data));
