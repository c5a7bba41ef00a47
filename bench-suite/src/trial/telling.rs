//! Tells the parent twice a second how far the trial is.

use super::collector::Collector;
use crate::status::Stage;
use downbeat_engine::clock::Wake;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(500);

/// A thread that writes the status file.
pub(super) struct Telling {
    stage: Arc<Mutex<Option<Stage>>>,
    wake: Arc<Wake>,
    thread: Option<JoinHandle<()>>,
    write: Arc<dyn Fn() + Send + Sync>,
}

impl Telling {
    /// Starts to tell. Without a thread only changes of the stage are told.
    pub(super) fn start(path: PathBuf, collector: Arc<Collector>) -> Self {
        let stage: Arc<Mutex<Option<Stage>>> = Arc::default();
        let told = stage.clone();
        let write: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            let mut status = collector.status();
            if let Some(stage) = *told.lock().unwrap_or_else(PoisonError::into_inner) {
                status.stage = stage;
            }
            status.write(&path);
        });
        let wake = Arc::new(Wake::default());
        let (sleeper, writer) = (wake.clone(), write.clone());
        let body = move || {
            while !sleeper.is_set() {
                writer();
                sleeper.sleep(PERIOD);
            }
        };
        let thread = std::thread::Builder::new().name("status".into()).spawn(body).ok();
        Telling { stage, wake, thread, write }
    }

    /// From now on the trial is in this stage, whatever its batches say.
    pub(super) fn tell(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
        (self.write)();
    }

    /// Ends the telling.
    pub(super) fn stop(mut self) {
        self.wake.set();
        if let Some(thread) = self.thread.take() {
            // It only writes a file; nothing is lost with it.
            let _ = thread.join();
        }
    }
}
