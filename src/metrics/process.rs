//! What the process takes of its machine, read when somebody asks.

use metrics::{Gauge, describe_gauge, gauge};

use crate::memory;

/// What is read.
pub(super) struct Instruments {
    heap: Gauge,
    resident: Gauge,
}

impl Instruments {
    pub(super) fn new() -> Self {
        Self {
            heap: gauge!("starling_process_heap_bytes"),
            resident: gauge!("starling_process_resident_bytes"),
        }
    }

    pub(super) fn read(&self) {
        for (gauge, bytes) in [
            (&self.heap, memory::heap_bytes()),
            (&self.resident, memory::resident_bytes()),
        ] {
            if let Some(bytes) = bytes {
                gauge.set(bytes as f64);
            }
        }
    }
}

pub(super) fn describe() {
    describe_gauge!(
        "starling_process_heap_bytes",
        "Memory that is allocated. What SQLite has for itself is not in it."
    );
    describe_gauge!(
        "starling_process_resident_bytes",
        "Memory of the process that is its own and not swapped out: what is allocated, and what was and did not go back yet."
    );
}
