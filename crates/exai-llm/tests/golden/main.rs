//! The golden matrix: every wish at every shipped endpoint, every transcript cut at every
//! byte, every refusal. The files beside this one are data, compared by value; each names the
//! documentation it was written from and its date. None was captured from a provider.
//! `EXAI_GOLDEN=update cargo test -p exai-llm --test golden` writes what is computed; read
//! the difference before keeping it.

#[cfg(test)]
mod errors;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod loops;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod streams;
