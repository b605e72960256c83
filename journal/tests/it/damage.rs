//! What a crash cannot leave: it is refused or reported, with the file, the place and what to do.

use yiqiao_journal::journal::{OpenError, ReadError};
use yiqiao_journal::{Journal, Position, SimDisk};

use crate::rig::{append, contents, disk, open, opened, records, segments};

/// Five batches of two records in segments of two frames, each batch synced; also what was appended and where it ends.
fn written(segment_bytes_max: u64) -> (SimDisk, Vec<Vec<u8>>, Vec<Position>) {
    let disk = disk();
    let (mut journal, _) = open(&disk, Position::START, segment_bytes_max).expect("a new journal opens");
    let batches: Vec<Vec<Vec<u8>>> = (0..5).map(|n| vec![vec![n; 5], vec![n; 9]]).collect();
    let ends = batches.iter().map(|batch| synced(&mut journal, batch)).collect();
    disk.crash_to_synced();
    (disk, batches.concat(), ends)
}

/// Appends a batch, syncs it and answers where it ends.
fn synced(journal: &mut Journal, batch: &[Vec<u8>]) -> Position {
    append(journal, batch);
    journal.sync().expect("a good disk syncs");
    journal.synced_end()
}

#[test]
fn every_flipped_bit_below_the_floor_is_refused_or_reported() {
    let (pristine, appended, ends) = written(150);
    let files: Vec<_> =
        segments(&pristine).into_iter().map(|name| (pristine.bytes(&name).unwrap(), name)).collect();
    assert_eq!(files.len(), 3);
    for floor in [ends[0], ends[2], ends[4]] {
        for (bytes, name) in &files {
            for bit in 0..bytes.len() * 8 {
                assert!(pristine.flip(name, bit / 8, 1 << (bit % 8)));
                check_flipped(
                    &pristine,
                    &appended,
                    floor,
                    ends[4],
                    &format!("bit {bit} of {name}, floor {floor}"),
                );
                pristine.put(name, bytes);
            }
        }
    }
}

/// Either the damaged journal is refused, or it shows a prefix that reaches the floor, or says where it is damaged.
fn check_flipped(disk: &SimDisk, appended: &[Vec<u8>], floor: Position, end: Position, case: &str) {
    let Ok((journal, recovery)) = open(disk, floor, 150) else { return };
    let (found, error) = records(&journal);
    let found: Vec<Vec<u8>> = found.into_iter().map(|(_, record)| record).collect();
    assert!(appended.starts_with(&found), "{case}: never other contents");
    assert!(error.is_some() || recovery.cut.is_some(), "{case}: noticed");
    assert!(journal.end() >= floor, "{case}: nothing below the floor is cut");
    if let Some(cut) = recovery.cut {
        assert!(error.is_none() && journal.end() == cut.at && cut.at < end, "{case}: the rest is whole");
    }
}

#[test]
fn damage_below_a_later_frame_that_was_written_after_a_sync_is_refused() {
    let (disk, _, ends) = written(u64::MAX);
    let header = 80;
    let at = |position: Position| usize::try_from(position.get()).unwrap() + header;
    // In the magic, the length, the sum and the records of the third frame; the floor is below it.
    for offset in [0, 9, 33, 40, 50] {
        assert!(disk.flip("0000000000000000.segment", at(ends[1]) + offset, 4));
        let refused = open(&disk, ends[1], u64::MAX).unwrap_err().to_string();
        assert_eq!(
            refused,
            "0000000000000000.segment is damaged at byte 212, position 132, where it was durable before: \
             restore this file from a backup or another copy, or repair the journal"
        );
        assert!(disk.flip("0000000000000000.segment", at(ends[1]) + offset, 4));
    }
}

