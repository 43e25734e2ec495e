//! Pages, encoded once for all readers that are behind by the same amount.

use std::collections::VecDeque;
use std::sync::Arc;

use starling_core::id::{Epoch, Seq};

use super::Frame;

/// Pages kept per channel. After a reconnect storm thousands of readers want the same few; four of
/// at most 256 KiB each are worth a megabyte while it lasts. The oldest goes.
const PAGES_MAX: usize = 4;

/// A page as readers get it.
#[derive(Debug, Clone)]
pub struct EncodedPage {
    /// The page continues after this seq.
    pub after: Seq,
    /// The last message of the page.
    pub through: Seq,
    /// Its bytes.
    pub frame: Arc<Frame>,
}

/// The newest pages of one channel.
#[derive(Debug, Default)]
pub struct PageCache(VecDeque<(Epoch, EncodedPage)>);

impl PageCache {
    /// The page after `after`, if it is kept.
    #[must_use]
    pub fn find(&self, epoch: &Epoch, after: Seq) -> Option<&EncodedPage> {
        let found = self.0.iter().find(|(of, page)| page.after == after && of == epoch);
        found.map(|(_, page)| page)
    }

    /// Keeps a page, in place of the oldest.
    pub fn keep(&mut self, epoch: Epoch, page: EncodedPage) {
        if self.0.len() == PAGES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((epoch, page));
    }

    /// Forgets all pages: the storm is over, or the history broke.
    pub fn clear(&mut self) {
        self.0 = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use starling_protocol::frame::encode_server;
    use starling_protocol::v1;

    use super::*;

    #[test]
    fn the_newest_pages_are_kept() {
        let epoch = Epoch::parse("0-a").expect("valid");
        let mut cache = PageCache::default();
        for after in 0..=PAGES_MAX as u64 {
            let page = EncodedPage {
                after: Seq(after),
                through: Seq(after + 10),
                frame: Arc::new(encode_server(v1::Ping { nonce: 1 }).into()),
            };
            cache.keep(epoch.clone(), page);
        }
        assert!(cache.find(&epoch, Seq(0)).is_none(), "the oldest went");
        assert_eq!(cache.find(&epoch, Seq(1)).map(|page| page.through), Some(Seq(11)));
        assert!(cache.find(&Epoch::parse("0-b").expect("valid"), Seq(1)).is_none());
        cache.clear();
        assert!(cache.find(&epoch, Seq(1)).is_none());
    }
}
