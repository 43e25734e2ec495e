-- What nodes keep of their persisted channels, in the database that they share.
--
-- A channel's row is written anew for each history (epoch) of its name and `id` is never used again, so a key that
-- begins with `channel` is one of (channel, epoch). Numbers are as in the client protocol; times are milliseconds since
-- 1970; `sum` is xxh3 over the other columns of its row, so that a row that was damaged is not taken for a message.
-- Subjects and keys are bytes, because text here cannot hold every character that they may.

-- An operator who lets nodes make no schemas has made this one.
DO $$ BEGIN
    IF to_regnamespace('starling') IS NULL THEN
        CREATE SCHEMA starling;
    END IF;
END $$;

-- One row: the store itself.
CREATE TABLE starling.store (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    -- Of the migrations, the last.
    version INTEGER NOT NULL,
    -- What the epochs of its channels are made from: 32 random bits, drawn when the store was made.
    incarnation BIGINT NOT NULL,
    -- Slots that the channels are spread over.
    slots INTEGER NOT NULL
);

-- Who may write a slot's channels. Every transaction compares this first, and holds it until it has ended.
CREATE TABLE starling.slot (
    slot INTEGER PRIMARY KEY,
    -- Counted by the store itself, one more at each claim.
    term BIGINT NOT NULL,
    owner TEXT NOT NULL,
    generation BIGINT NOT NULL,
    -- The term of the owner in the slot table of its cluster, by which claims are told apart; 0 for a node that stands
    -- alone.
    rank BIGINT NOT NULL
);

-- The head of a channel. Retention never deletes it. Each message changes it: with room in its page it stays there, and
-- no index has to be written.
CREATE TABLE starling.channel (
    id BIGINT PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    slot INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    keyed BOOLEAN NOT NULL,
    -- The newest message, and the term that wrote it.
    head BIGINT NOT NULL,
    term BIGINT NOT NULL,
    -- The first message that is kept. Rows below it are on their way out.
    floor BIGINT NOT NULL,
    -- The latest removal of a key that is forgotten.
    keys_floor BIGINT NOT NULL,
    used BIGINT NOT NULL,
    -- When something may be due by time; never later than the truth.
    due BIGINT,
    sum BIGINT NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX channel_by_slot ON starling.channel (slot);
CREATE INDEX channel_by_due ON starling.channel (due);
-- Its numbers are taken before the row is written, and those of a transaction that fails are not used again.
CREATE SEQUENCE starling.channel_id OWNED BY starling.channel.id;

CREATE TABLE starling.message (
    channel BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    term BIGINT NOT NULL,
    time BIGINT NOT NULL,
    -- Bytes of payload and key.
    weight BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL,
    sum BIGINT NOT NULL,
    key BYTEA,
    payload BYTEA NOT NULL,
    PRIMARY KEY (channel, seq)
);

-- The first message of each term.
CREATE TABLE starling.term (
    channel BIGINT NOT NULL,
    first BIGINT NOT NULL,
    term BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    PRIMARY KEY (channel, first)
);

-- The newest message of each key, removals that are remembered included.
CREATE TABLE starling.value (
    channel BIGINT NOT NULL,
    key BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    term BIGINT NOT NULL,
    time BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL,
    sum BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (channel, key)
);
CREATE INDEX value_by_removal ON starling.value (channel, seq) WHERE deleted;

-- What became of the last serials of each publisher: `seq` is NULL for one that was skipped.
CREATE TABLE starling.result (
    channel BIGINT NOT NULL,
    subject BYTEA NOT NULL,
    publisher BYTEA NOT NULL,
    serial BIGINT NOT NULL,
    seq BIGINT,
    term BIGINT NOT NULL,
    time BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    PRIMARY KEY (channel, subject, publisher, serial)
);

-- What requests with an idempotency key have published.
CREATE TABLE starling.request (
    channel BIGINT NOT NULL,
    subject BYTEA NOT NULL,
    key BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    term BIGINT NOT NULL,
    time BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    PRIMARY KEY (channel, subject, key)
);
CREATE UNIQUE INDEX request_by_seq ON starling.request (channel, seq);

-- Rows that are no longer kept and not yet deleted: messages of `channel` below `below`, or all there is of it when
-- `below` is NULL.
CREATE TABLE starling.garbage (
    channel BIGINT PRIMARY KEY,
    below BIGINT
);
