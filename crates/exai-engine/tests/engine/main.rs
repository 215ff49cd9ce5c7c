//! The engine, driven through its own door under paused time: scripted tools, ears that note
//! everything they are told, and an audit of the records after each story.

#[cfg(test)]
mod beside;
mod capacity;
#[cfg(test)]
mod coalescing;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod ear;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod events;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod life_signs;
#[cfg(test)]
mod races;
#[cfg(test)]
mod random;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod world;
