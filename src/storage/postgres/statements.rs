//! Every statement of a connection that writes.

use tokio_postgres::{Client, Error, Statement};

use super::document::document_columns;
use super::row::head_columns;

/// Rows deleted in one transaction of what is no longer kept.
macro_rules! slice_rows {
    () => {
        "512"
    };
}

/// Inserts rows of documents.
pub(super) const DOCUMENT_ROWS: &str = "INSERT INTO starling.document_row (document, n, time, sum, change)
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[])";

/// Declares the statements, each with its text, and how all are prepared at once.
macro_rules! statements {
    ($($(#[$about:meta])* $name:ident = $text:expr;)+) => {
        /// Prepared for one connection.
        pub(super) struct Statements {
            $($(#[$about])* pub(super) $name: Statement,)+
        }

        impl Statements {
            /// Prepares all of them, in one trip.
            pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
                let ($($name,)+) = tokio::try_join!(biased; $(client.prepare($text),)+)?;
                Ok(Self { $($name,)+ })
            }
        }
    };
}

statements! {
    /// Holds the slots until the transaction has ended: whoever claims one waits for that.
    slots = "SELECT slot, term, owner, generation FROM starling.slot WHERE slot = ANY($1::int[]) ORDER BY slot FOR SHARE";
    heads = concat!("SELECT ", head_columns!(), " FROM starling.channel WHERE name = ANY($1::text[])");
    known = "SELECT value.channel, value.key, value.seq, value.deleted
         FROM unnest($1::text[], $2::bytea[]) AS wanted(name, key)
         JOIN starling.channel ON channel.name = wanted.name
         JOIN starling.value ON value.channel = channel.id AND value.key = wanted.key";
    ids = "SELECT nextval('starling.channel_id') FROM generate_series(1, $1::int)";

    forget = "DELETE FROM starling.channel WHERE id = ANY($1::bigint[])";
    forget_rest = "INSERT INTO starling.garbage (channel, below) SELECT unnest($1::bigint[]), NULL
         ON CONFLICT (channel) DO UPDATE SET below = NULL";
    expire_keys = "DELETE FROM starling.value USING unnest($1::bigint[], $2::bigint[]) AS old(channel, through)
         WHERE value.channel = old.channel AND value.deleted AND value.seq <= old.through";
    expire_publishers = "DELETE FROM starling.result
         USING unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS old(channel, subject, publisher)
         WHERE result.channel = old.channel AND result.subject = old.subject AND result.publisher = old.publisher";

    begin = "INSERT INTO starling.channel (id, name, slot, epoch, keyed, head, term, floor, keys_floor, used, sum)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::boolean[], $6::bigint[],
             $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])";
    save = "UPDATE starling.channel SET head = new.head, term = new.term, floor = new.floor,
             keys_floor = new.keys_floor, used = new.used, sum = new.sum
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
             AS new(id, head, term, floor, keys_floor, used, sum)
         WHERE channel.id = new.id";
    /// By itself, because it has an index that most transactions leave as it is.
    save_due = "UPDATE starling.channel SET due = new.due FROM unnest($1::bigint[], $2::bigint[]) AS new(id, due)
         WHERE channel.id = new.id";
    messages = "INSERT INTO starling.message (channel, seq, term, time, weight, deleted, sum, key, payload)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[],
             $7::bigint[], $8::bytea[], $9::bytea[])";
    raise = "DELETE FROM starling.message USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS old(channel, low, high)
         WHERE message.channel = old.channel AND message.seq >= old.low AND message.seq < old.high";
    raise_far = "INSERT INTO starling.garbage (channel, below) SELECT * FROM unnest($1::bigint[], $2::bigint[])
         ON CONFLICT (channel) DO UPDATE SET below = excluded.below";
    terms = "INSERT INTO starling.term (channel, first, term, sum)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])";
    /// Keeps the newest of each channel.
    trim_terms = "DELETE FROM starling.term WHERE ctid = ANY (ARRAY(
         SELECT old.ctid FROM unnest($1::bigint[]) AS wanted(channel) CROSS JOIN LATERAL (
             SELECT ctid FROM starling.term WHERE channel = wanted.channel ORDER BY first DESC OFFSET $2) AS old))";
    values = "INSERT INTO starling.value (channel, key, seq, term, time, deleted, sum, payload)
         SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[],
             $7::bigint[], $8::bytea[])
         ON CONFLICT (channel, key) DO UPDATE SET seq = excluded.seq, term = excluded.term, time = excluded.time,
             deleted = excluded.deleted, sum = excluded.sum, payload = excluded.payload";
    results = "INSERT INTO starling.result (channel, subject, publisher, serial, seq, term, time, sum)
         SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[],
             $7::bigint[], $8::bigint[])";
    /// Serials follow each other: one falls out of the window for each that comes.
    trim_results = "DELETE FROM starling.result
         USING unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[]) AS old(channel, subject, publisher, serial)
         WHERE result.channel = old.channel AND result.subject = old.subject
             AND result.publisher = old.publisher AND result.serial = old.serial";
    requests = "INSERT INTO starling.request (channel, subject, key, seq, term, time, sum)
         SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[],
             $7::bigint[])
         ON CONFLICT (channel, subject, key) DO UPDATE SET seq = excluded.seq, term = excluded.term,
             time = excluded.time, sum = excluded.sum";
    /// Keeps the newest of each channel.
    trim_requests = "DELETE FROM starling.request WHERE ctid = ANY (ARRAY(
         SELECT old.ctid FROM unnest($1::bigint[]) AS wanted(channel) CROSS JOIN LATERAL (
             SELECT ctid FROM starling.request WHERE channel = wanted.channel ORDER BY seq DESC OFFSET $2) AS old))";

    /// Holds the documents until the transaction has ended: another owner's rows come before these, or after. Those that
    /// somebody else holds are passed by.
    documents = concat!("SELECT ", document_columns!(), " FROM starling.document
         WHERE name = ANY($1::text[]) AND deleted IS NULL FOR UPDATE SKIP LOCKED");
    save_documents = "UPDATE starling.document SET last = new.last, sum = new.sum
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS new(id, last, sum) WHERE document.id = new.id";
    document_rows = DOCUMENT_ROWS;

    /// Finds channels of which something is due, of slots that are still the node's, and moves them to the end of the line.
    due = "WITH late AS MATERIALIZED (
             SELECT id FROM starling.channel WHERE due <= $1 AND EXISTS (SELECT FROM starling.slot
                 WHERE slot.slot = channel.slot AND slot.owner = $4 AND slot.generation = $5)
             ORDER BY due LIMIT $3 FOR UPDATE OF channel SKIP LOCKED)
         UPDATE starling.channel SET due = $2 FROM late WHERE channel.id = late.id RETURNING name";
    /// Deletes some of what is no longer kept. Another node may be doing so with the same channel, which is then left to it.
    /// It changes a row for itself if there may be more.
    collect = concat!(
        "WITH next AS MATERIALIZED (SELECT channel, below FROM starling.garbage ORDER BY channel LIMIT 1 FOR UPDATE SKIP LOCKED),
         gone AS (SELECT channel FROM next WHERE below IS NULL),
         messages AS (DELETE FROM starling.message WHERE ctid = ANY (ARRAY(
             SELECT message.ctid FROM next JOIN starling.message USING (channel)
             WHERE next.below IS NULL OR message.seq < next.below LIMIT ", slice_rows!(), ")) RETURNING 1),
         terms AS (DELETE FROM starling.term WHERE ctid = ANY (ARRAY(
             SELECT term.ctid FROM gone JOIN starling.term USING (channel) LIMIT ", slice_rows!(), ")) RETURNING 1),
         vals AS (DELETE FROM starling.value WHERE ctid = ANY (ARRAY(
             SELECT value.ctid FROM gone JOIN starling.value USING (channel) LIMIT ", slice_rows!(), ")) RETURNING 1),
         results AS (DELETE FROM starling.result WHERE ctid = ANY (ARRAY(
             SELECT result.ctid FROM gone JOIN starling.result USING (channel) LIMIT ", slice_rows!(), ")) RETURNING 1),
         requests AS (DELETE FROM starling.request WHERE ctid = ANY (ARRAY(
             SELECT request.ctid FROM gone JOIN starling.request USING (channel) LIMIT ", slice_rows!(), ")) RETURNING 1),
         done AS (DELETE FROM starling.garbage WHERE channel = (SELECT channel FROM next)
             AND NOT EXISTS (SELECT FROM messages) AND NOT EXISTS (SELECT FROM terms)
             AND NOT EXISTS (SELECT FROM vals) AND NOT EXISTS (SELECT FROM results)
             AND NOT EXISTS (SELECT FROM requests))
         SELECT 1 FROM next"
    );
    size = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
         WHERE relnamespace = to_regnamespace('starling') AND relkind = 'r'";
    /// A transaction that changes nothing writes nothing.
    probe = "UPDATE starling.store SET slots = slots";
}
