//! Serde adapter: a list of named spans as one JSON object, name → nanoseconds, in the order of the list.

use super::Phase;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserializer, Serializer};
use std::fmt;

/// Writes the spans as the entries of one object.
pub(super) fn serialize<S: Serializer>(phases: &[Phase], serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(Some(phases.len()))?;
    for phase in phases {
        object.serialize_entry(&phase.name, &phase.ns)?;
    }
    object.end()
}

/// Reads the entries of one object, keeping their order.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Phase>, D::Error> {
    deserializer.deserialize_map(InOrder)
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<Phase>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object from stage name to nanoseconds")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut phases = Vec::new();
        while let Some((name, ns)) = entries.next_entry()? {
            phases.push(Phase { name, ns });
        }
        Ok(phases)
    }
}
