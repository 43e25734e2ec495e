//! The types that Raft is made of here.

use std::io::Cursor;

use openraft::BasicNode;

use super::wire;

openraft::declare_raft_types!(
    /// A command is a batch of the table's, an answer their outcomes; a node's address is its name.
    pub(super) TypeConfig:
        D = wire::Batch,
        R = Vec<wire::Outcome>,
        NodeId = u64,
        Node = BasicNode,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(super) type LogId = openraft::LogId<u64>;
pub(super) type Membership = openraft::StoredMembership<u64, BasicNode>;
pub(super) type SnapshotMeta = openraft::SnapshotMeta<u64, BasicNode>;
pub(super) type StorageError = openraft::StorageError<u64>;
pub(super) type Entry = openraft::Entry<TypeConfig>;
