//! What the appliance has seen and said, kept so that it survives a power cut and cannot be changed
//! unnoticed.
//!
//! A state folder holds
//!
//! | path | what it is |
//! |---|---|
//! | `records.sqlite` | the rows: slides, fields, exports, removals of images (see `schema-1.sql`), and how far they were delivered (`schema-2.sql`) |
//! | `records.lock` | locked by the appliance that writes here |
//! | `records.ballast` | 8 MiB of nothing, which the database gets if a full disk leaves it no room |
//! | `images/<slide>/<field>.jpg` | a field as the camera gave it; `<field>-evidence.png` beside it |
//! | `incoming/` | images that are being written |
//!
//! **Order.** An image is written to `incoming`, synced, renamed and its folder synced; only then is the
//! row that names it committed, with `synchronous=FULL`. So a committed row has whole images, whenever the
//! power goes. An image without a row may be left behind; nothing was said about it, and it is never
//! deleted by itself, because its row may be in a database that somebody put aside.
//!
//! **The chain.** Rows are numbered from 1 over all tables. The hash of a row is the SHA-256 of
//!
//! ```text
//! <hash of the row before, 64 hexadecimal digits; zeros before the first>\n<kind>\n<number>\n<body>
//! ```
//!
//! where the kind is `slide`, `field`, `export` or `removal`, and the body is the row's JSON, byte for byte as it
//! is stored. A field's body names its images with their SHA-256.
//!
//! This shows that a row or an image was changed, exchanged or deleted after it was written, if whoever did it did not
//! make all later hashes anew. It does *not* protect against somebody who may write here and knows how: they
//! can make the whole chain anew, cut off its end, or add to it, also removals of images. Only a hash that was kept elsewhere tells of
//! the first two:
//! `smearscope records verify` prints the last one (the head), and `--expect-head` demands that it is still
//! part of the chain. Nor does it say who wrote a row, or that the clock was right.

mod archive;
mod ballast;
mod chain;
mod entry;
mod error;
pub(crate) mod export;
mod files;
mod lazy_store;
mod notes;
mod outbox;
mod periodic_task;
mod retention;
mod schema;
mod slides;
mod space;
mod store;
mod verify;

pub use archive::{Archive, Filter, Record};
pub use entry::{
    ElapsedEntry, EngineEntry, FieldEntry, ImageEntry, ModelEntry, NoteEntry, SlideEntry,
    SlideSummaryEntry,
};
pub use error::RecordsError;
pub(crate) use export::Exported;
pub use lazy_store::LazyStore;
pub(crate) use notes::checked as checked_note;
pub use outbox::Outbox;
pub(crate) use slides::{Page, SlideRecord};
pub use retention::RetentionTask;
pub use space::{Room, Space};
pub use store::{FieldImages, Images, Store};
pub use verify::Verified;

use std::path::{Path, PathBuf};

const DATABASE: &str = "records.sqlite";
const LOCK: &str = "records.lock";
const IMAGES: &str = "images";
const INCOMING: &str = "incoming";

#[cfg(test)]
mod testing;

fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}
