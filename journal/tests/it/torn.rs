//! What a crash can leave: every prefix of what was not synced, whole sectors out of order, a full disk, a failed sync.

use yiqiao_journal::journal::{AppendError, SyncError};
use yiqiao_journal::limits::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, RECORD_BYTES_MAX};
use yiqiao_journal::sim::{Survivors, Unsynced};
use yiqiao_journal::{Journal, Options, Position};

use crate::rig::{append, contents, disk, folder, open, opened, segments};

#[test]
fn every_torn_prefix_of_the_unsynced_frames_keeps_whole_batches() {
    // Frames of 36 + 8 + 3, 36 + 8 + 8 + 9 and 36 + 8 bytes.
    let batches = [vec![b"one".to_vec()], vec![b"four".to_vec(), b"five5".to_vec()], vec![vec![]]];
    let ends = [47, 108, 152];
    for synced in 0..=1 {
        let unsynced = ends[2] - if synced == 1 { ends[0] } else { 0 };
        for kept in 0..=unsynced {
            let disk = disk();
            let mut journal = opened(&disk);
            for (index, batch) in batches.iter().enumerate() {
                append(&mut journal, batch);
                if index + 1 == synced {
                    journal.sync().unwrap();
                }
            }
            let floor = journal.synced_end();
            disk.crash(|unsynced_then| {
                let steps = unsynced;
                assert!(matches!(unsynced_then, Unsynced::Bytes { steps: found, .. } if found == steps));
                Survivors::First(kept)
            });
            let (mut journal, recovery) = open(&disk, floor, u64::MAX).unwrap();
            let reached = kept + ends[2] - unsynced;
            let whole = ends.iter().filter(|end| **end <= reached).count();
            assert_eq!(contents(&journal), batches[..whole].concat(), "{kept} of {unsynced} bytes kept");
            let cut_bytes = recovery.cut.map_or(0, |cut| cut.bytes);
            assert_eq!(journal.end().get() + cut_bytes, reached);
            append(&mut journal, &batches[0]);
            journal.sync().unwrap();
            disk.crash_to_synced();
            let expected = [batches[..whole].concat(), batches[0].clone()].concat();
            assert_eq!(contents(&opened(&disk)), expected, "appended after recovery");
        }
    }
}

#[test]
fn unsynced_sectors_that_survive_out_of_order_are_cut_and_never_refused() {
    let batches: Vec<Vec<Vec<u8>>> = (0..6).map(|n| vec![vec![n; 300], vec![n; 150]]).collect();
    for mask in 0..128 {
        let disk = disk();
        let mut journal = opened(&disk);
        append(&mut journal, &batches[0]);
        journal.sync().unwrap();
        for batch in &batches[1..] {
            append(&mut journal, batch);
        }
        let floor = journal.synced_end();
        disk.crash(|_| Survivors::Scattered(mask));
        let (journal, _) = open(&disk, floor, u64::MAX).unwrap();
        let found = contents(&journal);
        let all = batches.concat();
        assert!(
            all.starts_with(&found) && found.len() >= 2 && found.len().is_multiple_of(2),
            "mask {mask:07b}"
        );
    }
}

#[test]
fn a_crash_anywhere_in_the_change_of_segments_loses_nothing() {
    for steps in 0..=2 {
        for works in 0..4 {
            let disk = disk();
            let (mut journal, _) = open(&disk, Position::START, 60).unwrap();
            append(&mut journal, &[vec![1; 20]]);
            disk.fail_sync_after(works);
            // The segment is synced, then the new one, then its name; the fourth sync is the frame's.
            let appended = journal.append(&[&[2; 20]]);
            assert_eq!(appended.is_err(), works < 3);
            assert!(journal.sync().is_err());
            disk.crash(|_| Survivors::First(steps));
            let (mut journal, _) = open(&disk, Position::START, 60).unwrap();
            assert_eq!(contents(&journal), if works == 0 { vec![] } else { vec![vec![1; 20]] });
            append(&mut journal, &[vec![3; 20]]);
            append(&mut journal, &[vec![4; 20]]);
            assert!(segments(&disk).len() >= 2);
            assert!(disk.names().iter().all(|name| !name.ends_with(".new")));
        }
    }
}

#[test]
fn a_full_disk_refuses_a_batch_whole_and_takes_one_when_there_is_room() {
    for room in 0..72 {
        let disk = disk();
        let mut journal = opened(&disk);
        append(&mut journal, &[vec![1; 10]]);
        let end = journal.end();
        disk.set_room(Some(room));
        let refused = journal.append(&[&[2; 20], &[3; 20]]);
        assert!(matches!(refused, Err(AppendError::Disk(error)) if error.is_full()));
        assert_eq!((journal.end(), journal.synced_end()), (end, end));
        disk.crash(|_| Survivors::First(u64::MAX));
        let (mut journal, recovery) = open(&disk, end, u64::MAX).unwrap();
        assert_eq!(recovery.cut, None, "the half frame was taken back durably");
        disk.set_room(None);
        append(&mut journal, &[vec![4; 20]]);
        assert_eq!(contents(&journal), [vec![1; 10], vec![4; 20]]);
    }
}

