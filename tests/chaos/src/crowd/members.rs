//! The clients: who is there in truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use starling_client::{Client, Entry, State, Transports};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::CHANNEL;
use crate::error::Error;
use crate::setup::Setup;

/// How long a client may take to be there when nothing is wrong; thousands come at once in the beginning.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Clients that come at the same time in the beginning.
const TOGETHER: usize = 100;

/// A client of the crowd, by a number that no other ever has: it is what the client says of itself.
pub(super) type Number = u64;

/// How a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It said goodbye.
    Said,
    /// It ended together with its node, without a word.
    WithNode,
}

/// What is true of the crowd.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// Who has ended, when, and how.
    pub(super) ended: BTreeMap<Number, (Instant, End)>,
    /// When each client was without a node, from and until: from when it noticed, or from the fault that hit its node.
    pub(super) away: BTreeMap<Number, Vec<(Instant, Option<Instant>)>>,
}

impl Truth {
    /// A client is without a node from now on, if it is not already.
    fn is_without(&mut self, number: Number) {
        let away = self.away.entry(number).or_default();
        if !matches!(away.last(), Some((_, None))) {
            away.push((Instant::now(), None));
        }
    }

    /// A client is with a node again.
    fn has_node(&mut self, number: Number) {
        let last = self.away.get_mut(&number).and_then(|away| away.last_mut());
        if let Some((_, until @ None)) = last {
            *until = Some(Instant::now());
        }
    }
}

/// See the module.
pub(super) struct Members {
    there: BTreeMap<Number, Member>,
    truth: Arc<Mutex<Truth>>,
    next: Number,
    closing: JoinSet<()>,
}

struct Member {
    client: Client,
    /// Held, for it ends with this.
    _entry: Entry,
}

impl Member {
    /// The node that it is attached to, as far as it knows.
    fn node(&self) -> Option<String> {
        match &*self.client.state().borrow() {
            State::Connected { node, .. } => Some(node.clone()),
            _ => None,
        }
    }
}

impl Members {
    /// Has so many come.
    pub(super) async fn gather(setup: &Setup, members: usize) -> Result<Self, Error> {
        let mut crowd = Self {
            there: BTreeMap::new(),
            truth: Arc::default(),
            next: 0,
            closing: JoinSet::new(),
        };
        while crowd.there.len() < members {
            let mut coming = JoinSet::new();
            for _ in 0..TOGETHER.min(members - crowd.there.len()) {
                crowd.next += 1;
                coming.spawn(come(builder(setup, crowd.next), crowd.next));
            }
            while let Some(come) = coming.join_next().await {
                let (number, member) = come.map_err(|error| failed("a member", &error))??;
                crowd.admit(number, member);
            }
        }
        Ok(crowd)
    }

    /// Who is there.
    pub(super) fn there(&self) -> BTreeSet<Number> {
        self.there.keys().copied().collect()
    }

    /// What is true so far.
    pub(super) fn truth(&self) -> Truth {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One more comes.
    pub(super) async fn one_comes(&mut self, setup: &Setup) -> Result<(), Error> {
        self.next += 1;
        let (number, member) = come(builder(setup, self.next), self.next).await?;
        self.admit(number, member);
        Ok(())
    }

    /// One says goodbye.
    pub(super) fn one_leaves(&mut self, rng: &mut Rng) {
        let at = rng.usize(..self.there.len().max(1));
        if let Some(number) = self.there.keys().nth(at).copied() {
            self.end(number, End::Said);
        }
    }

    /// These nodes serve nobody from now on: some of their clients end with them, and the others are without a node, which each
    /// notices in its time.
    pub(super) fn lose(&mut self, nodes: &[String], enders: usize) {
        let is_at = |member: &Member| matches!(member.node(), Some(node) if nodes.contains(&node));
        let of_nodes = self.there.iter().filter(|(_, member)| is_at(member));
        let mut of_nodes = of_nodes.map(|(number, _)| *number).collect::<Vec<_>>().into_iter();
        for number in of_nodes.by_ref().take(enders) {
            self.end(number, End::WithNode);
        }
        let mut truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        for number in of_nodes {
            truth.is_without(number);
        }
    }

    /// Who is with a node by now has one: one that stood still, and goes on before a client has noticed.
    pub(super) fn settle(&self) {
        let mut truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, _) in self.there.iter().filter(|(_, member)| member.node().is_some()) {
            truth.has_node(*number);
        }
    }

