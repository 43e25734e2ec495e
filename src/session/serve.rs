//! A session from its first byte to its last, as a future.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::Mailbox;
use super::task::Task;
use crate::actor::registry::Registry;
use crate::node::Services;
use crate::transport::Connection;
use crate::transport::accept::Admitted;

/// Serves one connection until it ends. The future is a plain struct rather than an `async` block,
/// which would hold the connection more than once: an idle session is nothing but this.
///
/// Its time to say hello began at `since`.
pub fn serve<C: Connection>(connection: C, registry: Registry, admitted: Admitted, since: Instant) -> Serve<C> {
    let services = Arc::clone(registry.services());
    let mailbox = Arc::new(Mailbox::default());
    let number = services.sessions.list(&mailbox);
    Serve {
        stage: Stage::Serving(Task::new(
            connection,
            registry,
            mailbox,
            number,
            (admitted.address(), since),
        )),
        admitted,
        began: Instant::now(),
        opened: false,
        services,
        number,
    }
}

/// A session from its first byte to its last.
pub struct Serve<C: Connection> {
    stage: Stage<C>,
    admitted: Admitted,
    began: Instant,
    opened: bool,
    services: Arc<Services>,
    number: u64,
}

#[expect(
    clippy::large_enum_variant,
    reason = "serving is what nearly all sessions do all the time"
)]
enum Stage<C> {
    Serving(Task<C>),
    Ending(Pin<Box<dyn Future<Output = ()> + Send>>),
    Over,
}

impl<C: Connection> Future for Serve<C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Stage::Serving(task) = &mut this.stage {
            let polled = task.poll(cx);
            if !this.opened && task.rules.is_open() {
                this.opened = true;
                this.admitted.opened();
                this.services.metrics.opened(C::TRANSPORT);
            }
            let ending = ready!(polled);
            if let Stage::Serving(task) = std::mem::replace(&mut this.stage, Stage::Over) {
                this.stage = Stage::Ending(Box::pin(task.end(ending)));
            }
        }
        if let Stage::Ending(ending) = &mut this.stage {
            ready!(ending.as_mut().poll(cx));
            this.stage = Stage::Over;
        }
        Poll::Ready(())
    }
}

impl<C: Connection> Drop for Serve<C> {
    fn drop(&mut self) {
        self.services.sessions.unlist(self.number);
        if self.opened {
            self.services.metrics.ended(C::TRANSPORT, self.began.elapsed());
        }
    }
}
