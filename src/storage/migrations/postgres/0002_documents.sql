-- What nodes keep of their collaborative documents. `sum` and times are as in channels, and so
-- are names of versions and their authors, which are bytes.

CREATE SEQUENCE starling.document_id;

-- The head of a document. A row is written anew for each document of a name, and `id` is never used again. Each
-- append changes it: with room in its page it stays there, and no index has to be written.
CREATE TABLE starling.document (
    id BIGINT PRIMARY KEY DEFAULT nextval('starling.document_id'),
    name TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL,
    -- The last row, and the last row that is in the newest snapshot; 0 without one.
    last BIGINT NOT NULL,
    snapshot BIGINT NOT NULL,
    -- The number of the version that was made last.
    versions BIGINT NOT NULL,
    -- When it was deleted: then it is in the trash.
    deleted BIGINT,
    -- When something of it may leave the trash; never later than the truth.
    due BIGINT,
    sum BIGINT NOT NULL
) WITH (fillfactor = 70);
ALTER SEQUENCE starling.document_id OWNED BY starling.document.id;
CREATE UNIQUE INDEX document_by_name ON starling.document (name) WHERE deleted IS NULL;
CREATE INDEX document_in_trash ON starling.document (id) WHERE deleted IS NOT NULL;
CREATE INDEX document_by_due ON starling.document (due) WHERE due IS NOT NULL;

-- Its rows. Those that are in the newest snapshot are in the trash.
CREATE TABLE starling.document_row (
    document BIGINT NOT NULL,
    n BIGINT NOT NULL,
    time BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    change BYTEA NOT NULL,
    PRIMARY KEY (document, n)
);

-- Its snapshots. All but the newest are in the trash.
CREATE TABLE starling.document_snapshot (
    document BIGINT NOT NULL,
    -- The last row that is in it.
    through BIGINT NOT NULL,
    time BIGINT NOT NULL,
    -- Where it is, in how many pieces, of how many bytes together.
    body BIGINT NOT NULL,
    pieces BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    PRIMARY KEY (document, through)
);

-- Its versions. One without a name was made by itself.
CREATE TABLE starling.document_version (
    document BIGINT NOT NULL,
    number BIGINT NOT NULL,
    name BYTEA,
    author BYTEA NOT NULL,
    time BIGINT NOT NULL,
    through BIGINT NOT NULL,
    body BIGINT NOT NULL,
    pieces BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    PRIMARY KEY (document, number)
);

-- The pieces that snapshots and versions are in, numbered from 0.
CREATE TABLE starling.document_piece (
    body BIGINT NOT NULL,
    n BIGINT NOT NULL,
    sum BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (body, n)
);

-- Bodies that nothing names: not written to their end, or on their way out.
CREATE TABLE starling.document_loose (
    body BIGINT PRIMARY KEY,
    since BIGINT NOT NULL
);
CREATE INDEX document_loose_by_since ON starling.document_loose (since);
