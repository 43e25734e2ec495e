-- What a node keeps of its persisted channels.
--
-- A channel's row is written anew for each history (epoch) of its name and `id` is never used again, so a key that
-- begins with `channel` is one of (channel, epoch). Numbers are as in the client protocol; times are milliseconds since
-- 1970; `sum` is xxh3 over the other columns of its row, so that a row that was damaged is not taken for a message.

-- One row: the store itself.
CREATE TABLE store (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- What the epochs of its channels are made from: 32 random bits, drawn when the store was made.
    incarnation INTEGER NOT NULL,
    -- Slots that the channels are spread over.
    slots INTEGER NOT NULL
);

-- Who may write a slot's channels. Every transaction compares this first.
CREATE TABLE slot (
    slot INTEGER PRIMARY KEY,
    term INTEGER NOT NULL,
    owner TEXT NOT NULL,
    generation INTEGER NOT NULL
);

-- The head of a channel. Retention never deletes it.
CREATE TABLE channel (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    slot INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    keyed INTEGER NOT NULL,
    -- The newest message, and the term that wrote it.
    head INTEGER NOT NULL,
    term INTEGER NOT NULL,
    -- The first message that is kept. Rows below it are on their way out.
    floor INTEGER NOT NULL,
    -- The latest removal of a key that is forgotten.
    keys_floor INTEGER NOT NULL,
    used INTEGER NOT NULL,
    -- When something may be due by time; never later than the truth.
    due INTEGER,
    sum INTEGER NOT NULL
);
CREATE INDEX channel_by_slot ON channel (slot);
CREATE INDEX channel_by_due ON channel (due);

CREATE TABLE message (
    channel INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    term INTEGER NOT NULL,
    time INTEGER NOT NULL,
    -- Bytes of payload and key: before the payload, so that adding them up does not read it.
    weight INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    key TEXT,
    payload BLOB NOT NULL,
    PRIMARY KEY (channel, seq)
) WITHOUT ROWID;

-- The first message of each term.
CREATE TABLE term (
    channel INTEGER NOT NULL,
    first INTEGER NOT NULL,
    term INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (channel, first)
) WITHOUT ROWID;

-- The newest message of each key, removals that are remembered included.
CREATE TABLE value (
    channel INTEGER NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    term INTEGER NOT NULL,
    time INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (channel, key)
) WITHOUT ROWID;
CREATE INDEX value_by_removal ON value (channel, seq) WHERE deleted = 1;

-- What became of the last serials of each publisher: `seq` is NULL for one that was skipped.
CREATE TABLE result (
    channel INTEGER NOT NULL,
    subject TEXT NOT NULL,
    publisher BLOB NOT NULL,
    serial INTEGER NOT NULL,
    seq INTEGER,
    term INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (channel, subject, publisher, serial)
) WITHOUT ROWID;

-- What requests with an idempotency key have published.
CREATE TABLE request (
    channel INTEGER NOT NULL,
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    term INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (channel, subject, key)
) WITHOUT ROWID;
CREATE UNIQUE INDEX request_by_seq ON request (channel, seq);

-- Rows that are no longer kept and not yet deleted: messages of `channel` below `below`, or all there is of it when
-- `below` is NULL.
CREATE TABLE garbage (
    channel INTEGER PRIMARY KEY,
    below INTEGER
);
