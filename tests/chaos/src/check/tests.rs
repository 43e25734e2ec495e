//! Good histories, and the same ones broken in each way that a checker is for.

use super::*;

const CHANNEL: &str = "chaos:0";

/// A history written by hand: each line comes a millisecond after the one before.
#[derive(Clone)]
struct Script(Vec<Record>);

impl Script {
    fn new(copies_min: u32) -> Self {
        let mut script = Self(Vec::new());
        script.note(Event::Run {
            scenario: "by-hand".into(),
            seed: 1,
            copies_min,
            channels: vec![CHANNEL.into()],
        });
        script
    }

    fn note(&mut self, event: Event) -> &mut Self {
        let t = self.0.last().map_or(0, |last| last.t + 1_000_000);
        self.0.push(Record { t, event });
        self
    }

    fn invoke(&mut self, value: &str) -> &mut Self {
        self.note(Event::Invoke {
            client: client(value),
            channel: CHANNEL.into(),
            value: value.into(),
        })
    }

    fn ok(&mut self, value: &str, epoch: &str, seq: u64, term: u64) -> &mut Self {
        self.note(Event::Ok {
            client: client(value),
            channel: CHANNEL.into(),
            value: value.into(),
            serial: 1,
            epoch: epoch.into(),
            seq,
            term,
            copies: 2,
            duplicate: false,
        })
    }

    fn fail(&mut self, value: &str, may_stand: bool) -> &mut Self {
        self.note(Event::Fail {
            client: client(value),
            channel: CHANNEL.into(),
            value: value.into(),
            error: "refused".into(),
            may_stand,
        })
    }

    fn attached(&mut self, reader: &str, outcome: &str, epoch: &str, seq: u64) -> &mut Self {
        self.note(Event::Attached {
            client: reader.into(),
            channel: CHANNEL.into(),
            outcome: outcome.into(),
            epoch: epoch.into(),
            seq,
            head: seq,
        })
    }

    fn message(&mut self, reader: &str, value: &str, epoch: &str, seq: u64, term: u64) -> &mut Self {
        self.note(Event::Message {
            client: reader.into(),
            channel: CHANNEL.into(),
            epoch: epoch.into(),
            seq,
            term,
            value: value.into(),
        })
    }

    fn told(&mut self, reader: &str, epoch: &str, seq: u64) -> &mut Self {
        self.note(Event::Discontinuity {
            client: reader.into(),
            channel: CHANNEL.into(),
            reason: "all_copies_lost".into(),
            epoch: epoch.into(),
            seq,
        })
    }

    fn fault(&mut self, loses: bool) -> &mut Self {
        self.note(Event::Fault {
            number: 1,
            what: "kill".into(),
            nodes: vec!["a".into()],
            loses,
        })
    }

    fn healed(&mut self) -> &mut Self {
        self.note(Event::Healed { number: 1 }).note(Event::Ready { number: 1 })
    }

    fn history(&mut self, node: &str, epoch: &str, values: &[&str]) -> &mut Self {
        let messages: Vec<_> = (1..).zip(values.iter().map(ToString::to_string)).collect();
        self.note(Event::History {
            node: node.into(),
            channel: CHANNEL.into(),
            epoch: epoch.into(),
            head: messages.len() as u64,
            messages,
        })
    }

    /// Does something to the one record that `of` chooses.
    fn change(&self, of: impl Fn(&Event) -> bool, change: impl Fn(&mut Event)) -> Self {
        let mut script = self.clone();
        let mut chosen = script.0.iter_mut().filter(|record| of(&record.event));
        change(&mut chosen.next().expect("a record is chosen").event);
        assert!(chosen.next().is_none(), "more than one record is chosen");
        script
    }

    fn without(&self, of: impl Fn(&Event) -> bool) -> Self {
        let mut script = self.clone();
        let before = script.0.len();
        script.0.retain(|record| !of(&record.event));
        assert_eq!(script.0.len() + 1, before, "one record is chosen");
        script
    }

    #[track_caller]
    fn breaks(&self, rules: &[Rule]) {
        let verdict = check(&self.0);
        let broken: Vec<_> = verdict.broken.keys().copied().collect();
        assert_eq!(broken, rules, "{:#?}", verdict.told);
    }
}

