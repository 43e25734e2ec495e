//! One connection to a peer, from the end of the handshake to its own.
//!
//! Each side opens a stream for each lane and writes into it; the stream of the handshake carries beats: how long the
//! other was not heard, and what was taken of each lane. No stream waits for another: each has a window of its own,
//! and the connection has room for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bincode::{Decode, Encode};
use bytes::BytesMut;
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::frame::{self, Incoming, LANES, Lane};
use super::hello;
use super::inbox::Doors;
use super::shared::Shared;

/// A node that ends says so with this code.
pub(super) const FAREWELL: VarInt = VarInt::from_u32(1);
/// The connection is put away; another may come.
pub(super) const PUT_AWAY: VarInt = VarInt::from_u32(2);
/// What came cannot be.
const PROTOCOL: VarInt = VarInt::from_u32(3);

/// Bytes read at once from a stream.
const READ_BYTES: usize = 64 * 1024;

/// Beats before everything, control before slots.
const BEAT_PRIORITY: i32 = 2;
const CONTROL_PRIORITY: i32 = 1;

/// A sign of life.
#[derive(Clone, Debug, Encode, Decode)]
struct Beat {
    /// Milliseconds since the receiver of this was last heard.
    deaf_ms: u32,
    /// The last frame taken, of each lane.
    taken: [u64; LANES],
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was put away by this node.
    PutAway,
    /// The peer said that it ends.
    Farewell,
    /// It broke, or the peer put it away.
    Broken(String),
    /// The peer sent what cannot be.
    Protocol(&'static str),
}

/// See the module.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) beats: (SendStream, RecvStream),
    pub(super) shared: Arc<Shared>,
    pub(super) doors: Doors,
    pub(super) interval: Duration,
}

impl Session {
    /// Serves the connection until it ends, or until `put_away` says so. When this returns nothing is read or written any
    /// more.
    pub(super) async fn run(self, mut put_away: oneshot::Receiver<()>) -> End {
        let Self {
            connection,
            beats: (beat_out, beat_in),
            shared,
            doors,
            interval,
        } = self;
        shared.hear(0);
        let mut tasks = JoinSet::new();
        for lane in 0..LANES {
            tasks.spawn(write_lane(connection.clone(), Arc::clone(&shared), lane));
        }
        tasks.spawn(beat(beat_out, Arc::clone(&shared), interval));
        tasks.spawn(listen(beat_in, Arc::clone(&shared)));
        let claimed = Arc::<[AtomicBool; LANES]>::default();
        let end = loop {
            tokio::select! {
                _ = &mut put_away => break End::PutAway,
                ended = tasks.join_next() => {
                    let ended = ended.expect("tasks of a connection end with it");
                    break ended.unwrap_or_else(|panic| End::Broken(panic.to_string()));
                }
                stream = connection.accept_uni() => match stream {
                    Ok(stream) => {
                        let reader = Reader {
                            stream,
                            shared: Arc::clone(&shared),
                            doors: doors.clone(),
                            claimed: Arc::clone(&claimed),
                        };
                        tasks.spawn(reader.run());
                    }
                    Err(error) => break ended(&error),
                },
            }
        };
        // What a stream says of its end is less than what the connection knows of its own.
        let end = match (end, connection.close_reason()) {
            (End::Broken(_), Some(reason)) => ended(&reason),
            (end, _) => end,
        };
        let code = if matches!(end, End::Protocol(_)) {
            PROTOCOL
        } else {
            PUT_AWAY
        };
        connection.close(code, b"");
        tasks.shutdown().await;
        end
    }
}

fn ended(error: &ConnectionError) -> End {
    match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == FAREWELL => End::Farewell,
        error => End::Broken(error.to_string()),
    }
}

/// Writes what the lane has, for as long as the connection takes it.
async fn write_lane(connection: Connection, shared: Arc<Shared>, lane: usize) -> End {
    let result: Result<(), End> = async {
        let broken = |error: &dyn std::fmt::Display| End::Broken(error.to_string());
        let mut stream = connection.open_uni().await.map_err(|error| broken(&error))?;
        if lane == Lane::Control.index() {
            stream.set_priority(CONTROL_PRIORITY).map_err(|error| broken(&error))?;
        }
        let name = [u8::try_from(lane).expect("a handful of lanes")];
        stream.write_all(&name).await.map_err(|error| broken(&error))?;
        let mut chunks = Vec::new();
        loop {
            shared.lanes[lane].unwritten(&mut chunks).await;
            stream
                .write_all_chunks(&mut chunks)
                .await
                .map_err(|error| broken(&error))?;
            chunks.clear();
        }
    }
    .await;
    result.err().unwrap_or(End::PutAway)
}

