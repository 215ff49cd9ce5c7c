//! Money and estimates. What is not known is said not to be known: a missing price is never
//! zero, and a sum with an unknown part is no sum.

mod cost;
mod estimate;
mod money;
#[cfg(test)]
mod tests;

pub use cost::{Cost, Price, ceiling, cost};
pub use estimate::{Estimate, Estimator, Size};
pub use money::Usd;
