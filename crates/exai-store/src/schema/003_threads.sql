-- Conversations: every turn once, in full, and an index of its words.
-- Never edited once released: a change is a further file. Times are milliseconds since 1970.

CREATE TABLE threads (
    id         INTEGER PRIMARY KEY,
    key        TEXT    NOT NULL UNIQUE, -- the continuation_id: nobody can guess it
    principal  TEXT    NOT NULL,
    workspace  TEXT    NOT NULL,        -- the client's folder; '' where it named none
    title      TEXT    NOT NULL,
    tool       TEXT    NOT NULL,        -- the one that began it
    created_at INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,        -- when a turn was last kept
    turns      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL         -- of all its turns
) STRICT;

CREATE INDEX threads_by_use ON threads (touched_at);
CREATE INDEX threads_of ON threads (principal, touched_at);

CREATE TABLE turns (
    id           INTEGER PRIMARY KEY,
    thread       INTEGER NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    number       INTEGER NOT NULL,      -- from one, in the order in which they were kept
    parent       INTEGER,               -- the number of the turn it goes on from
    at           INTEGER NOT NULL,
    tool         TEXT    NOT NULL,
    question     TEXT    NOT NULL,      -- as asked: no files in it, no earlier turns
    instructions TEXT,
    findings     TEXT,
    files        TEXT,                  -- JSON: path, name, hash, lines; never what they hold
    mark         TEXT,                  -- the code of the marks around those files
    answer       TEXT,
    expert       TEXT,
    state        TEXT,                  -- JSON: what the tool itself goes on from
    endpoint     TEXT,
    model        TEXT,
    spent        TEXT,                  -- JSON: tokens, price, attempts, times
    carry        TEXT,                  -- JSON: what the provider wants back unchanged
    UNIQUE (thread, number)
) STRICT;

-- What was tried and came to nothing: that it was, and nothing of its words.
CREATE TABLE turn_failures (
    id     INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    at     INTEGER NOT NULL,
    tool   TEXT    NOT NULL,
    code   TEXT    NOT NULL,
    why    TEXT    NOT NULL
) STRICT;

CREATE INDEX turn_failures_of ON turn_failures (thread);

-- Ids that were used once, so that whoever brings one hears what became of it.
CREATE TABLE threads_gone (
    key       TEXT    PRIMARY KEY,
    principal TEXT    NOT NULL,
    why       TEXT    NOT NULL CHECK (why IN ('unused', 'room', 'deleted')),
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX threads_gone_by_time ON threads_gone (at);

CREATE VIRTUAL TABLE turn_words USING fts5 (
    question, answer, findings, expert,
    content = 'turns', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER turn_words_in AFTER INSERT ON turns BEGIN
    INSERT INTO turn_words (rowid, question, answer, findings, expert)
    VALUES (new.id, new.question, new.answer, new.findings, new.expert);
END;

CREATE TRIGGER turn_words_out AFTER DELETE ON turns BEGIN
    INSERT INTO turn_words (turn_words, rowid, question, answer, findings, expert)
    VALUES ('delete', old.id, old.question, old.answer, old.findings, old.expert);
END;
