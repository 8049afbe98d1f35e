//! How long the journal is kept, and for whom.

use super::*;
use crate::projection::KEPT_SEGMENTS;

fn segments(dir: &Path) -> usize {
    let files = fs::read_dir(dir.join("journal")).unwrap();
    files.filter(|it| it.as_ref().unwrap().path().extension().unwrap() == "journal").count()
}

/// Some segments of what is not kept.
fn fill(store: &mut Started) {
    for number in 0..500 {
        let _ = store.writer.append_batch(&[bound(number)]);
    }
    // It does not wait, as registrations do.
    let _ = store.writer.append_batch(&[unbound(0)]);
    until("the projection", || store.handle.metrics().lag == 0);
}

/// The last record of the first segment cannot be read any more.
fn damage_end(dir: &Path) {
    let path = dir.join("journal/00000000000000000001.journal");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|&it| it != 0).unwrap();
    bytes[end] ^= 1;
    fs::write(&path, bytes).unwrap();
}

#[test]
fn old_segments_go_but_not_those_of_running_calls() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let _ = store.writer.append_batch(&[samples::started(1)]);
        fill(&mut store);
        assert!(segments(dir.path()) > 3, "the call that runs needs its first record");

        let after = killed(dir.path());
        let again = started(after.path()).await;
        assert_eq!(again.recovery.crashed.len(), 1);
        stop(again);

        let _ = store.writer.append_batch(&[samples::ended(1)]);
        until("the deletion", || segments(dir.path()) <= 2);
        stop(store);
    });
}

/// The journal is damaged where a call ended that the database has already.
#[test]
fn a_record_is_never_replaced_by_that_of_a_crash() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let _ = store.writer.append_batch(&[samples::started(1), samples::ended(1)]);
        let db = store.db.clone();
        stop(store);
        let before = calls(&db).await;
        damage_end(dir.path());

        let mut again = started(dir.path()).await;
        assert_eq!(again.recovery.crashed, []);
        assert_eq!(again.writer.next_sequence(), 3, "a sequence is never used twice");
        fill(&mut again);
        until("the deletion", || segments(dir.path()) <= 2);
        stop(again);
        assert_eq!(calls(&db).await, before);
    });
}

/// A call that is up for days does not fill the disk, and is owed its record and BYEs all the same.
#[test]
fn a_long_call_does_not_keep_the_journal() {
    run(async {
        let dir = TempDir::new().unwrap();
        let mut store = started(dir.path()).await;
        let calls_up = [1, 2, 3].map(samples::started);
        let _ = store.writer.append_batch(&calls_up);
        let _ = store.writer.append_batch(&[samples::answered(1), samples::answered(2)]);
        fill(&mut store);
        fill(&mut store);
        until("the deletion", || segments(dir.path()) <= KEPT_SEGMENTS);
        // One ends, one is answered, one goes on.
        let _ = store.writer.append_batch(&[samples::ended(2), samples::answered(3)]);
        fill(&mut store);
        fill(&mut store);
        until("the deletion", || segments(dir.path()) <= KEPT_SEGMENTS);

        let after = killed(dir.path());
        let again = started(after.path()).await;
        let crashed: Vec<_> =
            again.recovery.crashed.iter().map(|it| (it.call_id, it.sip_status)).collect();
        assert_eq!(crashed, [(samples::call_id(1), 200), (samples::call_id(3), 200)]);
        let dialogs = again.recovery.recovered.dialogs.iter();
        assert!(dialogs.map(|it| &*it.call_id).eq(["leg-1", "leg-1", "leg-3", "leg-3"]));
        let db = again.db.clone();
        stop(again);
        assert_eq!((calls(&db).await.len(), db.open_calls().await.unwrap().len()), (3, 0));

        let _ = store.writer.append_batch(&[samples::ended(1), samples::ended(3)]);
        let db = store.db.clone();
        stop(store);
        assert_eq!((calls(&db).await.len(), db.open_calls().await.unwrap().len()), (3, 0));
    });
}