fn client(value: &str) -> String {
    value.split_once('/').expect("a publish").0.to_owned()
}

/// Two publishers, two readers, a change of owner in between, one reader that resumes.
fn good() -> Script {
    let mut script = Script::new(2);
    script
        .attached("s1", "rewound", "e", 0)
        .attached("s2", "rewound", "e", 0)
        .invoke("p1/1")
        .invoke("p2/1")
        .message("s1", "p1/1", "e", 1, 1)
        .ok("p1/1", "e", 1, 1)
        .message("s1", "p2/1", "e", 2, 1)
        .message("s2", "p1/1", "e", 1, 1)
        .ok("p2/1", "e", 2, 1)
        .fault(false)
        .invoke("p1/2")
        .invoke("p2/2")
        .fail("p2/2", true)
        .attached("s2", "resumed", "e", 1)
        .message("s2", "p2/1", "e", 2, 1)
        .healed()
        .message("s2", "p1/2", "e", 3, 2)
        .ok("p1/2", "e", 3, 2)
        .message("s1", "p1/2", "e", 3, 2)
        .note(Event::Quiet)
        .history("a", "e", &["p1/1", "p2/1", "p1/2"])
        .history("b", "e", &["p1/1", "p2/1", "p1/2"]);
    script
}

fn is_message(event: &Event, reader: &str, at: u64) -> bool {
    matches!(event, Event::Message { client, seq, .. } if client == reader && *seq == at)
}

fn is_ok(event: &Event, of: &str) -> bool {
    matches!(event, Event::Ok { value, .. } if value == of)
}

fn is_history(event: &Event, of: &str) -> bool {
    matches!(event, Event::History { node, .. } if node == of)
}

#[test]
fn a_good_history_breaks_nothing_and_is_counted() {
    let verdict = check(&good().0);
    assert!(verdict.broken.is_empty(), "{:#?}", verdict.told);
    let counts = (verdict.acked, verdict.failed, verdict.delivered, verdict.resumed);
    assert_eq!(counts, (3, 1, 6, 1));
    assert_eq!((verdict.discontinuities, verdict.faults), (0, 1));
}

#[test]
fn an_acknowledged_publish_that_is_gone_is_lost() {
    // Nobody read it and no node has it: only its publisher knows.
    let mut script = Script::new(2);
    script
        .attached("s1", "rewound", "e", 0)
        .invoke("p1/1")
        .ok("p1/1", "e", 1, 1);
    script.clone().history("a", "e", &[]).breaks(&[Rule::Lost]);
    script.breaks(&[Rule::Lost]);
}

#[test]
fn an_epoch_that_ends_without_a_loss_loses_what_was_acknowledged() {
    let mut script = Script::new(2);
    script.invoke("p1/1").ok("p1/1", "e", 1, 1).history("a", "f", &[]);
    script.breaks(&[Rule::Lost]);
}

#[test]
fn what_was_on_its_way_when_everything_died_is_excused_and_what_came_later_is_not() {
    let run = |late: bool| {
        let mut script = Script::new(1);
        script.attached("s1", "rewound", "e", 0).invoke("p1/1").fault(true);
        if late {
            script.healed();
        }
        script.message("s1", "p1/1", "e", 1, 1).ok("p1/1", "e", 1, 1);
        if !late {
            script.healed();
        }
        script
            .attached("s1", "discontinuity", "f", 0)
            .told("s1", "f", 0)
            .invoke("p1/2")
            .ok("p1/2", "f", 1, 1)
            .message("s1", "p1/2", "f", 1, 1)
            .history("a", "f", &["p1/2"]);
        script
    };
    run(false).breaks(&[]);
    run(true).breaks(&[Rule::Lost]);
}

#[test]
fn an_acknowledgement_names_the_place_where_the_message_stands() {
    let elsewhere = |event: &mut Event| {
        if let Event::Ok { seq, .. } = event {
            *seq = 7;
        }
    };
    // Two places for one publish are a duplicate as well.
    good()
        .change(|event| is_ok(event, "p1/2"), elsewhere)
        .breaks(&[Rule::Duplicated, Rule::Misplaced]);
}

