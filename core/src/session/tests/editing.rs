//! Documents of a session.

use super::*;
use crate::access::Operation;
use crate::document::message::EditorId;
use crate::session::answer::NotTaken;
use crate::session::request::{DocumentPart, Piece};
use crate::session::turn::Said;

const PLAN: DocumentId = DocumentId(6);
const EDITOR: EditorId = EditorId(30);

fn open(request: u64, document: &str) -> Request {
    Request::OpenDocument {
        request: RequestId(request),
        document: name(document),
    }
}

fn part(piece: Piece, data: &'static [u8], more: bool) -> DocumentPart {
    DocumentPart {
        document_id: PLAN,
        piece,
        data: Bytes::from_static(data),
        more,
    }
}

impl Harness {
    /// Opens a document as this editor.
    fn opened(&mut self, document: &str, editor: EditorId, document_id: DocumentId) -> Vec<Effect> {
        let effects = self.receive(open(1, document));
        assert!(matches!(effects[..], [Effect::OpenDocument { .. }]), "{effects:?}");
        let effects = self.handle(Input::DocumentOpening {
            request: RequestId(1),
            document: name(document),
            editor: Ok(editor),
        });
        assert!(effects.is_empty(), "the document has not let it in: {effects:?}");
        self.handle(Input::DocumentOpened { editor, document_id })
    }

    fn part(&mut self, part: DocumentPart) -> Vec<Effect> {
        self.receive(Request::DocumentPart(part))
    }

    /// An open session with a document, which may do so much there.
    fn editing(operations: Operations) -> Self {
        let mut harness = Self::new(|_| {});
        harness.say_hello("doc:*", operations);
        harness.opened("doc:plan", EDITOR, PLAN);
        harness
    }

    /// Another token is brought, which allows so much.
    fn refreshed(&mut self, operations: Operations) -> Vec<Effect> {
        self.handle(Input::Reauthenticated {
            request: RequestId(9),
            verdict: Ok(Arc::new(grant("doc:*", operations))),
        })
    }
}

fn not_taken(effects: &[Effect]) -> &NotTaken {
    match effects {
        [Effect::Send(Answer::DocumentRefused { why, .. })] => why,
        other => panic!("not a refusal: {other:?}"),
    }
}

fn reader() -> Operations {
    Operations::NONE.with(Operation::DocRead)
}

#[test]
fn a_document_is_open_once_it_has_let_the_session_in() {
    let mut harness = Harness::open();
    let effects = harness.opened("doc:plan", EDITOR, PLAN);
    assert!(
        matches!(
            effects[..],
            [Effect::Send(Answer::DocumentOpened {
                request: RequestId(1),
                document_id: PLAN,
                may_write: true,
                may_show: true,
            })]
        ),
        "{effects:?}"
    );
    let effects = harness.part(part(Piece::Update(1), b"edit", false));
    let Effect::Say { editor: EDITOR, said } = &effects[0] else {
        panic!("{effects:?}")
    };
    let update = Bytes::from_static(b"edit");
    let expected = Said::Edit {
        edit: 1,
        update,
        is_missing: false,
    };
    assert_eq!(*said, expected);
    let close = Request::CloseDocument { document_id: PLAN };
    let effects = harness.receive(close.clone());
    assert!(matches!(effects[..], [Effect::CloseDocument { editor: EDITOR }]));
    assert!(harness.receive(close).is_empty(), "it is closed");
    assert!(
        harness.part(part(Piece::Update(2), b"late", false)).is_empty(),
        "and takes nothing"
    );
}

#[test]
fn what_a_session_may_not_open_it_is_told() {
    let mut harness = Harness::new(|_| {});
    harness.say_hello("doc:*", reader());
    let effects = harness.receive(open(1, "team:plan"));
    assert!(matches!(refusal(&effects), Refusal::Forbidden { .. }));

    harness.opened("doc:plan", EDITOR, PLAN);
    let effects = harness.receive(open(2, "doc:plan"));
    assert!(matches!(refusal(&effects), Refusal::BadRequest(_)), "open already");
    harness.opened("doc:other", EditorId(31), DocumentId(7));
    let effects = harness.receive(open(3, "doc:third"));
    assert_eq!(*refusal(&effects), Refusal::TooManyDocuments { max: 2 });

    let mut without = Harness::new(|settings| settings.documents_max = 0);
    without.say_hello("*", Operations::ALL);
    let effects = without.receive(open(1, "doc:plan"));
    assert_eq!(*refusal(&effects), Refusal::DocumentsOff);
}

#[test]
fn a_node_that_cannot_open_it_now_says_so() {
    let mut harness = Harness::open();
    harness.receive(open(1, "doc:plan"));
    let effects = harness.handle(Input::DocumentOpening {
        request: RequestId(1),
        document: name("doc:plan"),
        editor: Err(Refusal::Busy),
    });
    assert_eq!(*refusal(&effects), Refusal::Busy);
    let effects = harness.receive(open(2, "doc:plan"));
    assert!(matches!(effects[..], [Effect::OpenDocument { .. }]), "it asks again");
}

