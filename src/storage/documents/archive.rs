//! The rest of what is done with documents: versions, the trash, lists for an operator.

use starling_core::document::guard::Snapshot;
use starling_core::id::ChannelName;
use starling_core::time::WallTime;

use super::request::{Question, Write};
use super::{Documents, Failure, History, LIST_MAX, Listed, Made, Stats, Trashed, Version};

impl Documents {
    /// Keeps a version. Answers with its number.
    ///
    /// # Errors
    /// [`Failure::VersionsFull`] if it has a name and too many have.
    pub async fn make_version(
        &self,
        document: &ChannelName,
        history: History,
        made: Made,
        snapshot: &Snapshot,
    ) -> Result<u64, Failure> {
        let (body, last) = self.send_pieces(snapshot, made.time).await?;
        let document = document.clone();
        let write = Write::MakeVersion {
            document,
            history,
            made,
            body,
            last,
        };
        self.write(write).await.map(i64::cast_unsigned)
    }

    /// Versions of a document, the latest first: at most `max` (and [`LIST_MAX`]) of those before a number.
    ///
    /// # Errors
    /// When the store cannot say, or there is no such document.
    pub async fn versions(&self, document: &ChannelName, before: u64, max: u32) -> Result<Vec<Version>, Failure> {
        let (document, max) = (document.clone(), max.min(LIST_MAX));
        self.ask(|reply| Question::Versions {
            document,
            before,
            max,
            reply,
        })
        .await
    }

    /// A version, and what is in it. Restoring it is an edit like any other, which has what it takes to get there.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn version(&self, document: &ChannelName, number: u64) -> Result<(Version, Snapshot), Failure> {
        let document = document.clone();
        self.ask(|reply| Question::Version {
            document,
            number,
            reply,
        })
        .await
    }

    /// Deletes a version for good.
    ///
    /// # Errors
    /// When there is none.
    pub async fn delete_version(&self, document: &ChannelName, number: u64, time: WallTime) -> Result<(), Failure> {
        let document = document.clone();
        let write = Write::DeleteVersion { document, number, time };
        self.write(write).await.map(drop)
    }

    /// Puts a document into the trash. Whoever has it open is refused from then on ([`Failure::Gone`]), and its name is free.
    ///
    /// # Errors
    /// When there is none.
    pub async fn delete(&self, document: &ChannelName, time: WallTime) -> Result<(), Failure> {
        let document = document.clone();
        self.write(Write::Delete { document, time }).await.map(drop)
    }

    /// Documents in the trash, in the order they were begun: at most `max` (and [`LIST_MAX`]) of those after one.
    ///
    /// # Errors
    /// When the store cannot say.
    pub async fn trash(&self, after: Option<History>, max: u32) -> Result<Vec<Trashed>, Failure> {
        let (after, max) = (after.map_or(0, |after| after.0), max.min(LIST_MAX));
        self.ask(|reply| Question::Trash { after, max, reply }).await
    }

    /// Takes a document out of the trash, as it was.
    ///
    /// # Errors
    /// [`Failure::Exists`] if another was begun under its name, [`Failure::NotFound`] if it has left the trash.
    pub async fn restore(&self, history: History, time: WallTime) -> Result<(), Failure> {
        self.write(Write::Restore { history, time }).await.map(drop)
    }

    /// What there is of a document; `None` if there is none of this name.
    ///
    /// # Errors
    /// When the store cannot say.
    pub async fn stats(&self, document: &ChannelName) -> Result<Option<Stats>, Failure> {
        let document = document.clone();
        self.ask(|reply| Question::Stats { document, reply }).await
    }

    /// Documents whose names begin so, by name: at most `max` (and [`LIST_MAX`]) of those after a name, or of all after "".
    ///
    /// # Errors
    /// When the store cannot say.
    pub async fn list(&self, prefix: &str, after: &str, max: u32) -> Result<Vec<Listed>, Failure> {
        // No name has one, and a database would not hear of it.
        if prefix.contains('\0') || after.contains('\0') {
            return Ok(Vec::new());
        }
        let (prefix, after, max) = (prefix.to_owned(), after.to_owned(), max.min(LIST_MAX));
        self.ask(|reply| Question::List {
            prefix,
            after,
            max,
            reply,
        })
        .await
    }
}
