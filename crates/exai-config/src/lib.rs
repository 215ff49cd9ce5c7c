//! Settings in layers, each value with its origin, and the home's files: who may read them,
//! how they are written, where the daemon of a home is to be found. Used by the two binaries
//! only; libraries are given values.

pub mod atomic;
pub mod clients;
pub mod clock;
mod dotenv;
pub mod faults;
mod file;
pub mod home;
pub mod keys;
pub mod load;
pub mod named;
pub mod own_tools;
mod owner;
pub mod platform;
pub mod port_owner;
pub mod profiles;
pub mod render;
pub mod rendezvous;
pub mod settings;
#[cfg(unix)]
pub mod socket;
pub mod strings;
pub mod token;
mod variables;

pub use faults::{Fault, Faults};
pub use home::{Home, HomeError};
pub use load::{Loaded, Origin, Source, load};
pub use named::KeyFolder;
pub use settings::Settings;
pub use strings::{ProcessEnv, Strings};
pub use token::{Keyring, TokenError, TokenStore};
pub use variables::Variables;
