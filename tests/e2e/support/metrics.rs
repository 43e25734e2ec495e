//! What a node counts, as its admin port tells it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use starling_mesh::transport::Transport;

use super::http::Request;

/// One reading of `/metrics`: each series with its labels, as Prometheus writes them.
#[derive(Debug)]
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads them now.
    pub(crate) async fn of(admin: SocketAddr) -> Self {
        let answer = Request::get("/metrics").send(admin).await;
        assert_eq!(answer.status, 200);
        let lines = answer
            .body
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let pairs = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.parse().expect("a number"))
        });
        Self(pairs.collect())
    }

    /// One series; 0 if it was never touched.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or_default()
    }

    /// Requests that met this limit of the configuration.
    pub(crate) fn limited(&self, limit: &str) -> f64 {
        self.value(&format!("starling_limits_reached_total{{limit=\"{limit}\"}}"))
    }

    /// Readers that were too slow and were answered so.
    pub(crate) fn slow(&self, action: &str) -> f64 {
        self.value(&format!("starling_slow_consumers_total{{action=\"{action}\"}}"))
    }

    /// Sessions that are open over a transport.
    pub(crate) fn connections(&self, transport: Transport) -> f64 {
        self.value(&format!("starling_connections{{transport=\"{}\"}}", transport.name()))
    }

    /// Connections over a transport that came to this end.
    pub(crate) fn accepted(&self, transport: Transport, result: &str) -> f64 {
        let name = "starling_connections_accepted_total";
        self.sum(name, &[("transport", transport.name()), ("result", result)])
    }

    /// Sessions over a transport that ended with this code's name.
    pub(crate) fn closed(&self, transport: Transport, code: &str) -> f64 {
        let name = "starling_connections_closed_total";
        self.sum(name, &[("transport", transport.name()), ("code", code)])
    }

    /// The sum of all series of this name with these labels, in whatever order they are written.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matches = |series: &str| {
            let Some(rest) = series.strip_prefix(name) else {
                return false;
            };
            let is_whole = rest.is_empty() || rest.starts_with('{');
            is_whole
                && labels
                    .iter()
                    .all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")))
        };
        self.0
            .iter()
            .filter(|(series, _)| matches(series))
            .map(|(_, value)| value)
            .sum()
    }
}
