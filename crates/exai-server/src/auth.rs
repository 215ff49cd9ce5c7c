//! Who may come in. Comparison takes the same time wherever two tokens differ.

use exai_protocol::{Principal, Secret, UnixMillis};
use std::{future::Future, pin::Pin};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

/// A key that opens the door, and whom it lets in.
#[derive(Clone)]
pub struct Pass {
    /// What is shown or proven.
    pub key: Secret,
    /// Whom it stands for.
    pub principal: Principal,
    /// Fires when it opens no more, for those inside too.
    pub revoked: CancellationToken,
}

/// All passes there are at the moment.
pub type Passes = Pin<Box<dyn Future<Output = Vec<Pass>> + Send>>;

/// The pass that fits; every one is tried, so that the time says nothing.
pub(crate) fn fitting(passes: Vec<Pass>, fits: impl Fn(&Secret) -> bool) -> Option<Pass> {
    let mut found = None;
    for pass in passes {
        if fits(&pass.key) && found.is_none() {
            found = Some(pass);
        }
    }
    found
}

/// Whether two tokens are one; takes the same time wherever they differ. None is nobody's.
pub(crate) fn same(key: &Secret, offered: &Secret) -> bool {
    let same = key.expose().as_bytes().ct_eq(offered.expose().as_bytes());
    bool::from(same) && !offered.is_empty()
}

/// The current token and, for an overlap after a rotation, the previous one.
#[derive(Clone)]
pub struct Keys {
    /// Always valid.
    pub current: Secret,
    /// Valid until then.
    pub previous: Option<(Secret, UnixMillis)>,
}

impl Keys {
    /// The tokens that open the door now.
    #[must_use]
    pub fn valid(&self, now: UnixMillis) -> Vec<Secret> {
        let previous = self.previous.iter().filter(|(_, until)| now < *until);
        std::iter::once(&self.current)
            .chain(previous.map(|(token, _)| token))
            .cloned()
            .collect()
    }

    /// Whether a token opens the door now.
    #[must_use]
    pub fn admits(&self, offered: &Secret, now: UnixMillis) -> bool {
        let same = |key: &Secret| key.expose().as_bytes().ct_eq(offered.expose().as_bytes());
        let mut admitted = same(&self.current);
        if let Some((previous, until)) = &self.previous
            && now < *until
        {
            admitted |= same(previous);
        }
        bool::from(admitted) && !offered.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_a_rotated_token_keeps_its_overlap() {
        let keys = Keys {
            current: Secret::new("new"),
            previous: Some((Secret::new("old"), UnixMillis(1000))),
        };
        let admits = |text: &str, now| keys.admits(&Secret::new(text), UnixMillis(now));
        assert!(admits("new", 0) && admits("old", 999));
        assert_eq!(
            (
                keys.valid(UnixMillis(999)).len(),
                keys.valid(UnixMillis(1000)).len()
            ),
            (2, 1)
        );
        assert!(!admits("old", 1000) && !admits("", 0) && !admits("newer", 0));
    }
}