#[test]
fn damage_of_the_last_sync_is_cut_above_the_floor_and_refused_below_it() {
    let (disk, appended, ends) = written(u64::MAX);
    assert!(disk.flip("0000000000000000.segment", 80 + 270, 1));
    assert!(matches!(open(&disk, ends[4], u64::MAX), Err(OpenError::Damaged { .. })));
    let (journal, recovery) = open(&disk, ends[3], u64::MAX).unwrap();
    let cut = recovery.cut.unwrap();
    assert_eq!((cut.at, cut.bytes, recovery.frames_checked), (ends[3], 66, 4));
    assert_eq!(contents(&journal), appended[..8]);
}

#[test]
fn damage_of_a_segment_that_has_another_after_it_is_refused_by_its_name() {
    let (disk, ..) = written(150);
    assert!(disk.flip("0000000000000084.segment", 80 + 131, 1));
    let refused = open(&disk, Position::START, 150).unwrap_err().to_string();
    assert!(
        refused.starts_with("0000000000000084.segment is damaged at byte 146, position 198"),
        "{refused}"
    );
}

#[test]
fn frames_of_two_histories_of_one_folder_do_not_mix() {
    // What one history holds up to a byte and the other after it: a header with other records, one frame where there were two, and
    // the same in two segments.
    let table = [
        ([vec![50], vec![50]], 36, u64::MAX, 141, 0),
        ([vec![50], vec![3, 3]], 94, u64::MAX, 141, 94),
        ([vec![50], vec![3, 3]], 94, 94, 0, 94),
    ];
    for (sizes, mixed_at, segment_bytes_max, floor, refused_at) in table {
        let mut fill = 0;
        let [one, two] = sizes.map(|sizes| {
            fill += 1;
            history(&sizes, fill, segment_bytes_max)
        });
        for name in segments(&two) {
            let (mine, theirs) = (one.bytes(&name).unwrap(), two.bytes(&name).unwrap());
            let kept = if name.starts_with("0000000000000000") { 80 + mixed_at } else { 0 };
            one.put(&name, &[&mine[..kept], &theirs[kept..]].concat());
        }
        let refused = open(&one, Position::new(floor), segment_bytes_max).unwrap_err();
        assert!(
            matches!(refused, OpenError::Damaged { at, .. } if at == Position::new(refused_at)),
            "{refused}"
        );
    }
}

/// A journal of 141 bytes: a record of each size, filled with a byte, and one more.
fn history(sizes: &[usize], fill: u8, segment_bytes_max: u64) -> SimDisk {
    let disk = disk();
    let (mut journal, _) = open(&disk, Position::START, segment_bytes_max).expect("a new journal opens");
    for size in sizes {
        append(&mut journal, &[vec![fill; *size]]);
    }
    let end = synced(&mut journal, &[vec![9; 3]]);
    assert_eq!(end, Position::new(141));
    disk.crash_to_synced();
    disk
}

#[test]
fn lost_foreign_and_newer_files_are_refused_by_name() {
    let second = "0000000000000084.segment";
    let last = "0000000000000108.segment";
    let (other, ..) = written(150);
    let newer = resealed(&other.bytes(second).expect("there"), 8, 2);
    let foreign = resealed(&other.bytes(second).expect("there"), 40, 1);
    let other_kind = resealed(&other.bytes(second).expect("there"), 12, b'b');
    type Change = Box<dyn Fn(&SimDisk)>;
    let table: [(Change, &str); 9] = [
        (
            Box::new(move |disk| assert!(disk.lose("0000000000000000.segment"))),
            "positions 0 to 132 are missing: restore sim/0000000000000000.segment",
        ),
        (
            Box::new(move |disk| assert!(disk.lose(second))),
            "positions 132 to 264 are missing: restore sim/0000000000000084.segment",
        ),
        (
            Box::new(move |disk| assert!(disk.lose(last))),
            "positions 264 to 330 are missing: restore sim/0000000000000108.segment",
        ),
        (
            Box::new(move |disk| disk.put(second, b"")),
            "0000000000000084.segment is damaged at byte 0, position 132",
        ),
        (
            Box::new(move |disk| disk.put(second, &foreign)),
            "0000000000000084.segment belongs to another journal",
        ),
        (
            Box::new(move |disk| disk.put(second, &disk.bytes(last).expect("there"))),
            "0000000000000084.segment belongs to another journal",
        ),
        (
            Box::new(move |disk| disk.put(second, &other_kind)),
            "0000000000000084.segment belongs to another journal",
        ),
        (
            Box::new(move |disk| disk.put(second, &newer)),
            "0000000000000084.segment has segment version 2, this program knows up to 1",
        ),
        (
            Box::new(move |disk| {
                disk.put(second, &[disk.bytes(second).expect("there"), vec![0; 3]].concat());
            }),
            "0000000000000084.segment is damaged at byte 212, position 264",
        ),
    ];
    for (change, expected) in table {
        let (disk, _, ends) = written(150);
        change(&disk);
        let refused = open(&disk, ends[4], 150).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
        let before = disk.names();
        assert!(open(&disk, ends[4], 150).is_err());
        assert_eq!(disk.names(), before, "a refusal changes nothing");
    }
}

