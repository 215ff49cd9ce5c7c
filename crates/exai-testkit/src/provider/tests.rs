//! The server, seen through bare TCP: what is proved here is every byte and moment that other
//! tests lean on, so nothing here shares code with the server.

mod book;
mod client;
mod dialects;
mod doors;
mod faults;
mod searches;
mod time;
mod tls;
