-- What every call to a model used and cost, and what budgets have left.
-- Never edited once released: a change is a further file. Times are milliseconds since 1970,
-- days are whole UTC days since 1970, money is millionths of a US dollar.

-- One row a finished call to a provider, the record of money spent.
CREATE TABLE usage (
    id               INTEGER PRIMARY KEY,
    boot             TEXT    NOT NULL, -- the daemon's life, and
    number           INTEGER NOT NULL, -- its own within it: makes writing a row twice harmless
    settled_at       INTEGER NOT NULL,
    day              INTEGER NOT NULL, -- the day whose budget it counts to: the one it began on
    principal        TEXT    NOT NULL,
    client           TEXT,
    session          TEXT    NOT NULL,
    request          TEXT    NOT NULL,
    thread           TEXT,
    endpoint         TEXT    NOT NULL,
    key_ref          TEXT,             -- the key's name, never the key
    model            TEXT    NOT NULL,
    tool             TEXT    NOT NULL,
    tokens_in        INTEGER NOT NULL, -- cached ones included
    tokens_out       INTEGER NOT NULL, -- reasoning included
    tokens_cached    INTEGER NOT NULL,
    tokens_reasoning INTEGER NOT NULL,
    searches         INTEGER NOT NULL,
    cost_micro       INTEGER,
    cost_unknown     TEXT,             -- why there is no cost
    counted_micro    INTEGER NOT NULL, -- what budgets were charged: never less than the cost
    estimated        INTEGER NOT NULL, -- 1 where the provider reported nothing
    ended            TEXT    NOT NULL CHECK (ended IN ('reported', 'abandoned', 'interrupted')),
    UNIQUE (boot, number),
    CHECK ((cost_micro IS NULL) <> (cost_unknown IS NULL))
) STRICT;

CREATE INDEX usage_by_time ON usage (settled_at);

-- One row a call under way: the most it may cost, until it is known what it did.
CREATE TABLE reservations (
    boot         TEXT    NOT NULL,
    number       INTEGER NOT NULL,
    made_at      INTEGER NOT NULL,
    day          INTEGER NOT NULL,
    principal    TEXT    NOT NULL,
    client       TEXT,
    session      TEXT    NOT NULL,
    request      TEXT    NOT NULL,
    thread       TEXT,
    endpoint     TEXT    NOT NULL,
    key_ref      TEXT,
    model        TEXT    NOT NULL,
    tool         TEXT    NOT NULL,
    tokens_in    INTEGER NOT NULL,
    tokens_out   INTEGER NOT NULL,
    held_micro   INTEGER NOT NULL,
    cost_unknown TEXT,
    PRIMARY KEY (boot, number)
) STRICT, WITHOUT ROWID;

-- The sums budgets are checked against; one row a call, thread, client and day.
CREATE TABLE spending (
    scope       TEXT    NOT NULL CHECK (scope IN ('call', 'thread', 'client', 'day')),
    principal   TEXT    NOT NULL,
    client      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    spent_micro INTEGER NOT NULL,
    held_micro  INTEGER NOT NULL,
    touched_at  INTEGER NOT NULL,
    PRIMARY KEY (scope, principal, client, name)
) STRICT, WITHOUT ROWID;