#[test]
fn a_full_disk_at_the_change_of_segments_does_not_poison() {
    for room in 0..80 {
        let disk = disk();
        let (mut journal, _) = open(&disk, Position::START, 60).unwrap();
        append(&mut journal, &[vec![1; 20]]);
        disk.set_room(Some(room));
        assert!(matches!(journal.append(&[&[2; 20]]), Err(AppendError::Disk(error)) if error.is_full()));
        disk.set_room(None);
        append(&mut journal, &[vec![3; 20]]);
        journal.sync().unwrap();
        disk.crash_to_synced();
        let (journal, _) = open(&disk, Position::START, 60).unwrap();
        assert_eq!(contents(&journal), [vec![1; 20], vec![3; 20]]);
    }
}

#[test]
fn a_failed_sync_poisons_and_opening_trusts_no_read() {
    let disk = disk();
    let mut journal = opened(&disk);
    let first = append(&mut journal, &[b"first".to_vec()]);
    journal.sync().unwrap();
    let second = append(&mut journal, &[b"second".to_vec()]);
    disk.fail_sync_after(0);
    assert!(matches!(journal.sync(), Err(SyncError::Disk(_))));
    for _ in 0..2 {
        assert!(matches!(journal.sync(), Err(SyncError::Poisoned)));
        assert!(matches!(journal.append(&[b"third"]), Err(AppendError::Poisoned)));
    }
    assert_eq!(journal.read(first[0]).unwrap(), b"first");
    assert!(journal.read(second[0]).is_err(), "only what was synced is read");
    let floor = journal.synced_end();
    drop(journal);
    let (journal, _) = open(&disk, floor, u64::MAX).unwrap();
    assert_eq!(contents(&journal), [b"first".to_vec(), b"second".to_vec()]);
    assert_eq!(journal.synced_end(), journal.end());
    disk.crash_to_synced();
    assert_eq!(contents(&opened(&disk)).len(), 2, "what opening called durable is on the medium");
}

#[test]
fn a_segment_whose_name_was_not_made_durable_is_after_opening() {
    let disk = disk();
    let folder = folder(&disk).unwrap();
    let options = Options { floor: Position::START, segment_bytes_max: 60 };
    let (mut journal, _) = Journal::open(&folder, &options).unwrap();
    append(&mut journal, &[vec![1; 20]]);
    disk.fail_sync_after(2);
    assert!(journal.append(&[&[2; 20]]).is_err());
    let (mut journal, _) = Journal::open(&folder, &options).unwrap();
    append(&mut journal, &[vec![3; 20]]);
    journal.sync().unwrap();
    disk.crash_to_synced();
    assert_eq!(contents(&opened(&disk)), [vec![1; 20], vec![3; 20]]);
}

#[test]
fn a_cut_whose_sync_failed_is_made_again() {
    let disk = disk();
    let mut journal = opened(&disk);
    append(&mut journal, &[vec![1; 100]]);
    disk.crash(|_| Survivors::First(80));
    let folder = folder(&disk).unwrap();
    let options = Options { floor: Position::START, segment_bytes_max: 1 };
    disk.fail_sync_after(0);
    assert!(Journal::open(&folder, &options).is_err());
    let (mut journal, _) = Journal::open(&folder, &options).unwrap();
    journal.append(&[b""]).unwrap();
    journal.append(&[b""]).unwrap();
    drop((journal, folder));
    disk.crash_to_synced();
    assert_eq!(contents(&opened(&disk)), [b""], "no byte of the torn tail is back");
}

#[test]
fn a_batch_beyond_the_limits_is_refused_and_nothing_is_written() {
    let disk = disk();
    let mut journal = opened(&disk);
    assert_eq!(journal.append(&[]).unwrap(), []);
    let long = vec![0; RECORD_BYTES_MAX + 1];
    let longest = &long[..RECORD_BYTES_MAX];
    let refuse = |journal: &mut Journal, records: &[&[u8]]| journal.append(records).unwrap_err().to_string();
    let message = refuse(&mut journal, &[b"", &long]);
    assert_eq!(message, format!("record 1 has {} bytes, more than {RECORD_BYTES_MAX}", long.len()));
    let bytes = 2 * (RECORD_BYTES_MAX + 8);
    let message = refuse(&mut journal, &[longest, longest]);
    assert_eq!(message, format!("the batch has {bytes} bytes, more than {BATCH_BYTES_MAX}: split it"));
    let message = refuse(&mut journal, &vec![&b""[..]; BATCH_RECORDS_MAX + 1]);
    assert_eq!(message, format!("the batch has 65537 records, more than {BATCH_RECORDS_MAX}: split it"));
    assert_eq!(journal.end(), Position::START);
    let at = journal.append(&[longest, b"small"]).unwrap();
    assert_eq!(journal.append(&vec![&b""[..]; BATCH_RECORDS_MAX]).unwrap().len(), BATCH_RECORDS_MAX);
    assert_eq!(journal.read(at[1]).unwrap(), b"small");
    assert_eq!(journal.scan(Position::START).map(Result::unwrap).count(), BATCH_RECORDS_MAX + 2);
}
