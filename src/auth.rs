//! Who may open a session, and with what rights.

use std::sync::Arc;

use starling_core::access::{Capability, Grant, Operations, Pattern};
use starling_core::id::Subject;
use starling_core::session::answer::Farewell;
use starling_core::session::request::Hello;

/// Checks what a hello presents.
#[derive(Debug)]
pub struct Auth {
    /// What a session without a token gets; `None` if it gets none.
    anonymous: Option<Arc<Grant>>,
}

impl Auth {
    /// Admits sessions without a token if `anonymous` says so, with every right.
    ///
    /// # Panics
    /// Never: the pattern is a constant.
    #[must_use]
    pub fn new(anonymous: bool) -> Self {
        let grant = || {
            Arc::new(Grant {
                subject: Subject::new("anonymous"),
                capabilities: Arc::new([Capability {
                    pattern: Pattern::parse("*").expect("a wildcard is a pattern"),
                    operations: Operations::ALL,
                }]),
                expires: None,
            })
        };
        Self {
            anonymous: anonymous.then(grant),
        }
    }

    /// What the session may do.
    ///
    /// # Errors
    /// Why it is not let in, for its client.
    pub fn admit(&self, hello: &Hello) -> Result<Arc<Grant>, Farewell> {
        let unauthorized = |why: &str| Err(Farewell::Unauthorized(why.to_owned()));
        match &self.anonymous {
            Some(grant) if hello.token.is_empty() => Ok(Arc::clone(grant)),
            Some(_) => unauthorized("this node has no keys to check a token with; connect without one"),
            None => {
                unauthorized("this node lets nobody in: it has no keys to check tokens with, and auth.anonymous is off")
            }
        }
    }

    /// What a request over HTTP may do that brings no token.
    #[must_use]
    pub const fn anonymous(&self) -> Option<&Arc<Grant>> {
        self.anonymous.as_ref()
    }
}