    /// Everybody says goodbye.
    pub(super) async fn close(mut self) {
        for (_, member) in std::mem::take(&mut self.there) {
            self.closing.spawn(async move { member.client.close().await });
        }
        let all = async { while self.closing.join_next().await.is_some() {} };
        let _late = timeout(READY_WITHIN, all).await; // the nodes end next
    }

    fn end(&mut self, number: Number, how: End) {
        let Some(member) = self.there.remove(&number) else {
            return;
        };
        let mut truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        truth.ended.insert(number, (Instant::now(), how));
        drop(truth);
        self.closing.spawn(async move { member.client.close().await });
    }

    fn admit(&mut self, number: Number, member: Member) {
        tokio::spawn(watch_state(member.client.clone(), number, Arc::clone(&self.truth)));
        self.there.insert(number, member);
    }
}

/// A client's own node first, then the others; every other client over the other transport.
pub(super) fn builder(setup: &Setup, number: Number) -> starling_client::ClientBuilder {
    let nodes = setup.nodes.len();
    let first = number as usize % nodes;
    let mut urls = (0..nodes).map(|turn| setup.nodes[(first + turn) % nodes].url());
    let transport = match number as usize / nodes % 2 {
        0 => Transports::WebSocket,
        _ => Transports::WebTransport,
    };
    let mut builder = Client::builder(urls.next().unwrap_or_default())
        .token(token(setup, number))
        .transport(transport)
        .root_certificate(setup.authority.clone())
        .agent("starling-chaos");
    for url in urls {
        builder = builder.url(url);
    }
    builder
}

/// Says who it is: everybody is somebody. Minted here, for a process for each of thousands takes its time.
fn token(setup: &Setup, number: Number) -> String {
    let header = Header {
        kid: Some("chaos".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let claims = serde_json::json!({
        "sub": format!("member-{number}"),
        "exp": jsonwebtoken::get_current_timestamp() + 12 * 3_600,
        "starling": { "capabilities": [{ "channels": CHANNEL, "operations": ["presence"] }] },
    });
    let key = EncodingKey::from_secret(&setup.secret);
    jsonwebtoken::encode(&header, &claims, &key).expect("a secret signs any claims")
}

/// A client connects and enters.
async fn come(builder: starling_client::ClientBuilder, number: Number) -> Result<(Number, Member), Error> {
    let name = format!("member {number}");
    let client = builder.build().map_err(|error| failed(&name, &error))?;
    let entering = timeout(READY_WITHIN, client.enter(CHANNEL, number.to_string())).await;
    let entry = entering.map_err(|_| failed(&name, &format!("not there within {READY_WITHIN:?}")))?;
    let entry = entry.map_err(|error| failed(&name, &error))?;
    let member = Member { client, _entry: entry };
    Ok((number, member))
}

/// Notes when a client is without a node.
async fn watch_state(client: Client, number: Number, truth: Arc<Mutex<Truth>>) {
    let mut state = client.state();
    drop(client);
    while state.changed().await.is_ok() {
        let is_connected = matches!(*state.borrow_and_update(), State::Connected { .. });
        let mut truth = truth.lock().unwrap_or_else(PoisonError::into_inner);
        match is_connected {
            true => truth.has_node(number),
            false => truth.is_without(number),
        }
    }
}

pub(super) fn failed(client: &str, error: &dyn ToString) -> Error {
    Error::Client {
        what: client.to_owned(),
        said: error.to_string(),
    }
}