#[test]
fn a_piece_is_put_together_from_its_parts() {
    let mut harness = Harness::editing(Operations::ALL);
    assert!(harness.part(part(Piece::Missing(4), b"a", true)).is_empty());
    assert!(harness.part(part(Piece::Missing(4), b"b", true)).is_empty());
    let effects = harness.part(part(Piece::Missing(4), b"c", false));
    let [
        Effect::Say {
            said:
                Said::Edit {
                    edit: 4,
                    update,
                    is_missing: true,
                },
            ..
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(&update[..], b"abc");

    harness.part(part(Piece::Update(5), b"a", true));
    let effects = harness.part(part(Piece::Update(6), b"b", false));
    assert!(matches!(not_taken(&effects), NotTaken::BadPiece(_)), "they are mixed");
}

#[test]
fn a_piece_has_a_limit_and_what_is_above_it_is_never_held() {
    let mut harness = Harness::editing(Operations::ALL);
    let half = Bytes::from(vec![0; crate::document::scan::Limits::CLIENT.bytes / 2]);
    let mut send = |data: &Bytes, more| {
        harness.part(DocumentPart {
            data: data.clone(),
            ..part(Piece::Update(1), b"", more)
        })
    };
    assert!(send(&half, true).is_empty());
    assert!(send(&half, true).is_empty(), "as long as may be");
    assert!(matches!(not_taken(&send(&half, true)), NotTaken::BadPiece(_)));
    assert!(send(&half, true).is_empty(), "told once");
    assert!(send(&half, false).is_empty());
    let effects = send(&Bytes::from_static(b"next"), false);
    assert!(matches!(effects[..], [Effect::Say { .. }]), "{effects:?}");
}

#[test]
fn the_number_of_an_edit_rises() {
    let mut harness = Harness::editing(Operations::ALL);
    harness.part(part(Piece::Update(5), b"a", false));
    let effects = harness.part(part(Piece::Update(5), b"b", false));
    assert!(matches!(not_taken(&effects), NotTaken::BadPiece(_)));
    let effects = harness.part(part(Piece::Missing(4), b"b", false));
    assert!(matches!(not_taken(&effects), NotTaken::BadPiece(_)));
    assert_eq!(harness.part(part(Piece::Update(9), b"b", false)).len(), 1);
}

#[test]
fn who_may_show_nobody_is_told_so() {
    let mut harness = Harness::editing(reader());
    let effects = harness.part(part(Piece::Awareness, b"me", false));
    assert_eq!(*not_taken(&effects), NotTaken::NoAwareness);
    harness.refreshed(reader().with(Operation::Awareness));
    let effects = harness.part(part(Piece::Awareness, b"me", false));
    assert!(matches!(
        effects[..],
        [Effect::Say {
            said: Said::Awareness(_),
            ..
        }]
    ));
}

#[test]
fn another_token_acts_on_documents_that_are_open() {
    let mut harness = Harness::editing(Operations::ALL);
    let effects = harness.refreshed(reader());
    assert!(
        matches!(
            effects[..],
            [
                Effect::Send(Answer::Refreshed { .. }),
                Effect::PermitDocument {
                    editor: EDITOR,
                    may_write: false
                },
                Effect::Send(Answer::DocumentOpened {
                    request: RequestId(0),
                    document_id: PLAN,
                    may_write: false,
                    may_show: false
                }),
            ]
        ),
        "{effects:?}"
    );
    assert_eq!(harness.refreshed(reader()).len(), 1, "nothing has changed");
    let effects = harness.refreshed(Operations::NONE);
    assert!(
        matches!(
            effects[..],
            [
                Effect::Send(Answer::Refreshed { .. }),
                Effect::CloseDocument { editor: EDITOR },
                Effect::Send(Answer::DocumentClosed {
                    document_id: PLAN,
                    why: NotTaken::NoReading
                }),
            ]
        ),
        "{effects:?}"
    );
}

#[test]
fn another_token_acts_on_a_document_that_is_about_to_open() {
    let mut harness = Harness::open();
    harness.receive(open(1, "doc:plan"));
    harness.handle(Input::DocumentOpening {
        request: RequestId(1),
        document: name("doc:plan"),
        editor: Ok(EDITOR),
    });
    let effects = harness.refreshed(Operations::NONE);
    assert!(matches!(
        effects[..],
        [
            Effect::Send(Answer::Refreshed { .. }),
            Effect::CloseDocument { editor: EDITOR },
            Effect::Send(Answer::Refused { .. }),
        ]
    ));
    let effects = harness.handle(Input::DocumentOpened {
        editor: EDITOR,
        document_id: PLAN,
    });
    assert!(effects.is_empty(), "it is none of the session's any more");
}

#[test]
fn what_the_server_closes_is_closed_and_said() {
    let mut harness = Harness::editing(Operations::ALL);
    let why = NotTaken::Behind;
    let effects = harness.handle(Input::DocumentsClosed(why.clone()));
    assert!(
        matches!(
            effects[..],
            [
                Effect::CloseDocument { editor: EDITOR },
                Effect::Send(Answer::DocumentClosed { document_id: PLAN, .. }),
            ]
        ),
        "{effects:?}"
    );
    assert!(harness.handle(Input::DocumentClosed { editor: EDITOR, why }).is_empty());
    harness.opened("doc:plan", EditorId(31), PLAN);
    let closed = Input::DocumentClosed {
        editor: EditorId(31),
        why: NotTaken::Failed,
    };
    assert_eq!(harness.handle(closed).len(), 2);
}

#[test]
fn who_sends_faster_than_the_rate_is_heard_later() {
    let mut harness = Harness::new(|settings| settings.document_interval = Some(SECOND));
    harness.say_hello("*", Operations::ALL);
    harness.opened("doc:plan", EDITOR, PLAN);
    let now = harness.now.instant;
    assert_eq!(harness.session.heard_again_at(|| now), None);
    for edit in 1..=3 {
        harness.part(part(Piece::Update(edit), b"a", false));
    }
    assert_eq!(harness.session.heard_again_at(|| now), Some(now + 2 * SECOND));
    assert_eq!(harness.session.heard_again_at(|| now + 2 * SECOND), None);
}
