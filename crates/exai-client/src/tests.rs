//! The client against a scripted daemon over in-memory pipes, in paused time: an hour of
//! outage costs nothing, and every frame is seen.

mod in_flight;
mod legacy;
mod letting_go;
mod link;
mod peer;
mod requests;
