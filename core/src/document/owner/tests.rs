//! What an owner decides, one thing at a time. The rest is in [`world`](crate::document::world).

use yrs::{Text as _, Transact as _};

use super::*;
use crate::document::engine::Insert;
use crate::document::golden;
use crate::document::guard::{Stored, load};
use crate::document::message::{Answer, Question, Refusal};
use crate::document::yjs::YjsDocument;
use crate::id::{Generation, NodeName};

#[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
fn start() -> Instant {
    Instant::now()
}

fn gateway() -> NodeId {
    NodeId {
        name: NodeName::parse("a").expect("a name"),
        generation: Generation(1),
    }
}

struct One {
    owner: Owner<YjsDocument>,
    now: Instant,
}

impl One {
    fn new() -> Self {
        Self {
            owner: Owner::new(false),
            now: start(),
        }
    }

    fn turn(&mut self, input: Input<YjsDocument>) -> Vec<Effect> {
        let mut out = Vec::new();
        self.owner.handle(input, self.now, &mut out);
        out.retain(|effect| !matches!(effect, Effect::Wake { .. }));
        out
    }

    fn said(&mut self, join: u64, message: ToOwner) -> Vec<Effect> {
        let (from, join) = (gateway(), Join(join));
        self.turn(Input::Said { from, join, message })
    }

    fn join(&mut self, join: u64) -> Vec<Effect> {
        let editors = vec![EditorId(1)];
        self.said(join, ToOwner::Join { since: None, editors })
    }

    fn load(&mut self, activation: u64, stored: Option<&Stored>) -> Vec<Effect> {
        let found = Box::new(Found {
            document: load(stored, 1, Limits::CLIENT),
            snapshot: None,
            tail: stored.map_or(vec![], |stored| {
                (1..)
                    .zip(&stored.updates)
                    .map(|(n, update)| (n, update.len()))
                    .collect()
            }),
        });
        self.turn(Input::Loaded { activation, found })
    }

    fn edit(&mut self, edit: u64, update: &[u8], may_write: bool) -> Vec<Effect> {
        let update = Bytes::copy_from_slice(update);
        self.said(
            1,
            ToOwner::Edit {
                editor: EditorId(1),
                edit,
                update,
                may_write,
            },
        )
    }
}

fn told(effects: &[Effect]) -> Vec<&ToGateway> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send { message, .. } => Some(message),
        _ => None,
    });
    sent.collect()
}

fn opened() -> One {
    let mut one = One::new();
    assert_eq!(one.join(1), [Effect::Load { activation: 1 }]);
    assert!(matches!(told(&one.load(1, None))[..], [ToGateway::Joined { .. }]));
    one
}

#[test]
fn an_edit_is_relayed_at_once_and_saved_after_its_commit() {
    let mut one = opened();
    let update = golden::yjs_of("text 0");
    let effects = one.edit(1, &update, true);
    assert!(matches!(
        told(&effects)[..],
        [ToGateway::Update {
            but: Some(EditorId(1)),
            ..
        }]
    ));
    assert!(matches!(&effects[1], Effect::Append { rows, .. } if rows.len() == 1));
    // The same again, before it is committed, and from one who may only read: it is saved when the first is.
    assert_eq!(one.edit(2, &update, false), []);
    let (activation, input) = (1, log::Input::Appended);
    let saved = one.turn(Input::Store { activation, input });
    let editor = EditorId(1);
    assert_eq!(told(&saved), [&ToGateway::Saved { editor, up_to: 2 }]);
}

#[test]
fn who_may_only_read_changes_nothing() {
    let mut one = opened();
    let effects = one.edit(1, &golden::yjs_of("text 0"), false);
    let refusal = Refusal::ReadOnly;
    let refused = ToGateway::Refused {
        editor: EditorId(1),
        edit: 1,
        refusal,
    };
    assert_eq!(told(&effects), [&refused]);
    assert_eq!(effects.len(), 1);
    assert_eq!(one.owner.hot().map(Log::last), Some(0));
}

#[test]
fn an_update_that_is_none_changes_nothing() {
    let mut one = opened();
    let effects = one.edit(1, &[7, 7, 7], true);
    let refused = |message: &&ToGateway| {
        matches!(
            message,
            ToGateway::Refused {
                refusal: Refusal::BadUpdate(_),
                ..
            }
        )
    };
    assert!(told(&effects).iter().all(refused) && effects.len() == 1, "{effects:?}");
}

#[test]
fn an_edit_that_builds_on_what_has_not_come_is_stored_and_its_editor_asked_for_all() {
    let mut one = opened();
    let effects = one.edit(1, &golden::yjs_of("text 1"), true);
    assert!(matches!(
        told(&effects)[..],
        [ToGateway::Step1 {
            editor: EditorId(1),
            ..
        }]
    ));
    assert!(matches!(effects.last(), Some(Effect::Append { .. })));
}

