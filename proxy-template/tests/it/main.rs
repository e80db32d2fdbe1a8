//! The proxy over raw sockets: both sides of it are this test's own, byte for byte.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a panic fails the test with its place")]

mod answers;
mod binary;
mod callers;
mod docs;
mod frameworks;
mod framing;
mod layers;
mod leak;
mod limits;
mod linked;
mod modes;
mod passing;
mod sleeping;
mod time;
mod tls;
mod websocket;
mod world;
