//! Which dialect of the wire this build speaks, and what it may announce.

/// Same major: the peers understand each other. Minor: additive growth.
pub const PROTOCOL_MAJOR: u32 = 1;
/// See [`PROTOCOL_MAJOR`].
pub const PROTOCOL_MINOR: u32 = 1;
/// `major.minor` as announced in `hello` and `hello_ack`.
pub const PROTOCOL: &str = "1.1";

/// Abilities a peer may announce in `hello`; without one it gets exactly V1.
pub mod feature {
    /// `progress` frames carry `seq`, `stage` and `message`.
    pub const PROGRESS: &str = "progress";
    /// Streamed text arrives as `partial` frames.
    pub const PARTIAL: &str = "partial";
    /// Results carry `structured`, `usage`, `timing`, `attached`, `replayed`, and no `text` copy.
    pub const RICH_RESULTS: &str = "rich_results";
    /// The peer takes unsolicited `notify` frames.
    pub const NOTIFY: &str = "notify";
    /// The peer may subscribe to events.
    pub const EVENTS: &str = "events";
    /// No `call_tool_ack` for a call that is answered at once: the answer says it all.
    pub const BRIEF: &str = "brief";
    /// Said by a daemon only: it proves that it knows the token, and takes proof instead of it.
    pub const PROOF: &str = "proof";
    /// Said by a daemon only: it knows every call that daemons of its home accepted before it.
    pub const JOURNAL: &str = "journal";
    /// Said by a daemon only: `attach`, `collect` and `cancel` reach other clients' calls of the
    /// same principal by their `scope`, and detaching from one leaves it to run.
    pub const SCOPES: &str = "scopes";
    /// The peer wants to hear when its tool list changes (`tools_changed` frames).
    pub const TOOLS_CHANGED: &str = "tools_changed";
    /// The peer wants to hear when what there is to read changes (`resources_changed` frames).
    pub const RESOURCES_CHANGED: &str = "resources_changed";
}

/// Everything this build understands, as listed in `hello_ack.features`.
pub const FEATURES: [&str; 8] = [
    feature::PROGRESS,
    feature::PARTIAL,
    feature::RICH_RESULTS,
    feature::NOTIFY,
    feature::EVENTS,
    feature::BRIEF,
    feature::TOOLS_CHANGED,
    feature::RESOURCES_CHANGED,
];

/// The major number of a `major.minor` announcement, if it is one.
#[must_use]
pub fn major_of(announced: &str) -> Option<u32> {
    announced.split('.').next()?.parse().ok()
}
