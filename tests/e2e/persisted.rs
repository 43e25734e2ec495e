//! Persisted channels: what was acknowledged is there after a crash, whatever the disk does.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `crash.rs` | `kill -9` in the middle of a stream; retries, keys and removals after it |
//! | `paging.rs` | fifty thousand missed messages, paged from the store: bounded memory, others undisturbed |
//! | `http.rs` | what is in the store only, read over HTTP |
//! | `disk.rs` | a full disk, damaged rows, what retention deletes |
//! | `database.rs` | the same in PostgreSQL, which is killed as well |
//! | `syncs.rs` | each acknowledgement follows the sync that covers it, seen by strace |

use crate::support::directory::Directory;
use crate::support::settings::Settings;

mod crash;
mod database;
mod disk;
mod http;
mod paging;
mod syncs;

/// A node with the namespace `log`, persisted in `directory`.
fn persisted(directory: &Directory) -> Settings {
    Settings::default().set("node.data_dir", directory.text()).namespace(
        "log",
        "durability = \"persisted\"\npublish_rate = 0\nhistory = { messages = 200000, bytes = \"256MiB\", age = \"1d\" }",
    )
}
