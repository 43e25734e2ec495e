-- What a node keeps of its collaborative documents. `sum` and times are as in channels.

-- The head of a document. A row is written anew for each document of a name, and `id` is never used again.
CREATE TABLE document (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    made INTEGER NOT NULL,
    -- The last row, and the last row that is in the newest snapshot; 0 without one.
    last INTEGER NOT NULL,
    snapshot INTEGER NOT NULL,
    -- The number of the version that was made last.
    versions INTEGER NOT NULL,
    -- When it was deleted: then it is in the trash.
    deleted INTEGER,
    -- When something of it may leave the trash; never later than the truth.
    due INTEGER,
    sum INTEGER NOT NULL
);
CREATE UNIQUE INDEX document_by_name ON document (name) WHERE deleted IS NULL;
CREATE INDEX document_in_trash ON document (id) WHERE deleted IS NOT NULL;
CREATE INDEX document_by_due ON document (due) WHERE due IS NOT NULL;

-- Its rows. Those that are in the newest snapshot are in the trash.
CREATE TABLE document_row (
    document INTEGER NOT NULL,
    n INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    change BLOB NOT NULL,
    PRIMARY KEY (document, n)
) WITHOUT ROWID;

-- Its snapshots. All but the newest are in the trash.
CREATE TABLE document_snapshot (
    document INTEGER NOT NULL,
    -- The last row that is in it.
    through INTEGER NOT NULL,
    time INTEGER NOT NULL,
    -- Where it is, in how many pieces, of how many bytes together.
    body INTEGER NOT NULL,
    pieces INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (document, through)
) WITHOUT ROWID;

-- Its versions. One without a name was made by itself.
CREATE TABLE document_version (
    document INTEGER NOT NULL,
    number INTEGER NOT NULL,
    name TEXT,
    author TEXT NOT NULL,
    time INTEGER NOT NULL,
    through INTEGER NOT NULL,
    body INTEGER NOT NULL,
    pieces INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (document, number)
) WITHOUT ROWID;

-- The pieces that snapshots and versions are in, numbered from 0.
CREATE TABLE document_piece (
    body INTEGER NOT NULL,
    n INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (body, n)
);

-- Bodies that nothing names: not written to their end, or on their way out.
CREATE TABLE document_loose (
    body INTEGER PRIMARY KEY,
    since INTEGER NOT NULL
);
CREATE INDEX document_loose_by_since ON document_loose (since);
