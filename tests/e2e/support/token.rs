//! Tokens, put together by hand so that they can be wrong in any way.

use std::time::SystemTime;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The secret of the key `app`.
pub(crate) const SECRET: &str = "a secret of the tests, and longer than it must be";

/// Every right there is.
pub(crate) const ALL: &[&str] = &["publish", "subscribe", "history"];

/// What a token says; a test changes what it wants to be wrong.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) head: Value,
    pub(crate) claims: Value,
    pub(crate) secret: Vec<u8>,
}

impl Token {
    /// One of Anna, good for a minute, that grants nothing.
    pub(crate) fn new() -> Self {
        Self {
            head: json!({ "alg": "HS256", "typ": "JWT", "kid": "app" }),
            claims: json!({ "sub": "anna", "exp": seconds() + 60, "starling": { "capabilities": [] } }),
            secret: SECRET.into(),
        }
    }

    /// One that grants everything.
    pub(crate) fn of_everything() -> Self {
        Self::new().allow("*", ALL)
    }

    /// Adds a capability.
    pub(crate) fn allow(mut self, channels: &str, operations: &[&str]) -> Self {
        let list = self.claims["starling"]["capabilities"].as_array_mut();
        list.expect("a list")
            .push(json!({ "channels": channels, "operations": operations }));
        self
    }

    /// Sets a claim; `null` takes it out.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => drop(self.claims.as_object_mut().expect("an object").remove(name)),
            value => self.claims[name] = value,
        }
        self
    }

    /// Ends so many seconds from now.
    pub(crate) fn ends_in(self, from_now: i64) -> Self {
        let end = seconds().saturating_add_signed(from_now);
        self.claim("exp", end)
    }

    /// Sets a field of the head.
    pub(crate) fn head(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.head[name] = value.into();
        self
    }

    /// Signs with something else.
    pub(crate) fn signed_with(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.secret = secret.into();
        self
    }

    /// The token.
    pub(crate) fn text(&self) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&self.head), part(&self.claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let signature = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// Now, in seconds since 1970.
pub(crate) fn seconds() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.expect("the clock is set").as_secs()
}
