//! Payloads in JSON: text as it is, anything else in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;

use super::error::ApiError;

/// A payload on its way out: `data` if it is text, `data_base64` if it is not.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

impl Data {
    pub(super) fn of(payload: &[u8]) -> Self {
        match std::str::from_utf8(payload) {
            Ok(text) => Self {
                data: Some(text.to_owned()),
                data_base64: None,
            },
            Err(_) => Self {
                data: None,
                data_base64: Some(STANDARD.encode(payload)),
            },
        }
    }
}

/// A payload that came as `data` or as `data_base64`; neither is an empty one.
pub(super) fn payload(data: Option<String>, data_base64: Option<String>) -> Result<Bytes, ApiError> {
    match (data, data_base64) {
        (Some(text), None) => Ok(text.into()),
        (None, Some(base64)) => {
            let decoded = STANDARD.decode(base64);
            decoded
                .map(Bytes::from)
                .map_err(|_| ApiError::bad_request("data_base64 is not base64"))
        }
        (None, None) => Ok(Bytes::new()),
        (Some(_), Some(_)) => Err(ApiError::bad_request("send data or data_base64, not both")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_went() {
        for bytes in [&b""[..], b"text", b"\xff\xfe", "naïve \u{0}".as_bytes()] {
            let Data { data, data_base64 } = Data::of(bytes);
            assert_eq!(data.is_some(), std::str::from_utf8(bytes).is_ok());
            assert_eq!(payload(data, data_base64).expect("one of both"), bytes);
        }
    }
}
