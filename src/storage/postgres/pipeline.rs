//! Requests that are sent one after the other without waiting for answers.
//!
//! tokio-postgres sends a request when it is first polled, and the database answers in the order in which it was asked.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

/// A request that is on its way.
pub(super) struct Sent<'a, T> {
    request: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    answer: Option<T>,
}

impl<'a, T> Sent<'a, T> {
    /// Sends it.
    pub(super) async fn new(request: impl Future<Output = T> + Send + 'a) -> Self {
        let mut request: Pin<Box<dyn Future<Output = T> + Send + 'a>> = Box::pin(request);
        let answer = poll_fn(|context| {
            Poll::Ready(match request.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        });
        let answer = answer.await;
        Self { request, answer }
    }

    /// Waits for the answer.
    pub(super) async fn answer(self) -> T {
        match self.answer {
            Some(answer) => answer,
            None => self.request.await,
        }
    }
}

/// A column of a statement: one value for each row.
pub(super) type Column<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// Statements of one transaction that are on their way.
pub(super) struct Pipeline<'a> {
    client: &'a Client,
    sent: Vec<Sent<'a, Result<u64, Error>>>,
}

impl<'a> Pipeline<'a> {
    pub(super) const fn new(client: &'a Client) -> Self {
        Self {
            client,
            sent: Vec::new(),
        }
    }

    /// Sends a statement.
    pub(super) async fn send(&mut self, statement: &'a Statement, columns: Vec<Column<'a>>) {
        let client = self.client;
        let sent = Sent::new(async move {
            let columns: Vec<_> = columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect();
            client.execute(statement, &columns).await
        });
        self.sent.push(sent.await);
    }

    /// Waits for every answer. The first that is an error counts: those behind it only say that it was one.
    pub(super) async fn answered(self) -> Result<(), Error> {
        for sent in self.sent {
            sent.answer().await?;
        }
        Ok(())
    }
}
