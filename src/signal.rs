//! Which signals mean stop.

/// Ready when the process is told to stop, and by what.
pub(crate) async fn stop() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be caught; stopping is abrupt");
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        () = terminated => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "SIGINT",
    }
}
