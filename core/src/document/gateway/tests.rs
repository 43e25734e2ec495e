//! What a gateway decides, one thing at a time. The rest is in [`world`](crate::document::world).

use super::turn::Event;
use super::*;
use crate::document::engine::Insert;
use crate::document::message::Answer;
use crate::id::{Generation, NodeName};

#[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
fn start() -> Instant {
    Instant::now()
}

fn node(name: &str) -> NodeId {
    NodeId {
        name: NodeName::parse(name).expect("a name"),
        generation: Generation(1),
    }
}

struct One {
    gateway: Gateway,
    now: Instant,
}

impl One {
    fn new() -> Self {
        Self {
            gateway: Gateway::new(Limits::CLIENT, Some(node("a")), Join(0)),
            now: start(),
        }
    }

    fn turn(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.gateway.handle(input, self.now, &mut out);
        out.retain(|effect| !matches!(effect, Effect::Wake { .. }));
        out
    }

    fn told(&mut self, message: ToGateway) -> Vec<Effect> {
        let (from, join) = (self.gateway.owner.clone().expect("an owner"), self.gateway.join);
        self.turn(Input::Told { from, join, message })
    }

    fn joined(&mut self) -> Vec<Effect> {
        self.told(ToGateway::Joined {
            state_vector: Bytes::from_static(&[0]),
            missing: None,
            awareness: Bytes::from_static(&[0]),
        })
    }

    fn edit(&mut self, edit: u64, is_step2: bool) -> Vec<Effect> {
        self.turn(Input::Edit {
            editor: EditorId(1),
            edit,
            update: Bytes::from(format!("edit {edit}")),
            is_step2,
        })
    }

    fn saved(&mut self, up_to: u64) -> Vec<Effect> {
        let editor = EditorId(1);
        self.told(ToGateway::Saved { editor, up_to })
    }
}

fn open(editor: u64) -> Input {
    Input::Open {
        editor: EditorId(editor),
        may_write: true,
        wants_echo: true,
    }
}

fn saved(up_to: u64, edits: &[u64]) -> Vec<Effect> {
    vec![Effect::Tell {
        to: EditorId(1),
        event: Event::Saved {
            up_to,
            edits: edits.len() as u64,
            echo: edits.iter().map(|edit| Bytes::from(format!("edit {edit}"))).collect(),
        },
    }]
}

#[test]
fn an_edit_that_was_on_its_way_to_an_owner_that_is_lost_is_saved_with_the_answer_to_the_next() {
    let mut one = One::new();
    one.turn(open(1));
    one.joined();
    one.edit(1, true);
    assert_eq!(one.saved(1), saved(1, &[1]));
    one.edit(2, false);
    one.turn(Input::Route(Some(node("b"))));
    one.edit(3, false);
    let asked = one.joined();
    let step = Event::Step1(Bytes::from_static(&[0]));
    let step = Effect::Tell {
        to: EditorId(1),
        event: step,
    };
    assert!(asked.contains(&step), "{asked:?}");
    // It was typed before the question came, and builds on what this owner does not have.
    one.edit(4, false);
    assert_eq!(one.saved(4), []);
    one.edit(5, true);
    assert_eq!(one.saved(5), saved(5, &[2, 3, 4, 5]));
}

#[test]
fn who_leaves_while_its_gateway_joins_is_told_to_have_left() {
    let mut one = One::new();
    let joins = one.turn(open(1));
    one.turn(open(2));
    assert!(matches!(
        joins.last(),
        Some(Effect::Send { message: ToOwner::Join { editors, .. }, .. }) if *editors == [EditorId(1)]
    ));
    let left = one.turn(Input::Close(EditorId(1)));
    let editor = EditorId(1);
    assert!(matches!(
        &left[..],
        [Effect::Send { message: ToOwner::Left { editor: who }, join: Join(1), .. }] if *who == editor
    ));
}

