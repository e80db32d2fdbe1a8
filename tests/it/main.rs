//! The real binary against the local Hub, driven as GitHub's runner drives it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "`tests/run` names what it prepared in the environment")]

mod bundle;
mod cache;
mod cards;
mod chaos;
mod contract;
mod cuts;
mod debug_lines;
mod deploys;
mod diagnosis;
mod docs;
mod faults;
mod frameworks;
mod github;
mod gradio;
mod harness;
mod hostile;
mod http2;
mod inputs;
mod integration;
mod janitor;
mod keyless;
mod large_files;
mod layers;
mod live;
mod machine;
mod moves;
mod network;
mod other_hubs;
mod pages;
mod paused;
mod plans;
mod platform;
mod preconditions;
mod proxy;
mod races;
mod refusals;
mod refusing;
mod release;
mod rights;
mod roots;
mod round_trips;
mod runs;
mod scripted_app;
mod secrets;
mod settings;
mod signals;
mod staged;
mod take_back;
mod trees;
mod unknown;
mod verify;
mod waiting;
mod words;
