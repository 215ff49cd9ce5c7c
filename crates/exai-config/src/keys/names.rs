//! Names that are no settings of the table: those that decide where settings come from, and
//! those people still have from the predecessor.

/// Names that decide where settings come from; process environment only.
pub const OTHER_NAMES: &[(&str, &str)] = &[
    (
        "EXAI_HOME",
        "The home: logs, data, run-time files, config/exai.toml and .env. An absolute path.",
    ),
    (
        "EXAI_CONFIG",
        "The user's own settings file, instead of exai/exai.toml in the platform's place.",
    ),
    (
        "ENV_FILE",
        "The file read as .env, instead of .env in the home.",
    ),
    (
        "EXAI_TEST_TOOLS",
        "1: the daemon also has scripted test tools. Never honoured from a file.",
    ),
    (
        "EXAI_TEST_CLOCK",
        "With EXAI_TEST_TOOLS: a file with the milliseconds by which the wall clock is wrong. Never honoured from a file.",
    ),
    (
        "EXAI_CLI_DEPTH",
        "Set by exai for an agent's command line that it runs as a model; inside, exai-shim has no tools. Not for people.",
    ),
];

/// The predecessor's names that are still found in people's files and have no effect here.
pub const RETIRED: &[(&str, &str)] = &[
    (
        "EXAI_WS_SKIP_HEALTH_CHECK",
        "the shim always asks the daemon itself",
    ),
    (
        "EXAI_WS_PING_VALIDATION_TIMEOUT",
        "the shim always asks the daemon itself",
    ),
    (
        "EXAI_WS_INFLIGHT_TTL_SECS",
        "a call is known for exactly as long as it lives",
    ),
    (
        "EXAI_WS_EXPERT_KEEPALIVE_MS",
        "heartbeats are EXAI_WS_PROGRESS_INTERVAL_SECS",
    ),
    (
        "EXAI_WS_EXPERT_SOFT_DEADLINE_SECS",
        "one deadline travels with the call",
    ),
    ("EXAI_WS_EXPERT_MICROSTEP", "tools decide their own steps"),
    (
        "EXAI_SEMAPHORE_HEALTH_CHECK_INTERVAL",
        "permits cannot leak, nothing recovers them",
    ),
    (
        "EXAI_PORT_CHECK_TIMEOUT",
        "an operating-system lock decides who is the daemon",
    ),
    (
        "EXAI_WS_STARTUP_WAIT_PROVIDERS",
        "the daemon serves at once",
    ),
    (
        "EXAI_WS_STARTUP_WAIT_PROVIDERS_TIMEOUT",
        "the daemon serves at once",
    ),
    (
        "CONVERSATION_TIMEOUT_HOURS",
        "conversations are kept for EXAI_THREADS_KEEP_SECS, which are seconds",
    ),
    (
        "CONVERSATION_STORAGE_BACKEND",
        "conversations are kept in the home's database",
    ),
];
