//! Records of slides and fields: they survive power cuts, and later changes to them are detectable.
//!
//! A state folder contains
//!
//! | path | content |
//! |---|---|
//! | `records.sqlite` | the rows: slides, fields, exports, removals of images (`schema-1.sql`), delivery cursors (`schema-2.sql`), notes (`schema-3.sql`), closings of slides (`schema-4.sql`), cells of fields (`schema-5.sql`) |
//! | `records.identity` | a UUID, by which the folder is told from another one |
//! | `records.lock` | locked by the appliance that writes here |
//! | `records.head` | number and hash of the last row, to notice when the end of the database is lost |
//! | `records.loss` | rows that were lost, one JSON object per line; only after a loss |
//! | `records.verified` | the result of the last `smearscope records verify --record-result` |
//! | `faults.json` | the last faults of the appliance (see `fault_log`); no part of the hash chain |
//! | `drift.json` | when the drift watch was started anew (see [`drift`](crate::drift)); no part of the hash chain |
//! | `records.ballast` | an 8 MiB placeholder; deleting it gives the database space on a full disk |
//! | `images/<slide>/<field>.jpg` | the field's image as the camera delivered it, with EXIF data added (see `image_metadata`); `<field>-evidence.png` is its evidence overlay |
//! | `incoming/` | images being written |
//!
//! **Write order.** An image is written to `incoming`, synced and renamed, and its folder is synced. Only then is the row
//! that names it committed, with `synchronous=FULL`. A committed row therefore has complete images, even after a power
//! cut. Then the row's number and hash are synced in `records.head`, and only then is the field reported as saved.
//! Afterwards, a checkpoint moves the row from the log into the database: a single damaged bit in the log would lose all that
//! follows it. If the head names a row that the database does not have, rows were lost: that is told, and recording goes
//! on.
//!
//! A power cut may leave an image without a row; its verdict was never shown as saved. Retention deletes it an hour later,
//! unless it may be the evidence of a lost row (see `orphans`).
//!
//! **Hash chain.** Rows are numbered from 1 across all tables. The hash of a row is the SHA-256 of
//!
//! ```text
//! <hash of the previous row, 64 hexadecimal digits; zeros for the first row>\n<kind>\n<number>\n<body>
//! ```
//!
//! where the kind is `slide`, `field`, `export`, `removal`, `note`, `closing` or `cells`, and the body is the row's JSON, byte for byte as
//! stored. The body of a field contains the paths and SHA-256 of its images.
//!
//! The chain reveals that a row or an image was changed, replaced or deleted, unless all later hashes were recomputed. It
//! does *not* protect against a skilled writer with access to the folder, who can recompute the whole chain, cut off its
//! end or append rows, including removals of images. Only a hash stored elsewhere reveals the first two:
//! `smearscope records verify` prints the hash of the last row (the head), and `--expect-head` requires that it is still
//! part of the chain. The chain does not show who wrote a row or whether the clock was right.

mod archive;
mod ballast;
mod camera_entry;
mod camera_fields;
mod cells;
mod cells_entry;
mod chain;
mod checkpoint;
mod condition;
mod contradiction;
mod entry;
mod error;
pub(crate) mod export;
mod fault_log;
mod files;
mod filter;
pub(crate) mod first_error;
mod head;
mod image_metadata;
mod layout;
mod lazy_store;
mod loss;
mod notes;
mod orphans;
mod outbox;
mod periodic_task;
mod permissions;
mod place;
mod removal;
mod retention;
mod schema;
mod slides;
mod space;
mod store;
mod verify;

#[cfg(test)]
mod many_cells;
#[cfg(test)]
pub(crate) mod testing;

pub use archive::{Archive, Record, RecordWithCells};
pub use camera_entry::CameraEntry;
pub use cells_entry::{CellEntry, CellsEntry, CountEntry, CountRuleEntry};
pub(crate) use condition::Condition;
pub use entry::{
    ClosingReason, ElapsedEntry, EngineEntry, FieldEntry, ImageEntry, ModelEntry, NoteEntry,
    SlideEntry, SlideRuleEntry, SlideSummaryEntry,
};
pub(crate) use error::CHECK_DISK;
pub use error::RecordsError;
pub(crate) use export::Exported;
pub(crate) use fault_log::{FaultEntry, FaultLog};
pub use filter::Filter;
pub(crate) use filter::Page;
pub(crate) use image_metadata::ImageMetadata;
pub(crate) use layout::exist;
pub use lazy_store::LazyStore;
pub(crate) use notes::checked_note;
pub use outbox::Outbox;
pub use place::{check_place, identity};
pub(crate) use slides::SlideRecord;
pub use space::{Room, Space};
pub use store::{FieldImages, Images, Store};
pub use verify::Verified;
