//! Who is at the other end of a connection before a word is said, as the system knows it: an
//! address proves nothing, the user behind a Unix socket proves who he is.

use std::net::{IpAddr, SocketAddr};

/// The other end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// For the log; empty where nothing is known.
    pub name: String,
    /// What the system vouches for.
    pub standing: Standing,
}

/// What the system vouches for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    #[default]
    Unknown,
    /// It sends from there; anybody may.
    At(IpAddr),
    /// It runs as the user whose daemon this is.
    Owner,
    /// It runs as another user, root included, who has no business here.
    Other(u32),
}

impl Caller {
    /// A peer of the network.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self {
            name: address.to_string(),
            // An IPv4 peer of a socket for both is the same peer.
            standing: Standing::At(address.ip().to_canonical()),
        }
    }

    /// A process of this machine that runs as `user`, at a door of `owner`'s.
    #[must_use]
    pub fn process(pid: Option<i32>, user: u32, owner: u32) -> Self {
        let name = pid.map_or_else(|| format!("user {user}"), |pid| format!("pid {pid}"));
        let standing = if user == owner {
            Standing::Owner
        } else {
            Standing::Other(user)
        };
        Self { name, standing }
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.standing == Standing::Owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_only_the_owner_is_vouched_for_root_included() {
        let standing = |user| Caller::process(Some(7), user, 1000).standing;
        assert_eq!(standing(1000), Standing::Owner);
        assert_eq!(standing(0), Standing::Other(0));
        assert_eq!(standing(1001), Standing::Other(1001));
        assert_eq!(Caller::process(Some(7), 0, 0).standing, Standing::Owner);
        let loopback = Caller::at("[::ffff:127.0.0.1]:9".parse().unwrap());
        assert!(!loopback.is_owner() && !Caller::default().is_owner());
        assert_eq!(loopback.standing, Standing::At([127, 0, 0, 1].into()));
    }
}
