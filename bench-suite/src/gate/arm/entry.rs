//! Files of a build that is kept, beside its `binary`.

/// Says that the binary beside it is whole.
pub(super) const BUILT: &str = "built.json";

/// Held by whoever builds the commit.
pub(super) const LOCK: &str = ".lock";
