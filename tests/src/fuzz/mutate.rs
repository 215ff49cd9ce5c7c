//! A small seeded mutator: what it makes depends on the seed alone, so that a failure can be
//! made again.

use fastrand::Rng;

/// Pieces that mean something to a reader of JSON, or of a model's stream.
const TOKENS: [&[u8]; 34] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"-0",
    b"1e308",
    b"1e999",
    b"18446744073709551616",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r\n",
    b" ",
    b"\"op\":",
    b"\"request_id\":",
    b"\"arguments\":{}",
    b"\"id\":",
    b"\"jsonrpc\":\"2.0\"",
    b"\"_meta\":{}",
    b"data: ",
    b"\n\n",
    b"event: ping\n",
    b"data: [DONE]\n\n",
    b"<think>",
    b"<tool_call>",
];

/// Longest input made.
const MAX_BYTES: usize = 16 * 1024;

/// A neighbour of one of the seeds, a few changes away.
pub fn neighbour(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = rng.choice(seeds).cloned().unwrap_or_default();
    for _ in 0..rng.usize(1..=6) {
        change(rng, &mut data, seeds);
    }
    data.truncate(MAX_BYTES);
    data
}

fn change(rng: &mut Rng, data: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = rng.usize(0..=data.len());
    let end = (at + rng.usize(0..=16)).min(data.len());
    match rng.u8(0..8) {
        0 if at < data.len() => data[at] ^= 1 << rng.u8(0..8),
        1 if at < data.len() => data[at] = rng.u8(..),
        2 => drop(data.drain(at..end)),
        3 => data.truncate(at),
        4 => {
            let piece = data[at..end].to_vec();
            data.splice(at..at, piece);
        }
        5 => {
            let other = rng.choice(seeds).map(Vec::as_slice).unwrap_or_default();
            let from = rng.usize(0..=other.len());
            data.truncate(at);
            data.extend_from_slice(&other[from..]);
        }
        6 => {
            let token = rng.choice(TOKENS).unwrap_or_default();
            let many = token.repeat(rng.usize(1..=200));
            data.splice(at..at, many);
        }
        _ => {
            let token = rng.choice(TOKENS).unwrap_or_default();
            data.splice(at..end, token.iter().copied());
        }
    }
}
