-- The journal: every call a daemon accepted, until it is too old to be asked for.
-- Never edited once released: a change is a further file. Times are milliseconds since 1970.

CREATE TABLE calls (
    id           INTEGER PRIMARY KEY, -- grows in the order calls were accepted
    principal    TEXT    NOT NULL,    -- these three are a call's identity
    scope        TEXT    NOT NULL,
    request      TEXT    NOT NULL,
    boot         TEXT    NOT NULL,    -- the daemon's life that has it in hand, or had it last
    number       INTEGER NOT NULL,    -- its number in the record of that life
    session      TEXT    NOT NULL,
    client_name  TEXT    NOT NULL,
    tool         TEXT    NOT NULL,
    args_hash    BLOB    NOT NULL,    -- SHA-256
    args_bytes   INTEGER NOT NULL,
    arguments    TEXT,                -- only while it may have to run (again)
    timeout_ms   INTEGER,
    repeatable   INTEGER NOT NULL,
    operator     INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('accepted', 'started', 'finished')),
    runs         INTEGER NOT NULL,    -- how often it was started
    accepted_at  INTEGER NOT NULL,
    started_at   INTEGER,
    said_at      INTEGER,             -- the last progress that was kept
    said_stage   TEXT,
    said         TEXT,
    finished_at  INTEGER,
    outcome      TEXT,
    error        TEXT,                -- as on the wire
    queue_us     INTEGER,
    run_us       INTEGER,
    result_bytes INTEGER,             -- of the outputs
    result       TEXT,                -- {"outputs", "structured", "usage"}; NULL: spilled or gone
    result_file  TEXT,                -- its name in the directory of results
    kept_bytes   INTEGER NOT NULL,    -- what the kept result costs; 0: nothing is kept
    left_at      INTEGER              -- its client had stopped waiting, and nobody has taken it
) STRICT;

CREATE UNIQUE INDEX calls_by_identity ON calls (principal, scope, request);
CREATE INDEX calls_open ON calls (id) WHERE state <> 'finished';
CREATE INDEX calls_kept ON calls (finished_at, kept_bytes) WHERE kept_bytes > 0;
CREATE INDEX calls_left ON calls (principal, scope, tool, args_hash) WHERE left_at IS NOT NULL;