#[test]
fn what_comes_while_it_is_loaded_waits_in_a_bounded_number() {
    let mut one = One::new();
    one.join(1);
    let step = |_| ToOwner::Step1 {
        editor: EditorId(1),
        state_vector: Bytes::from_static(&[0]),
    };
    for number in 0..1_024 {
        assert_eq!(one.said(1, step(number)), []);
    }
    // One too many: the gateway is told that it has missed something, once it is clear that it has.
    assert_eq!(one.said(1, step(0)), []);
    one.now += Duration::from_millis(100);
    assert!(matches!(told(&one.turn(Input::Wake))[..], [ToGateway::Behind]));
    assert!(told(&one.load(1, None)).is_empty(), "it was told to join again");
    assert!(matches!(told(&one.join(2))[..], [ToGateway::Joined { .. }]));
}

#[test]
fn a_document_that_cannot_be_read_is_not_opened() {
    let mut one = One::new();
    one.join(1);
    let stored = Stored {
        snapshot: None,
        updates: vec![vec![]],
    };
    let effects = one.load(1, Some(&stored));
    assert!(matches!(told(&effects)[..], [ToGateway::Closed(Closed::Quarantined)]));
    assert!(matches!(effects.last(), Some(Effect::SetAside { .. })));
    assert!(matches!(
        told(&one.join(2))[..],
        [ToGateway::Closed(Closed::Quarantined)]
    ));
    assert!(one.owner.is_idle(), "it is looked at anew when somebody wants it again");
    // It is no member, and is told so.
    assert!(matches!(
        told(&one.edit(1, &golden::yjs_of("text 0"), true))[..],
        [ToGateway::Behind]
    ));
}

#[test]
fn answers_of_the_store_to_an_earlier_time_are_void() {
    let mut one = opened();
    one.edit(1, &golden::yjs_of("text 0"), true);
    let lost = one.turn(Input::Lost { activation: 1 });
    assert!(matches!(told(&lost)[..], [ToGateway::Behind]));
    assert_eq!(lost.last(), Some(&Effect::Load { activation: 2 }));
    let (activation, input) = (1, log::Input::Appended);
    assert_eq!(one.turn(Input::Store { activation, input }), []);
}

#[test]
fn it_leaves_memory_when_nobody_edits_and_comes_back_when_somebody_does() {
    let mut one = opened();
    one.edit(1, &golden::yjs_of("text 0"), true);
    let stored = |input| Input::Store { activation: 1, input };
    one.turn(stored(log::Input::Appended));
    one.now += COOL_AFTER;
    one.turn(Input::Wake);
    assert!(one.owner.hot().is_none());
    let part = || Question::Read {
        part: "t".into(),
        shape: crate::document::engine::Shape::Text,
    };
    let asked = one.said(
        1,
        ToOwner::Ask {
            number: 5,
            question: part(),
        },
    );
    assert_eq!(asked, [Effect::Load { activation: 2 }]);
    let whole = Stored {
        snapshot: None,
        updates: vec![golden::yjs_of("text 0")],
    };
    let answered = one.load(2, Some(&whole));
    assert!(matches!(
        told(&answered)[..],
        [ToGateway::Answered {
            number: 5,
            answer: Ok(Answer::Part(Some(_)))
        }]
    ));
}

#[test]
fn a_snapshot_waits_for_the_edits_in_it() {
    let mut one = opened();
    one.edit(1, &golden::yjs_of("text 0"), true);
    // The last editor leaves before its edit is saved.
    assert_eq!(one.said(1, ToOwner::Leave), []);
    assert!(!one.owner.is_idle());
    let stored = |input| Input::Store { activation: 1, input };
    let effects = one.turn(stored(log::Input::Appended));
    assert!(
        matches!(
            &effects[..],
            [Effect::Snapshot {
                through: 1,
                before: None,
                ..
            }]
        ),
        "{effects:?}"
    );
    one.turn(stored(log::Input::Snapshotted));
    assert!(one.owner.is_idle());
}

