//! Simulations: real clients and real daemons without processes, over a network in memory that
//! partitions, delays, cuts, and lets an old link speak after a new one; daemons die and come
//! back on the same book. Time is virtual, so that an hour costs a second; every run is drawn
//! from a seed, which a failure tells and `EXAI_TEST_SEED` repeats.

#[cfg(test)]
mod book;
#[cfg(test)]
mod life;
#[cfg(test)]
mod network;
#[cfg(test)]
mod tool;
#[cfg(test)]
mod world;
#[cfg(test)]
mod worlds;
