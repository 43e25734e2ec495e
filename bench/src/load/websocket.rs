//! Subscribers over WebSocket: one thread, one epoll loop, plain sockets.
//!
//! A sink asks the kernel to drop what has arrived (`MSG_TRUNC`), which copies nothing and tells how much it was. So a
//! thousand receivers cost little more than their system calls, and leave the core to the probes and the publisher.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream as Socket};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use socket2::SockRef;
use starling_protocol::frame::encode_client;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::alive::Alive;
use super::link::{Link, Target, alive};
use super::probe::{Probe, Reader};
use super::receivers::{STOP_GLANCE, Shared};
use super::roles::Role;
use crate::error::LinkError;
use crate::wire::http;
use crate::{Error, Transport};

/// Most bytes a sink drops, and a probe reads, at once. More than a socket's receive buffer holds under any load that
/// is measured here; what is left over wakes the loop again.
const READ_BYTES: usize = 64 * 1024;

/// Sockets that one wait can report. More wait for the next one, in the kernel's order.
const EVENTS_MAX: usize = 256;

/// Connects from a source address and turns the connection into a WebSocket.
pub(super) async fn connect(target: &Target, source: SocketAddr) -> Result<TcpStream, LinkError> {
    let socket = TcpSocket::new_v4()?;
    // Bound only where it matters: a bound port is taken for all destinations, not for this one alone.
    if source.ip() != target.address.ip() {
        socket.bind(source)?;
    }
    let mut stream = socket.connect(target.address).await?;
    stream.set_nodelay(true)?;
    // Closed without a farewell: thousands of connections that linger would use up the ports of the next run.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    let request = http::upgrade_request(&target.address.to_string(), target.discovery.websocket_path()?);
    stream.write_all(request.as_bytes()).await?;
    let head = http::read_head(&mut stream).await?;
    if http::is_upgraded(&head) {
        Ok(stream)
    } else {
        Err(LinkError::Refused(head.lines().next().unwrap_or_default().to_owned()))
    }
}

/// One subscriber's socket.
pub(super) struct Subscriber {
    socket: Socket,
    part: Part,
}

enum Part {
    Sink(usize),
    Probe(usize, Box<Reader>),
}

/// Takes the sockets out of the runtime that opened them. Has to be called inside it.
pub(super) fn sockets(links: Vec<Link>, shared: &Shared) -> Result<Vec<Subscriber>, LinkError> {
    let subscriber = |(number, link): (usize, Link)| {
        let (stream, received) = link
            .into_tcp()
            .ok_or_else(|| LinkError::Protocol("not a WebSocket".into()))?;
        let part = match shared.roles.of(number) {
            Role::Sink(sink) => Part::Sink(sink),
            Role::Probe(probe) => Part::Probe(
                probe,
                Box::new(Reader::new(Transport::WebSocket, received, shared.probe())),
            ),
        };
        Ok(Subscriber {
            socket: stream.into_std()?,
            part,
        })
    };
    links.into_iter().enumerate().map(subscriber).collect()
}

/// Receives until told to stop; what the probes saw.
pub(super) fn receive(
    mut subscribers: Vec<Subscriber>,
    mut turns: Alive,
    shared: &Shared,
) -> Result<Vec<Probe>, Error> {
    let fail = |errno: Errno| Error::system("wait for the subscribers' sockets")(errno.into());
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(fail)?;
    for (number, subscriber) in subscribers.iter().enumerate() {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&epoll, &subscriber.socket, data, epoll::EventFlags::IN).map_err(fail)?;
    }
    let alive = Transport::WebSocket.client_frame(&encode_client(alive()));
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: STOP_GLANCE.subsec_nanos().into(),
    };
    let mut events = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS_MAX];
    let mut scratch = vec![0; READ_BYTES];
    while !shared.is_stopped() {
        let ready = match epoll::wait(&epoll, &mut events, Some(&timeout)) {
            Ok((ready, _)) => ready,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(fail(errno)),
        };
        for event in ready {
            let subscriber = &mut subscribers[event.data.u64() as usize];
            if let Err(error) = subscriber.receive(&mut scratch, shared) {
                subscriber.end(&epoll, &error, shared);
            }
        }
        while let Some(due) = turns.due(Instant::now()) {
            // A full send buffer means that much has been said already, and an ended connection is noticed above.
            let _ = (&subscribers[due].socket).write(&alive);
        }
    }
    let probes = subscribers.into_iter().filter_map(|subscriber| match subscriber.part {
        Part::Probe(_, reader) => Some(reader.probe),
        Part::Sink(_) => None,
    });
    Ok(probes.collect())
}

impl Subscriber {
    /// Takes what the socket has.
    fn receive(&mut self, scratch: &mut [u8], shared: &Shared) -> Result<(), LinkError> {
        match &mut self.part {
            Part::Sink(sink) => {
                let (_, bytes) = match rustix::net::recv(&self.socket, scratch, RecvFlags::TRUNC) {
                    Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                    result => result.map_err(io::Error::from)?,
                };
                if bytes == 0 {
                    return Err(LinkError::Closed);
                }
                shared.tallies.sink(*sink, bytes as u64);
                Ok(())
            }
            Part::Probe(number, reader) => {
                let bytes = match (&self.socket).read(scratch) {
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                        return Ok(());
                    }
                    result => result?,
                };
                if bytes == 0 {
                    return Err(LinkError::Closed);
                }
                reader.take(&scratch[..bytes])?;
                shared
                    .tallies
                    .probe(*number, reader.probe.messages(), reader.probe.bytes());
                Ok(())
            }
        }
    }

    /// Takes an ended connection out of the loop.
    fn end(&mut self, epoll: &OwnedFd, error: &LinkError, shared: &Shared) {
        shared.tallies.lose();
        if let Part::Probe(_, reader) = &mut self.part {
            reader.probe.fail(format!("a subscriber's connection ended: {error}"));
        }
        // It stays registered at worst, and then is reported and counted again: the run is void either way.
        let _ = epoll::delete(epoll, &self.socket);
    }
}
