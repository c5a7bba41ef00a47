//! Windows: the last batches seen as one. A batch (or the slide of the parent) is the pane.
//!
//! What a window knows is carried from slide to slide: the cost of a slide follows what comes and what goes, not the length
//! of the window, and no slide pays for the whole window at once: unless `window_method` says `recompute`, to compare with.

mod blocks;
mod carried;
mod daba;
mod group;
mod inverse;
mod keyed;
mod per_key;
mod plain;
mod recompute;
mod sliding;
mod span;
mod whole;
