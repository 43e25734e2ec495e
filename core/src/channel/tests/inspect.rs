//! Looking at a channel without following it.

use super::*;

impl Owner {
    fn ask(&mut self, question: Question) -> Inspection {
        let to = self.to();
        let effects = self.send(Request::Inspect { to, question });
        match <[_; 1]>::try_from(effects) {
            Ok([Effect::Inspected { inspection, .. }]) => inspection,
            other => panic!("no answer: {other:?}"),
        }
    }

    fn describe(&mut self) -> Description {
        match self.ask(Question::Description) {
            Inspection::Description(description) => description,
            other => panic!("{other:?}"),
        }
    }

    /// The keys after `after`, at most so many and so many bytes of them, and whether there are others.
    fn keys(&mut self, after: Option<&str>, bytes_max: u64, values_max: usize) -> (Vec<String>, bool) {
        let after = after.map(|key| Key::parse(key).unwrap());
        let selection = Selection {
            after,
            bytes_max,
            values_max,
        };
        match self.ask(Question::Values(selection)) {
            Inspection::Values(Selected { at, values, more }) => {
                assert_eq!(at, self.view().head_position());
                let key = |message: &Arc<Message>| message.key.as_ref().unwrap().to_string();
                (values.iter().map(key).collect(), more)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_channel_tells_where_it_stands() {
    let mut owner = Owner::new(Config {
        window: Window {
            messages: 2,
            ..Config::default().window
        },
        ..Config::default()
    });
    let new = owner.describe();
    assert_eq!(
        (new.head.seq, new.first, new.messages, new.keys),
        (Seq(0), Seq(1), 0, None)
    );
    for _ in 0..5 {
        owner.say("12345");
    }
    let used = owner.describe();
    assert_eq!(used.head, owner.at(5));
    assert_eq!((used.first, used.messages, used.bytes), (Seq(4), 2, 10));
}

#[test]
fn nothing_is_told_of_what_is_not_committed() {
    let mut owner = Owner::new(Config::default());
    owner.say("committed");
    owner.stalled = true;
    owner.say("on its way");
    assert_eq!(owner.describe().head.seq, Seq(1));
}

#[test]
fn values_come_in_the_order_of_their_keys_and_without_those_removed() {
    let mut owner = keyed_owner();
    for key in ["d", "b", "a", "c"] {
        owner.set(key, Some("12345"));
    }
    owner.set("b", Some("again"));
    owner.set("c", None);
    assert_eq!(owner.describe().keys, Some(3));
    assert_eq!(owner.keys(None, 1_000, 100), (strings(&["a", "b", "d"]), false));
    assert_eq!(owner.keys(Some("a"), 1_000, 100), (strings(&["b", "d"]), false));
    // From one that was never there, too: it may have been removed between two pages.
    assert_eq!(owner.keys(Some("bb"), 1_000, 100), (strings(&["d"]), false));
    assert_eq!(owner.keys(Some("z"), 1_000, 100), (Vec::new(), false));
}

#[test]
fn a_page_of_values_is_bounded_but_never_empty_before_the_end() {
    let mut owner = keyed_owner();
    for key in ["a", "b", "c"] {
        owner.set(key, Some("12345"));
    }
    assert_eq!(owner.keys(None, 1_000, 2), (strings(&["a", "b"]), true));
    assert_eq!(owner.keys(None, 1_000, 3), (strings(&["a", "b", "c"]), false));
    assert_eq!(owner.keys(None, 1_000, 0), (strings(&["a"]), true));
    assert_eq!(owner.keys(None, 11, 100), (strings(&["a"]), true));
    assert_eq!(owner.keys(None, 12, 100), (strings(&["a", "b"]), true));
    assert_eq!(owner.keys(Some("b"), 0, 100), (strings(&["c"]), false));
}

#[test]
fn a_channel_without_keys_has_no_values() {
    let mut owner = Owner::new(Config::default());
    owner.say("x");
    assert_eq!(owner.keys(None, 1_000, 100), (Vec::new(), false));
}

fn keyed_owner() -> Owner {
    Owner::new(Config {
        keyed: true,
        ..Config::default()
    })
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
