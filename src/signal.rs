//! Which signals mean stop.

use std::convert::Infallible;
use std::future::pending;

use tokio::signal::unix::{SignalKind, signal};

/// Catches the signals from now on, so that none comes between the news that the node serves and its first look. The
/// future is ready when the process is told to stop, and says by what.
pub(crate) fn stop() -> impl Future<Output = &'static str> {
    let (terminated, interrupted) = (caught(SignalKind::terminate()), caught(SignalKind::interrupt()));
    async {
        tokio::select! {
            () = terminated => "SIGTERM",
            () = interrupted => "SIGINT",
        }
    }
}

/// Catches the signal that asks to read again what may have changed (SIGHUP), from now on: one that is not caught ends
/// the process. The future calls `reload` for each.
pub(crate) fn reload(mut reload: impl FnMut()) -> impl Future<Output = Infallible> {
    let caught = signal(SignalKind::hangup());
    async move {
        match caught {
            Ok(mut signal) => {
                while signal.recv().await.is_some() {
                    reload();
                }
            }
            Err(error) => tracing::warn!(%error, "SIGHUP cannot be caught; keys are read at the start only"),
        }
        pending().await
    }
}

fn caught(kind: SignalKind) -> impl Future<Output = ()> {
    let caught = signal(kind);
    async move {
        match caught {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, ?kind, "a signal cannot be caught; stopping by it is abrupt");
                pending().await
            }
        }
    }
}