#[test]
fn what_came_since_the_mark_is_no_echo() {
    let mut one = One::new();
    one.turn(open(1));
    one.joined();
    one.edit(1, false);
    one.turn(Input::Reset(node("a")));
    // It has just that edit, and has not written it.
    let missing = Bytes::from_static(b"edit 1");
    let told = one.told(ToGateway::Joined {
        state_vector: Bytes::from_static(&[0]),
        missing: Some(missing.clone()),
        awareness: Bytes::from_static(&[0]),
    });
    let event = Event::Step2(missing);
    assert_eq!(told[0], Effect::TellAll { but: None, event });
    let is_echo = |effect: &Effect| {
        matches!(
            effect,
            Effect::TellAll {
                event: Event::Update(_),
                ..
            }
        )
    };
    assert!(!told.iter().any(is_echo));
}

#[test]
fn what_an_owner_of_before_says_is_void() {
    let mut one = One::new();
    one.turn(open(1));
    one.joined();
    one.edit(1, false);
    let join = one.gateway.joined();
    one.turn(Input::Reset(node("a")));
    let message = ToGateway::Saved {
        editor: EditorId(1),
        up_to: 1,
    };
    let from = node("a");
    assert_eq!(one.turn(Input::Told { from, join, message }), []);
    one.joined();
    assert_eq!(one.saved(1), [], "in doubt until its editor has answered");
}

#[test]
fn a_refused_answer_settles_nothing_of_what_was_in_doubt() {
    let mut one = One::new();
    one.turn(open(1));
    one.joined();
    one.edit(1, true);
    one.edit(2, false);
    one.turn(Input::Reset(node("a")));
    one.joined();
    one.edit(3, true);
    let refused = one.told(ToGateway::Refused {
        editor: EditorId(1),
        edit: 3,
        refusal: Refusal::Busy,
    });
    assert!(matches!(
        &*refused,
        [Effect::Tell {
            event: Event::Refused { edit: 3, .. },
            ..
        }]
    ));
    one.edit(4, false);
    assert_eq!(one.saved(4), []);
}

#[test]
fn a_text_that_an_owner_may_have_inserted_is_not_inserted_again() {
    let mut one = One::new();
    let insert = Question::Insert {
        part: "t".into(),
        inserts: vec![Insert {
            index: None,
            text: "x".into(),
        }],
    };
    let ask = |number, question| Input::Ask { number, question };
    one.turn(ask(1, insert.clone()));
    one.turn(ask(2, Question::Parts));
    let asked = one.joined();
    assert_eq!(asked.len(), 2);
    one.turn(Input::Reset(node("a")));
    let again = one.joined();
    let unknown = Effect::Answer {
        number: 1,
        answer: Err(Refusal::Unknown),
    };
    assert_eq!(again[0], unknown);
    assert!(matches!(
        &again[1..],
        [Effect::Send {
            message: ToOwner::Ask { number: 2, .. },
            ..
        }]
    ));
    let parts = Ok(Answer::Parts(vec![]));
    let left = one.told(ToGateway::Answered {
        number: 2,
        answer: parts,
    });
    assert!(matches!(
        left.last(),
        Some(Effect::Send {
            message: ToOwner::Leave,
            ..
        })
    ));
    // One that nobody has answered in time was not written, if no owner was asked.
    let mut one = One::new();
    one.turn(ask(3, insert));
    one.now += PATIENCE;
    let moving = Effect::Answer {
        number: 3,
        answer: Err(Refusal::Moving),
    };
    assert!(one.turn(Input::Wake).contains(&moving));
}

#[test]
fn questions_are_bounded() {
    let mut one = One::new();
    let ask = |number| Input::Ask {
        number,
        question: Question::Parts,
    };
    for number in 0..QUESTIONS_MAX as u64 {
        one.turn(ask(number));
    }
    let busy = Effect::Answer {
        number: u64::MAX,
        answer: Err(Refusal::Busy),
    };
    assert_eq!(one.turn(ask(u64::MAX)), [busy]);
}
