//! What an idle connection keeps in memory: the slope of resident memory over connections.

use std::thread;
use std::time::Duration;

use super::round::Case;
use super::{Event, Options};
use crate::Error;
use crate::error::LinkError;
use crate::load::{Clock, Course, Receivers, Roles};
use crate::proc::core::Cores;
use crate::proc::memory::resident;
use crate::server::Server;

/// Connections that come and go before the first reading, so that code and tables every server loads once are in it.
const FIRST_CONNECTIONS: usize = 8;

/// Idle time before each reading; the long one from [`LONG_IDLE`] connections on, when figures are for keeps.
const SETTLE: Duration = Duration::from_secs(3);
const SETTLE_LONG: Duration = Duration::from_secs(30);
const LONG_IDLE: usize = 4_000;

/// Resident memory of a server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Memory {
    /// Connections, and bytes resident with that many.
    pub(super) readings: Vec<(usize, u64)>,
}

impl Memory {
    /// KiB for each connection.
    pub(super) fn kib_per_connection(&self) -> f64 {
        slope(&self.readings) / 1024.0
    }
}

/// Reads the memory of a new server with no connection, with `idle` and with twice as many, all subscribed and silent.
/// The inner result is a text when the server did not keep them.
pub(super) async fn measure(
    options: &Options,
    case: Case,
    cores: Cores,
    observe: &mut impl FnMut(Event<'_>),
) -> Result<Result<Memory, String>, Error> {
    let server = Server::start(case.server(), options.transport, &options.program, cores.server).await?;
    let (course, idle) = (server.course.clone(), options.idle);
    let processes = server.watched().processes;
    let readings = match cores.on_load(move || read(&course, &processes, idle)).await {
        Err(Error::Link(error)) => return Ok(Err(error.to_string())),
        readings => readings?,
    };
    let memory = Memory { readings };
    let told: Vec<String> = memory
        .readings
        .iter()
        .map(|(connections, bytes)| format!("{connections}: {} KiB", bytes / 1024))
        .collect();
    observe(Event::Note(format!(
        "{} with idle connections: {}",
        case.name(),
        told.join(", ")
    )));
    Ok(Ok(memory))
}

fn read(course: &Course, processes: &[u32], idle: usize) -> Result<Vec<(usize, u64)>, Error> {
    let settle = if idle >= LONG_IDLE { SETTLE_LONG } else { SETTLE };
    let open = |first, connections| Receivers::open(course, Roles::sinks_only(connections), first, Clock::start(), 0);
    let resident = || {
        processes
            .iter()
            .map(|process| resident(*process))
            .sum::<Result<u64, _>>()
    };
    open(0, FIRST_CONNECTIONS)?.finish()?;
    thread::sleep(settle);
    let mut readings = vec![(0, resident()?)];
    let mut groups = Vec::new();
    for step in 0..2 {
        groups.push(open(FIRST_CONNECTIONS + step * idle, idle)?);
        thread::sleep(settle);
        readings.push(((step + 1) * idle, resident()?));
    }
    let lost: u64 = groups.iter().map(|group| group.tallies().lost_connections()).sum();
    if lost > 0 {
        return Err(Error::Link(LinkError::Protocol(format!(
            "{lost} idle connections were closed"
        ))));
    }
    Ok(readings)
}

/// The slope of the line that fits the points best (least squares).
fn slope(points: &[(usize, u64)]) -> f64 {
    let count = points.len() as f64;
    let points = || points.iter().map(|(x, y)| (*x as f64, *y as f64));
    let (mean_x, mean_y) = points().fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x / count, sy + y / count));
    let (covariance, variance) = points().fold((0.0, 0.0), |(covariance, variance), (x, y)| {
        (
            covariance + (x - mean_x) * (y - mean_y),
            variance + (x - mean_x).powi(2),
        )
    });
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_what_a_connection_adds_whatever_the_server_needs_by_itself() {
        let memory = Memory {
            readings: vec![
                (0, 9_000_000),
                (500, 9_000_000 + 500 * 6144),
                (1_000, 9_000_000 + 1_000 * 6144),
            ],
        };
        assert!((memory.kib_per_connection() - 6.0).abs() < 1e-9);
    }

    #[test]
    fn the_slope_of_uneven_readings_is_the_least_squares_one() {
        // By hand: means 1 and 2; covariance sum 4, variance sum 2.
        assert!((slope(&[(0, 1), (1, 0), (2, 5)]) - 2.0).abs() < 1e-12);
    }
}