#[test]
fn a_text_that_is_refused_is_nowhere() {
    let mut one = opened();
    // All but ten bytes of what may be unsaved are.
    let long = |client: u64, bytes: usize| {
        let doc = yrs::Doc::with_client_id(client);
        let text = doc.get_or_insert_text("t");
        let mut transaction = doc.transact_mut();
        text.insert(&mut transaction, 0, &"x".repeat(bytes));
        transaction.encode_update_v1()
    };
    let update = long(2, 4_000_000);
    one.edit(1, &update, true);
    let overhead = update.len() - 4_000_000;
    one.edit(2, &long(3, 4_000_000), true);
    one.edit(
        3,
        &long(4, log::UNSAVED_BYTES_MAX - 2 * update.len() - overhead - 10),
        true,
    );
    let ask = |number, question| ToOwner::Ask { number, question };
    let (part, inserts) = (
        "t".to_owned(),
        vec![Insert {
            index: Some(0),
            text: "LOST".into(),
        }],
    );
    let effects = one.said(1, ask(5, Question::Insert { part, inserts }));
    let (number, answer) = (5, Err(Refusal::Log(log::Refusal::UnsavedFull)));
    assert_eq!(
        told(&effects),
        [&ToGateway::Answered { number, answer }],
        "nobody is told of it"
    );
    let (part, shape) = ("t".into(), crate::document::engine::Shape::Text);
    let read = one.said(1, ask(6, Question::Read { part, shape }));
    let [
        ToGateway::Answered {
            answer: Ok(Answer::Part(Some(text))),
            ..
        },
    ] = told(&read)[..]
    else {
        panic!("{read:?}");
    };
    assert!(!text.contains("LOST"));
}

#[test]
fn of_two_restores_that_were_made_of_the_same_document_one_is_made_anew() {
    let mut one = opened();
    one.edit(1, &golden::yjs_of("text 0"), true);
    let ask = |number, question| ToOwner::Ask { number, question };
    let whole = |one: &mut One| {
        let effects = one.said(1, ask(4, Question::Whole));
        match told(&effects)[..] {
            [
                ToGateway::Answered {
                    answer: Ok(Answer::Whole { restores, .. }),
                    ..
                },
            ] => *restores,
            _ => panic!("{effects:?}"),
        }
    };
    let restores = whole(&mut one);
    let restore = |one: &mut One, number, update: &str| {
        let update = golden::yjs_of(update).into();
        one.said(1, ask(number, Question::Restore { update, restores }))
    };
    let first = restore(&mut one, 5, "text 1");
    assert!(told(&first).iter().any(|said| matches!(said, ToGateway::Update { .. })));
    let (number, answer) = (6, Err(Refusal::Busy));
    assert_eq!(
        told(&restore(&mut one, 6, "text 2")),
        [&ToGateway::Answered { number, answer }]
    );
    assert_ne!(whole(&mut one), restores);
    let other = whole(&mut opened());
    assert_eq!(other, restores, "the same dice have fallen in this test");
}

#[test]
fn texts_of_a_program_are_one_row_and_answered_once_it_is_there() {
    let mut one = opened();
    let ask = |number, question| ToOwner::Ask { number, question };
    let insert = |index, text: &str| Insert {
        index,
        text: text.to_owned(),
    };
    let question = Question::Insert {
        part: "t".into(),
        inserts: vec![insert(None, "world"), insert(Some(0), "hello ")],
    };
    let effects = one.said(1, ask(5, question));
    assert!(matches!(told(&effects)[..], [ToGateway::Update { but: None, .. }]));
    assert!(matches!(&effects[1], Effect::Append { rows, .. } if rows.len() == 1));
    let unsaved = one.said(1, ask(6, Question::Stats));
    let of = |effects: &[Effect]| match told(effects)[..] {
        [
            ToGateway::Answered {
                answer: Ok(Answer::Stats { size, unsaved_bytes }),
                ..
            },
        ] => (size.clients, *unsaved_bytes > 0),
        _ => panic!("{effects:?}"),
    };
    assert_eq!(of(&unsaved), (1, true));
    let (activation, input) = (1, log::Input::Appended);
    let saved = one.turn(Input::Store { activation, input });
    let (number, answer) = (5, Ok(Answer::Saved));
    assert_eq!(told(&saved), [&ToGateway::Answered { number, answer }]);
    assert_eq!(of(&one.said(1, ask(7, Question::Stats))), (1, false));
    let (part, shape) = ("t".into(), crate::document::engine::Shape::Text);
    let read = one.said(1, ask(8, Question::Read { part, shape }));
    let (number, answer) = (8, Ok(Answer::Part(Some("hello world".to_owned()))));
    assert_eq!(told(&read), [&ToGateway::Answered { number, answer }]);
    // Nothing to insert is saved with what came before.
    let (part, inserts) = ("t".into(), vec![insert(None, "")]);
    let nothing = one.said(1, ask(9, Question::Insert { part, inserts }));
    let (number, answer) = (9, Ok(Answer::Saved));
    assert_eq!(told(&nothing), [&ToGateway::Answered { number, answer }]);
}
