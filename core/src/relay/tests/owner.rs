//! An owner as a gateway sees it: what it holds survives a move, what it was about to say does not.

use super::*;

pub(super) fn node(number: u64) -> NodeId {
    NodeId {
        name: NodeName::parse(&format!("n{number}")).expect("a name"),
        generation: Generation(1),
    }
}

pub(super) fn epoch(number: u32) -> Epoch {
    Lineage {
        resets: number,
        incarnation: 7,
    }
    .epoch(number)
}

pub(super) struct Owner {
    pub(super) epoch: Epoch,
    epochs: u32,
    floor: usize,
    messages: Vec<Arc<Message>>,
    serials: BTreeMap<u64, Seq>,
    pub(super) follower: bool,
    /// It answers nothing but that it cannot.
    pub(super) is_busy: bool,
    /// What it says to everybody is not sent.
    pub(super) drops: bool,
    sent: Seq,
}

impl Default for Owner {
    fn default() -> Self {
        Self {
            epoch: epoch(0),
            epochs: 0,
            floor: 0,
            messages: Vec::new(),
            serials: BTreeMap::new(),
            follower: false,
            is_busy: false,
            drops: false,
            sent: Seq(0),
        }
    }
}

impl Owner {
    pub(super) fn head(&self) -> Seq {
        Seq(self.messages.len() as u64)
    }

    pub(super) fn position(&self, seq: Seq) -> Position {
        Position {
            epoch: self.epoch.clone(),
            seq,
            term: Term(0),
        }
    }

    pub(super) fn payload(&self, seq: Seq) -> Bytes {
        self.messages[seq.0 as usize - 1].payload.clone()
    }

    pub(super) fn publish(&mut self, payload: Bytes) -> Seq {
        let seq = self.head().next();
        self.messages.push(Arc::new(Message {
            seq,
            term: Term(1),
            time: WallTime(0),
            key: None,
            deleted: false,
            payload,
        }));
        seq
    }

    /// Sends what is new to the gateway, or says that it could not.
    pub(super) fn fan_out(&mut self, told: &mut VecDeque<Told>) {
        let new = self.messages[self.sent.0 as usize..].to_vec();
        self.sent = self.head();
        if !self.follower || new.is_empty() {
            return;
        }
        told.push_back(match self.drops {
            true => Told::Behind {
                head: self.position(self.head()),
            },
            false => Told::Live {
                epoch: self.epoch.clone(),
                messages: new,
            },
        });
    }

    pub(super) fn ends(&mut self, told: &mut VecDeque<Told>) {
        if std::mem::take(&mut self.follower) {
            told.push_back(Told::Ended);
        }
    }

    pub(super) fn truncate(&mut self) {
        self.floor = self.floor.max(self.messages.len().saturating_sub(20));
    }

    /// All copies died: another history, and nobody is known.
    pub(super) fn loses_history(&mut self) {
        self.epochs += 1;
        self.epoch = epoch(self.epochs);
        self.messages.clear();
        self.serials.clear();
        (self.floor, self.sent) = (0, Seq(0));
    }

    pub(super) fn nothing_twice(&self) {
        let mut payloads: Vec<_> = self.messages.iter().map(|message| &message.payload).collect();
        payloads.retain(|payload| *payload != "elsewhere");
        let count = payloads.len();
        payloads.sort();
        payloads.dedup();
        assert_eq!(payloads.len(), count, "something was published twice");
    }

    pub(super) fn asked(&mut self, asked: Asked, told: &mut VecDeque<Told>) {
        let Asked::Request(request) = asked else {
            self.follower = false;
            return;
        };
        let number = request.number();
        let answer = match request {
            _ if self.is_busy => Answer::Refused(Refusal::Unavailable),
            Request::Publish(publish) => self.published(publish),
            Request::Attach { from, .. } => {
                self.fan_out(told);
                self.follower = true;
                Answer::Attached(self.attach(&from))
            }
            Request::Read { range, .. } => Answer::Page(self.page(&range)),
            Request::Skip(_) | Request::Inspect { .. } => panic!("nobody here does"),
        };
        told.push_back(Told::Answer { number, answer });
        self.fan_out(told);
    }

    fn published(&mut self, publish: Publish<u64>) -> Answer {
        let Origin::Publisher { serial, .. } = publish.origin else {
            panic!("everybody here numbers");
        };
        let known = self.serials.get(&serial.0).copied();
        let seq = known.unwrap_or_else(|| self.publish(publish.payload));
        self.serials.insert(serial.0, seq);
        Answer::Acknowledged(Ack {
            position: Some(self.position(seq)),
            copies: 2,
            duplicate: known.is_some(),
        })
    }

    fn attach(&self, from: &From) -> Attachment {
        let head = self.position(self.head());
        let (outcome, position) = match from {
            From::Position(position) if position.epoch != self.epoch => {
                (Outcome::Discontinuity(Reason::AllCopiesLost), head.clone())
            }
            From::Position(position) if (position.seq.0 as usize) < self.floor => {
                (Outcome::Discontinuity(Reason::WindowExceeded), head.clone())
            }
            From::Position(position) => (Outcome::Resumed, position.clone()),
            From::Head | From::Rewind(_) => (Outcome::Rewound(0), head.clone()),
        };
        Attachment {
            outcome,
            position,
            head,
            values: None,
        }
    }

    fn page(&self, range: &channel::Range) -> Page {
        let head = self.position(self.head());
        let lost = |reason| Page::Lost {
            reason,
            position: head.clone(),
        };
        if range.epoch.as_ref() != Some(&self.epoch) {
            return lost(Reason::AllCopiesLost);
        }
        if (range.after.0 as usize) < self.floor {
            return lost(Reason::Truncated);
        }
        let messages = self.messages[range.after.0 as usize..]
            .iter()
            .take(7)
            .cloned()
            .collect();
        Page::Messages {
            after: self.position(range.after),
            messages,
            head,
        }
    }
}