#[test]
fn what_nobody_published_is_a_phantom() {
    good()
        .without(|event| matches!(event, Event::Invoke { value, .. } if value == "p1/1"))
        .breaks(&[Rule::Phantom]);
    let mut refused = good();
    refused
        .invoke("p2/9")
        .fail("p2/9", false)
        .message("s1", "p2/9", "e", 4, 2);
    let verdict = check(&refused.0);
    assert_eq!(verdict.count(Rule::Phantom), 1, "{:#?}", verdict.told);
}

#[test]
fn a_publish_that_stands_twice_is_a_duplicate() {
    let mut script = Script::new(1);
    script.invoke("p1/1").history("a", "e", &["p1/1", "p1/1"]);
    let verdict = check(&script.0);
    assert_eq!(verdict.count(Rule::Duplicated), 1, "{:#?}", verdict.told);
    // Also when the second stands in another epoch, unless the first was lost.
    let mut script = Script::new(1);
    script
        .attached("s1", "rewound", "e", 0)
        .invoke("p1/1")
        .message("s1", "p1/1", "e", 1, 1)
        .fault(true)
        .attached("s1", "discontinuity", "f", 0)
        .told("s1", "f", 0)
        .message("s1", "p1/1", "f", 1, 1)
        .ok("p1/1", "f", 1, 1)
        .healed()
        .invoke("p1/2")
        .message("s1", "p1/2", "f", 2, 1)
        .ok("p1/2", "f", 2, 1)
        .history("a", "f", &["p1/1", "p1/2"]);
    script.breaks(&[]);
    let unexcused = |event: &mut Event| {
        if let Event::Fault { loses, .. } = event {
            *loses = false;
        }
    };
    script
        .change(|event| matches!(event, Event::Fault { .. }), unexcused)
        .breaks(&[Rule::Duplicated, Rule::Discontinuity]);
}

#[test]
fn a_message_that_a_reader_is_given_again_is_a_duplicate() {
    let mut script = good();
    script.message("s1", "p1/2", "e", 3, 2);
    script.breaks(&[Rule::Duplicated]);
}

#[test]
fn a_position_is_one_message() {
    let other = |event: &mut Event| {
        if let Event::Message { value, .. } = event {
            *value = "p2/2".into();
        }
    };
    good()
        .change(|event| is_message(event, "s1", 3), other)
        .breaks(&[Rule::Forked]);
}

#[test]
fn a_reader_that_goes_back_is_reordered() {
    let mut script = good();
    script.message("s1", "p1/1", "e", 1, 1);
    // And it does not stand at the end any more.
    script.breaks(&[Rule::Reordered, Rule::SilentGap]);
}

#[test]
fn a_publisher_s_numbers_rise() {
    let mut script = Script::new(1);
    script
        .invoke("p1/1")
        .invoke("p1/2")
        .history("a", "e", &["p1/2", "p1/1"]);
    script.breaks(&[Rule::Reordered]);
}

#[test]
fn what_begins_after_an_acknowledgement_stands_after_it() {
    let mut script = Script::new(1);
    script
        .invoke("p1/1")
        .ok("p1/1", "e", 2, 1)
        .invoke("p2/1")
        .ok("p2/1", "e", 1, 1)
        .history("a", "e", &["p2/1", "p1/1"]);
    script.breaks(&[Rule::Reordered]);
}

#[test]
fn one_owner_writes_under_a_term_and_terms_do_not_fall() {
    let term_of = |new: u64| {
        move |event: &mut Event| {
            if let Event::Message { term, .. } = event {
                *term = new;
            }
        }
    };
    good()
        .change(|event| is_message(event, "s1", 3), term_of(3))
        .breaks(&[Rule::Fencing]);
    let mut falls = Script::new(1);
    falls
        .invoke("p1/1")
        .invoke("p1/2")
        .ok("p1/1", "e", 1, 2)
        .ok("p1/2", "e", 2, 1)
        .history("a", "e", &["p1/1", "p1/2"]);
    falls.breaks(&[Rule::Fencing]);
    let owner = |owner: &str, term| Event::Owner {
        slot: 4,
        term,
        owner: owner.into(),
    };
    let mut owners = good();
    owners.note(owner("a#1", 1)).note(owner("b#1", 2)).note(owner("b#1", 2));
    owners.breaks(&[]);
    owners.note(owner("c#1", 2));
    owners.breaks(&[Rule::Fencing]);
}

