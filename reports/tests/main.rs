//! Integration tests: golden files of every format, the documented schema, stored results, hostile text.

mod examples;
mod gate_formats;
mod gates;
mod golden;
mod hostile;
mod inert;
mod numbers;
mod payloads;
mod replaced;
mod schema;
mod searches;
mod store;
mod tags;
mod texts;
