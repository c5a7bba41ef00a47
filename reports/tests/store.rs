//! Results written and read again.

use crate::examples;
use downbeat_reports::record;
use downbeat_reports::store::{self, RESULT_FILE, RunDirectory, StoreError};
use downbeat_reports::summary::Summary;

#[test]
fn results_are_loaded_from_directory_file_and_bare_record() {
    let root = tempfile::tempdir().unwrap();
    let original = examples::falls_behind();
    let directory = RunDirectory::create(root.path().join(&original.run)).unwrap();
    let path = directory.write_result(&Summary::new(&original, false).unwrap()).unwrap();
    assert_eq!(store::load(directory.path()).unwrap(), original);
    assert_eq!(store::load(&path).unwrap(), original);
    let bare = directory.write("record.json", &serde_json::to_vec(&original).unwrap()).unwrap();
    assert_eq!(store::load(&bare).unwrap(), original);
}

#[test]
fn lists_name_result_directories_only() {
    let root = tempfile::tempdir().unwrap();
    for name in ["b-run", "a-run", "empty"] {
        RunDirectory::create(root.path().join(name)).unwrap();
    }
    for name in ["b-run", "a-run"] {
        std::fs::write(root.path().join(name).join(RESULT_FILE), "{}").unwrap();
    }
    let listed = store::list(root.path(), &[store::RESULT_FILE]).unwrap();
    assert_eq!(listed, ["a-run", "b-run"].map(|name| root.path().join(name)));
    assert!(matches!(store::load(&listed[0]), Err(StoreError::NotARecord { .. })));
}

#[test]
fn a_record_cut_short_is_refused() {
    let whole = serde_json::to_vec(&examples::holds()).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        assert!(record::parse(&whole[..length]).is_err(), "{length}");
    }
    assert!(record::parse(&whole).is_ok());
}

#[test]
fn damaged_histograms_are_named() {
    let mut record = examples::holds();
    record.latency_histogram = Some("AAAA".to_owned());
    let error = Summary::new(&record, false).unwrap_err();
    assert!(error.to_string().contains("unreadable"), "{error}");
}
