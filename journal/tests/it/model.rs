//! Random histories of appends, syncs, crashes and faults against a list of batches.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

use proptest::prelude::*;
use yiqiao_journal::sim::Survivors;
use yiqiao_journal::{Journal, Options, Position, SimDisk};

use crate::rig::{contents, disk, folder};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u16>),
    Sync,
    /// The caller keeps the synced end as the floor of later openings.
    Checkpoint,
    Crash(Vec<Survivors>),
    /// The process ends and the machine goes on.
    Reopen,
    /// An append with too little room.
    Full(u64, Vec<u16>),
    FailSync(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let batch = || prop::collection::vec(0_u16..900, 1..4);
    let survivors =
        prop_oneof![(0_u64..4_000).prop_map(Survivors::First), any::<u64>().prop_map(Survivors::Scattered)];
    prop_oneof![
        6 => batch().prop_map(Step::Append),
        3 => Just(Step::Sync),
        1 => Just(Step::Checkpoint),
        2 => prop::collection::vec(survivors, 4).prop_map(Step::Crash),
        1 => Just(Step::Reopen),
        1 => (0_u64..2_000, batch()).prop_map(|(room, batch)| Step::Full(room, batch)),
        1 => (0_u64..4).prop_map(Step::FailSync),
    ]
}

/// The journal under test beside what it must hold.
struct Pair {
    disk: SimDisk,
    segment_bytes_max: u64,
    journal: Option<Journal>,
    /// What was appended, and how much of it was synced.
    batches: Vec<Vec<Vec<u8>>>,
    synced: usize,
    /// An append failed together with the sync that was to take it back: it may be there or not.
    doubtful: Option<Vec<Vec<u8>>>,
    floor: Position,
    appended_ever: u8,
}

impl Pair {
    fn new(segment_bytes_max: u64) -> Self {
        let mut pair = Self {
            disk: disk(),
            segment_bytes_max,
            journal: None,
            batches: Vec::new(),
            synced: 0,
            doubtful: None,
            floor: Position::START,
            appended_ever: 0,
        };
        pair.open();
        pair
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Append(sizes) => self.append(&sizes),
            Step::Sync => self.sync(),
            Step::Checkpoint => self.floor = self.journal().synced_end(),
            Step::Crash(survivors) => {
                let mut survivors = survivors.into_iter().cycle();
                self.disk.crash(|_| survivors.next().unwrap());
                self.open();
            }
            Step::Reopen => self.open(),
            Step::Full(room, sizes) => {
                self.disk.set_room(Some(room));
                self.append(&sizes);
                self.disk.set_room(None);
            }
            Step::FailSync(after) => self.disk.fail_sync_after(after),
        }
        self.check();
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().unwrap()
    }

    fn append(&mut self, sizes: &[u16]) {
        self.appended_ever = self.appended_ever.wrapping_add(1);
        let batch: Vec<Vec<u8>> =
            sizes.iter().map(|size| vec![self.appended_ever; usize::from(*size)]).collect();
        let records: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        if self.journal().append(&records).is_ok() {
            self.batches.push(batch);
        } else if self.poisoned() {
            self.doubtful.get_or_insert(batch);
        }
        self.note_synced();
    }

    fn sync(&mut self) {
        if self.journal().sync().is_ok() {
            let journal = self.journal();
            assert_eq!(journal.synced_end(), journal.end());
            self.synced = self.batches.len();
        }
    }

    fn poisoned(&mut self) -> bool {
        let poisoned = self.journal().append(&[]).is_err();
        assert!(!poisoned || self.journal().sync().is_err());
        poisoned
    }

    /// An append syncs when it begins a segment, or takes back a part of a frame.
    fn note_synced(&mut self) {
        let end = self.journal().synced_end();
        let records =
            self.journal().scan(Position::START).map(Result::unwrap).filter(|(at, _)| *at < end).count();
        let mut counted = 0;
        let synced = self.batches.iter().take_while(|batch| {
            counted += batch.len();
            counted <= records
        });
        self.synced = self.synced.max(synced.count());
    }

    /// Opens the journal again, through syncs that fail, and takes what it holds for the truth if that is allowed.
    fn open(&mut self) {
        self.journal = None;
        let folder = folder(&self.disk).or_else(|_| folder(&self.disk)).unwrap();
        let options = Options { floor: self.floor, segment_bytes_max: self.segment_bytes_max };
        let open = || Journal::open(&folder, &options);
        let (journal, _) = open().or_else(|_| open()).unwrap();
        let found = contents(&journal);
        let mut possible = self.batches.clone();
        possible.extend(self.doubtful.take());
        let kept = (self.synced..=possible.len()).find(|kept| possible[..*kept].concat() == found);
        possible.truncate(kept.expect("whole batches, and all that were synced"));
        (self.batches, self.synced) = (possible, kept.unwrap());
        assert_eq!(journal.synced_end(), journal.end());
        self.journal = Some(journal);
    }

    fn check(&mut self) {
        let shown = if self.poisoned() { self.synced } else { self.batches.len() };
        assert_eq!(contents(self.journal.as_ref().unwrap()), self.batches[..shown].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_leaves_a_prefix_with_all_that_was_synced(
        segment_bytes_max in prop_oneof![Just(1), 200_u64..4_000, Just(u64::MAX)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut pair = Pair::new(segment_bytes_max);
        for step in steps {
            pair.take(step);
        }
    }
}
