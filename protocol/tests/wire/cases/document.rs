//! Frames about documents.

use bytes::Bytes;
use starling_protocol::limits;
use starling_protocol::v1::client_frame::Body as Client;
use starling_protocol::v1::server_frame::Body as Server;
use starling_protocol::v1::{
    CloseDocument, DocumentOpened, DocumentPart, DocumentPiece, DocumentRefused, DocumentSaved, ErrorCode, OpenDocument,
};

use super::{Case, case, long, payload};

/// An update of Yjs: client 1 has put "hi" into the text "t".
const UPDATE: &[u8] = &[1, 1, 1, 0, 4, 1, 1, b't', 2, b'h', b'i', 0];

/// What a client sends often.
pub(super) fn frequent() -> Vec<Case<Client>> {
    parts(limits::CLIENT_FRAME_BYTES_MAX, true)
}

/// What a client sends seldom.
pub(super) fn requests() -> Vec<Case<Client>> {
    let open = |request, document| OpenDocument { request, document };
    let close = |document_id| CloseDocument { document_id };
    vec![
        case("minimal", open(1, "a".into())),
        case("full", open(14, "doc:pläne/küche".into())),
        case("maximal", open(u64::MAX, long(limits::CHANNEL_BYTES_MAX))),
        case("minimal", close(1)),
        case("full", close(6)),
        case("maximal", close(u32::MAX)),
    ]
}

/// What a server sends.
pub(super) fn server() -> Vec<Case<Server>> {
    let saved = |document_id, up_to| DocumentSaved { document_id, up_to };
    let opened = |request, document_id, may_write, may_show| DocumentOpened {
        request,
        document_id,
        may_write,
        may_show,
    };
    let refused = |document_id, code: ErrorCode| DocumentRefused {
        document_id,
        code: code.into(),
        ..DocumentRefused::default()
    };
    let mut cases = parts(limits::SERVER_FRAME_BYTES_MAX, false);
    cases.extend([
        case("minimal", saved(1, 1)),
        case("full", saved(6, 300)),
        case("maximal", saved(u32::MAX, u64::MAX)),
        case("minimal", opened(0, 1, false, false)),
        case("full", opened(14, 6, true, true)),
        case("maximal", opened(u64::MAX, u32::MAX, true, true)),
        case("minimal", refused(1, ErrorCode::Quarantined)),
        case(
            "full",
            DocumentRefused {
                piece: DocumentPiece::Update.into(),
                edit: 300,
                message: "the document may only be read with this token".into(),
                retry_after_ms: 50,
                ..refused(6, ErrorCode::Forbidden)
            },
        ),
        case(
            "maximal",
            DocumentRefused {
                piece: DocumentPiece::Awareness.into(),
                edit: u64::MAX,
                message: long(limits::TEXT_BYTES_MAX),
                retry_after_ms: u32::MAX,
                ..refused(u32::MAX, ErrorCode::Internal)
            },
        ),
    ]);
    cases
}

/// Parts that fit frames of so many bytes.
fn parts<B: From<DocumentPart>>(frame_bytes: usize, is_numbered: bool) -> Vec<Case<B>> {
    let part = |document_id, piece: DocumentPiece, edit, data| DocumentPart {
        document_id,
        piece: piece.into(),
        edit: if is_numbered { edit } else { 0 },
        data,
        more: false,
    };
    vec![
        case("minimal", part(1, DocumentPiece::Update, 1, Bytes::new())),
        case("full", part(6, DocumentPiece::Update, 300, UPDATE.into())),
        case(
            "state_vector",
            part(6, DocumentPiece::StateVector, 0, vec![1, 1, 2].into()),
        ),
        case("awareness", part(6, DocumentPiece::Awareness, 0, vec![0].into())),
        case(
            "maximal",
            DocumentPart {
                more: true,
                ..part(
                    u32::MAX,
                    DocumentPiece::Missing,
                    u64::MAX,
                    payload(frame_bytes - limits::FRAME_HEADER_BYTES),
                )
            },
        ),
    ]
}
