//! The wire of an exchange: which form blocks have on it, and the memory of those that encode and decode them.

use super::codec::BlockCodec;
use crate::clock::lock;
use crate::record::Family;
use crate::settings::{CodecKind, Compression, Settings};
use std::sync::Mutex;

/// How blocks of records cross an exchange that encodes them.
pub(crate) struct Wire<R: Family> {
    codec: CodecKind,
    compression: Compression,
    reuse: bool,
    idle: Mutex<Vec<BlockCodec<R>>>,
}

impl<R: Family> Wire<R> {
    /// The wire that the settings ask for; `None` when records are moved as they are.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let Settings { codec, compression, buffer_reuse: reuse, .. } = *settings;
        (codec != CodecKind::None).then(|| Wire { codec, compression, reuse, idle: Mutex::default() })
    }

    /// One that encodes or decodes, with memory from an earlier batch if there is any.
    pub(crate) fn take(&self) -> BlockCodec<R> {
        lock(&self.idle).pop().unwrap_or_else(|| BlockCodec::new(self.codec, self.compression))
    }

    /// Gives them back.
    pub(crate) fn put(&self, codecs: Vec<BlockCodec<R>>) {
        if self.reuse {
            lock(&self.idle).extend(codecs);
        }
    }
}