/// Says that this node lives, and what it has taken.
async fn beat(mut stream: SendStream, shared: Arc<Shared>, interval: Duration) -> End {
    // A stream that is closed is told by the next write.
    let _ = stream.set_priority(BEAT_PRIORITY);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.tell.notified() => {}
        }
        shared.told();
        let deaf = Instant::now().saturating_duration_since(shared.heard());
        let beat = Beat {
            deaf_ms: u32::try_from(deaf.as_millis()).unwrap_or(u32::MAX),
            taken: shared.taken(),
        };
        if let Err(error) = hello::write(&mut stream, &beat).await {
            return End::Broken(error.to_string());
        }
    }
}

/// Hears that the peer lives, and what it has taken.
async fn listen(mut stream: RecvStream, shared: Arc<Shared>) -> End {
    loop {
        let beat: Beat = match hello::read(&mut stream).await {
            Ok(beat) => beat,
            Err(hello::TalkError::Codec(_) | hello::TalkError::TooLong(_)) => {
                return End::Protocol("a beat that cannot be read");
            }
            Err(error) => return End::Broken(error.to_string()),
        };
        shared.hear(beat.deaf_ms);
        for (lane, taken) in shared.lanes.iter().zip(beat.taken) {
            if !lane.acknowledge(taken) {
                return End::Protocol("more was taken than was sent");
            }
        }
    }
}

/// Reads one lane.
struct Reader {
    stream: RecvStream,
    shared: Arc<Shared>,
    doors: Doors,
    claimed: Arc<[AtomicBool; LANES]>,
}

impl Reader {
    async fn run(mut self) -> End {
        let result = self.read().await;
        result.err().unwrap_or(End::PutAway)
    }

    async fn read(&mut self) -> Result<(), End> {
        let mut name = [0];
        let read = self.stream.read_exact(&mut name).await;
        read.map_err(|error| End::Broken(error.to_string()))?;
        let lane = usize::from(name[0]);
        let claimed = self
            .claimed
            .get(lane)
            .ok_or(End::Protocol("a lane that there is not"))?;
        if claimed.swap(true, Ordering::AcqRel) {
            return Err(End::Protocol("a lane that is open already"));
        }
        let mut buffer = BytesMut::new();
        loop {
            let parsed = frame::parse(&mut buffer).map_err(|_| End::Protocol("a frame that is none"))?;
            if let Some(frame) = parsed {
                self.take(lane, frame).await?;
                continue;
            }
            let chunk = self.stream.read_chunk(READ_BYTES, true).await;
            match chunk.map_err(|error| End::Broken(error.to_string()))? {
                Some(chunk) => buffer.extend_from_slice(&chunk.bytes),
                None => return Err(End::Broken("the peer ended a lane".to_owned())),
            }
        }
    }

    /// Hands a frame over, unless it was handed over before.
    async fn take(&self, lane: usize, frame: frame::Frame) -> Result<(), End> {
        let expected = self.shared.taken_of(lane) + 1;
        if frame.index < expected {
            return Ok(());
        }
        if frame.index > expected {
            return Err(End::Protocol("a frame is missing"));
        }
        let named = if lane == Lane::Control.index() {
            Lane::Control
        } else {
            Lane::Slot(frame.slot)
        };
        if named.index() != lane {
            return Err(End::Protocol("a slot in another's lane"));
        }
        let door = self.doors.of(lane);
        let closed = || End::Broken("nobody takes messages here any more".to_owned());
        let bytes = u32::try_from(frame.bytes).expect("a frame is below a mebibyte and a bit");
        let room = Arc::clone(&door.room)
            .acquire_many_owned(bytes)
            .await
            .map_err(|_| closed())?;
        let place = door.queue.reserve().await.map_err(|_| closed())?;
        // From here on nothing waits: it is handed over and counted, or neither.
        self.shared.take(lane, frame.index, frame.bytes);
        place.send(Incoming {
            from: self.shared.node.clone(),
            lane: named,
            header: frame.header,
            payloads: frame.payloads,
            _room: room,
        });
        Ok(())
    }
}
