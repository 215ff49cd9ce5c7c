//! An agent's command line as a model: the wish becomes one text for its standard input, and
//! what it prints becomes stream items, by rules that are data. Running it is `crate::cli`.

pub(super) mod answer;
pub(super) mod request;
pub(super) mod stream;
#[cfg(test)]
mod tests;
