//! Fields about documents that must not be sent.

use starling_protocol::limits;
use starling_protocol::v1::{
    CloseDocument, DocumentOpened, DocumentPart, DocumentPiece, DocumentRefused, DocumentSaved, ErrorCode, OpenDocument,
};

use super::{Refused, client, server};

pub(super) fn bodies() -> Vec<Refused> {
    let mut bodies = sent();
    bodies.extend(told());
    bodies
}

fn sent() -> Vec<Refused> {
    let update = DocumentPart {
        document_id: 6,
        piece: DocumentPiece::Update.into(),
        edit: 1,
        ..DocumentPart::default()
    };
    let open = |request, document| OpenDocument { request, document };
    vec![
        client(
            "open_document without a request",
            "open_document.request",
            open(0, "plan".into()),
        ),
        client(
            "open_document without a document",
            "open_document.document",
            open(7, String::new()),
        ),
        client(
            "open_document of a document of 256 bytes",
            "open_document.document",
            open(7, "a".repeat(limits::CHANNEL_BYTES_MAX + 1)),
        ),
        client(
            "close_document without a document",
            "close_document.document_id",
            CloseDocument { document_id: 0 },
        ),
        client(
            "document_part without a document",
            "document_part.document_id",
            DocumentPart {
                document_id: 0,
                ..update.clone()
            },
        ),
        client(
            "document_part that is nothing",
            "document_part.piece",
            DocumentPart {
                piece: 0,
                ..update.clone()
            },
        ),
        client(
            "document_part that is something unknown",
            "document_part.piece",
            DocumentPart {
                piece: 5,
                ..update.clone()
            },
        ),
        client(
            "document_part with an edit that has no number",
            "document_part.edit",
            DocumentPart {
                edit: 0,
                ..update.clone()
            },
        ),
        client(
            "document_part with awareness that has a number",
            "document_part.edit",
            DocumentPart {
                piece: DocumentPiece::Awareness.into(),
                ..update
            },
        ),
    ]
}

fn told() -> Vec<Refused> {
    let refused = DocumentRefused {
        document_id: 6,
        code: ErrorCode::BadUpdate.into(),
        ..DocumentRefused::default()
    };
    vec![
        server(
            "document_part of a server that is something unknown",
            "document_part.piece",
            DocumentPart {
                document_id: 6,
                piece: 5,
                ..DocumentPart::default()
            },
        ),
        server(
            "document_saved without a document",
            "document_saved.document_id",
            DocumentSaved {
                document_id: 0,
                up_to: 1,
            },
        ),
        server(
            "document_saved up to nothing",
            "document_saved.up_to",
            DocumentSaved {
                document_id: 6,
                up_to: 0,
            },
        ),
        server(
            "document_opened without a document",
            "document_opened.document_id",
            DocumentOpened {
                request: 7,
                ..DocumentOpened::default()
            },
        ),
        server(
            "document_refused without a document",
            "document_refused.document_id",
            DocumentRefused {
                document_id: 0,
                ..refused.clone()
            },
        ),
        server(
            "document_refused without a code",
            "document_refused.code",
            DocumentRefused {
                code: 0,
                ..refused.clone()
            },
        ),
        server(
            "document_refused with a message of 1025 bytes",
            "document_refused.message",
            DocumentRefused {
                message: "a".repeat(limits::TEXT_BYTES_MAX + 1),
                ..refused
            },
        ),
    ]
}