/// A segment's header with another byte at `offset` and a sum that fits it.
fn resealed(segment: &[u8], offset: usize, byte: u8) -> Vec<u8> {
    let mut segment = segment.to_vec();
    *segment.get_mut(offset).expect("in the header") = byte;
    let (summed, rest) = segment.split_at(76);
    let sum = crc32c::crc32c(summed).to_le_bytes();
    [summed, &sum, rest.get(4..).expect("after the header")].concat()
}

#[test]
fn a_truncated_file_is_refused_below_the_floor_at_every_length() {
    let (pristine, _, ends) = written(150);
    for name in segments(&pristine) {
        let whole = pristine.bytes(&name).unwrap();
        for len in 0..whole.len() {
            pristine.put(&name, &whole[..len]);
            assert!(open(&pristine, ends[4], 150).is_err(), "{len} bytes of {name}");
        }
        pristine.put(&name, &whole);
    }
    assert!(open(&pristine, ends[4], 150).is_ok());
}

#[test]
fn damage_while_running_is_reported_where_it_is_and_nowhere_else() {
    let (disk, appended, _) = written(u64::MAX);
    let journal = opened(&disk);
    let (whole, _) = records(&journal);
    let (at, _) = whole[3];
    assert!(disk.flip("0000000000000000.segment", 80 + usize::try_from(at.get()).unwrap() + 8, 1));
    let damaged = journal.read(at).unwrap_err();
    assert!(matches!(&damaged, ReadError::Damaged { offset, .. } if *offset == at.get() + 80), "{damaged}");
    for (index, (other, record)) in whole.iter().enumerate().filter(|(index, _)| *index != 3) {
        assert_eq!(journal.read(*other).unwrap(), *record, "record {index}");
    }
    let (before, error) = records(&journal);
    assert_eq!((before.len(), error.is_some()), (3, true));
    let after: Vec<_> = journal.scan(whole[4].0).map(|record| record.unwrap().1).collect();
    assert_eq!(after, appended[4..]);
}

#[test]
fn a_position_that_is_not_a_record_gives_an_error_and_no_bytes() {
    let disk = disk();
    let mut journal = opened(&disk);
    // A record that holds a copy of a whole record, header and all.
    let at = append(&mut journal, &[b"inner".to_vec()])[0];
    let copy = disk.bytes("0000000000000000.segment").unwrap()[80 + 36..].to_vec();
    let outer = append(&mut journal, &[copy])[0];
    for position in (0..journal.end().get() + 9).map(Position::new) {
        let read = journal.read(position);
        if position == at || position == outer {
            assert!(read.is_ok());
        } else {
            assert!(read.is_err(), "position {position}");
        }
    }
    assert!(matches!(journal.scan(Position::new(999)).next(), Some(Err(ReadError::Beyond { .. }))));
    assert!(journal.scan(journal.end()).next().is_none());
}