#[test]
fn a_message_that_is_missing_is_a_silent_gap() {
    good()
        .without(|event| is_message(event, "s1", 2))
        .breaks(&[Rule::SilentGap]);
    // The last is missed by nobody but by the end.
    good()
        .without(|event| is_message(event, "s1", 3))
        .breaks(&[Rule::SilentGap]);
    // Unless the reader is told.
    let mut script = good().without(|event| is_message(event, "s1", 3));
    script.note(Event::Skipped {
        client: "s1".into(),
        channel: CHANNEL.into(),
        to: 3,
    });
    script.breaks(&[]);
}

#[test]
fn a_reader_resumes_where_it_was() {
    for (outcome, epoch, seq) in [("rewound", "e", 1), ("resumed", "f", 1), ("resumed", "e", 2)] {
        let moved = |event: &mut Event| {
            if let Event::Attached {
                outcome: o,
                epoch: e,
                seq: s,
                ..
            } = event
            {
                (*o, *e, *s) = (outcome.into(), epoch.into(), seq);
            }
        };
        good()
            .change(
                |event| matches!(event, Event::Attached { outcome, .. } if outcome == "resumed"),
                moved,
            )
            .breaks(&[Rule::SilentGap]);
    }
}

#[test]
fn another_epoch_without_a_word_is_a_silent_gap() {
    let mut script = Script::new(1);
    script
        .attached("s1", "rewound", "e", 0)
        .invoke("p1/1")
        .message("s1", "p1/1", "e", 1, 1)
        .fault(true)
        .healed()
        .invoke("p1/2")
        .ok("p1/2", "f", 1, 1)
        .message("s1", "p1/2", "f", 1, 1)
        .history("a", "f", &["p1/2"]);
    script.breaks(&[Rule::SilentGap]);
}

#[test]
fn a_reader_is_told_of_a_loss_only_if_there_was_one() {
    let mut script = good();
    script.told("s1", "e", 3);
    script.breaks(&[Rule::Discontinuity]);
}

#[test]
fn every_node_tells_the_same_history() {
    let shorter = |event: &mut Event| {
        if let Event::History { messages, head, .. } = event {
            messages.pop();
            *head -= 1;
        }
    };
    good()
        .change(|event| is_history(event, "b"), shorter)
        .breaks(&[Rule::History]);
    let hole = |event: &mut Event| {
        if let Event::History { messages, .. } = event {
            messages.remove(1);
        }
    };
    let mut script = good().change(|event| is_history(event, "a"), hole);
    script = script.change(|event| is_history(event, "b"), hole);
    script.breaks(&[Rule::Lost, Rule::History]);
}

#[test]
fn an_acknowledgement_speaks_of_enough_copies() {
    let alone = |event: &mut Event| {
        if let Event::Ok { copies, .. } = event {
            *copies = 1;
        }
    };
    good()
        .change(|event| is_ok(event, "p1/2"), alone)
        .breaks(&[Rule::Copies]);
}

#[test]
fn after_a_fault_everything_works_again() {
    good()
        .without(|event| matches!(event, Event::Ready { .. }))
        .breaks(&[Rule::Liveness]);
    let mut late = good();
    let healed = late
        .0
        .iter()
        .position(|record| matches!(record.event, Event::Healed { .. }))
        .expect("it heals");
    for record in &mut late.0[healed + 1..] {
        record.t += u64::try_from(live::WORKS_WITHIN.as_nanos()).expect("seconds");
    }
    late.breaks(&[Rule::Liveness]);
    let mut troubled = good();
    troubled.note(Event::Trouble {
        what: "node b ended".into(),
    });
    troubled.breaks(&[Rule::Liveness]);
    let mut ended = good();
    ended.note(Event::Ended {
        client: "s1".into(),
        channel: CHANNEL.into(),
        error: "refused".into(),
    });
    ended.breaks(&[Rule::Liveness]);
}
