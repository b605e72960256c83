//! A disk without room: nothing is promised that is not kept, and the registry goes on once there is room.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use std::path::PathBuf;
use std::process::Command;

use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::lease::feed_start;

use crate::member::{Failure, Member, Signed, Stands};
use crate::rig::{self, Region};
use crate::words::Chain;

/// Leases that are asked for while the disk is full: more than there are commits of the index between two syncs.
const LEASES: usize = 300;
/// By how much files may grow: 512 KiB.
const GROWTH_BYTES: u64 = 512 << 10;
/// Submissions after which one must have failed.
const SUBMISSIONS_MAX: u64 = 400;
/// Entries of a submission.
const ENTRIES: u64 = 20;

/// Publishes until the registry cannot; gives what was taken, what was not, and why.
async fn publish_until_failure(a: &Member) -> (Vec<(Signed, Stands)>, Vec<Signed>, Failure) {
    let (mut chain, mut taken) = (Chain::new("a", 1), Vec::new());
    for round in 0..SUBMISSIONS_MAX {
        let words: Vec<Signed> = (0..ENTRIES).map(|at| chain.entry(a, round * ENTRIES + at + 1)).collect();
        match a.submit(&words).await {
            Ok(stands) => taken.extend(words.into_iter().zip(stands)),
            Err(failure) => return (taken, words, failure),
        }
    }
    panic!("the disk was never full");
}

/// What was taken stands where it stood.
async fn assert_stands(a: &Member, taken: &[(Signed, Stands)]) {
    for words in taken.chunks(64) {
        let again: Vec<Signed> = words.iter().map(|(signed, _)| signed.clone()).collect();
        for ((_, before), after) in words.iter().zip(a.submit(&again).await.unwrap()) {
            assert_eq!((before.seq, before.leaf), (after.seq, after.leaf));
        }
    }
}

/// The limit makes writes fail in the middle, with an error that no room will heal.
#[tokio::test(flavor = "multi_thread")]
async fn l5_a_file_that_may_not_grow_loses_nothing_that_was_answered_for() {
    let mut region = Region::new(&["a"]);
    region.start().await;
    let a = Member::connected(&region, "a").await;
    region.stop().await;
    // The index has its first size from the first start on.
    let index = std::fs::metadata(region.index_file()).unwrap().len();
    let limit = format!("--fsize={}", index.max(GROWTH_BYTES) + GROWTH_BYTES);
    region.wrap(&["prlimit", &limit, "sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    region.start().await;
    let (taken, refused, failure) = publish_until_failure(&a).await;
    let said = region.ended().await;
    let why = said.lines().find(|line| line.contains("File too large"));
    eprintln!("after {} entries: {failure:?}: {}", taken.len(), why.unwrap());
    region.wrap(&[]);
    region.start().await;
    assert_stands(&a, &taken).await;
    let more = a.links(Chain::new("a", 1).subject).await.unwrap().len() - taken.len();
    assert!(more == 0 || more == refused.len(), "{more} words of a submission stand");
    if let Failure::Refused(RefusalCode::Failed, ..) = failure {
        assert_eq!(more, 0, "who is told that it failed may rely on it that nothing was taken");
    }
    a.submit(&refused).await.unwrap();
}

/// As after a folder was taken by a second process, on a file system that forgets locks.
#[tokio::test(flavor = "multi_thread")]
async fn f8_l10_a_registry_whose_term_is_over_signs_no_lease_and_ends() {
    let mut region = Region::new(&["a"]);
    region.start().await;
    let a = Member::connected(&region, "a").await;
    let start = feed_start(&rig::region(), &a.code);
    a.lease(1, 0, start).await.unwrap();
    region.stop().await;
    let term = region.log_folder().join("term.register");
    let of_another = std::fs::read(&term).unwrap();
    region.start().await;
    a.lease(2, 0, start).await.unwrap();
    std::fs::write(&term, of_another).unwrap();
    a.lease(2, 0, start).await.unwrap_err();
    let said = region.ended().await;
    assert!(said.contains("another process has begun a term over this log (L-10)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_a_full_disk_refuses_words_until_there_is_room_and_goes_on_with_the_rest() {
    let mounts = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status();
    if !mounts.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "where CI runs, this must be tested");
        eprintln!("this machine lets nobody mount a file system of his own: nothing is tested");
        return;
    }
    let mut region = Region::new(&["a"]);
    let disk = region.folder().join("registry/disk");
    std::fs::create_dir(&disk).unwrap();
    let config = std::fs::read_to_string(region.config()).unwrap();
    std::fs::write(region.config(), config.replace("data = \"data\"", "data = \"disk/data\"")).unwrap();
    let mount = format!("mount -t tmpfs -o size=16m none {} && exec \"$0\" \"$@\"", disk.display());
    region.wrap(&["unshare", "-rm", "sh", "-c", &mount]);
    region.start().await;
    let a = Member::connected(&region, "a").await;
    let ballast = PathBuf::from(format!("/proc/{}/root{}/ballast", region.pid(), disk.display()));
    let (mut chain, mut taken) = (Chain::new("a", 1), Vec::new());
    let first = chain.entry(&a, 1);
    taken.push((first.clone(), a.say(&first).await));

    fill(&ballast);
    let words = publish_words(&a, &mut chain);
    match a.submit(&words).await.unwrap_err() {
        Failure::Refused(code, clause, retry_after_ms) => {
            assert_eq!((code, clause.as_str()), (RefusalCode::Failed, "H-2"));
            assert!(retry_after_ms > 0, "it says when to come again");
        }
        Failure::Link(error) => panic!("{error}: {}", region.said()),
    }
    let feed = a.feed().await.unwrap();
    for _ in 0..LEASES {
        a.lease(1, 0, feed_start(&rig::region(), &a.code)).await.unwrap();
    }
    assert_eq!(feed.number(), a.feed().await.unwrap().number());
    assert_stands(&a, &taken).await;
    assert_eq!(a.links(chain.subject).await.unwrap().len(), 1);

    std::fs::remove_file(&ballast).unwrap();
    let stands = a.submit(&words).await.unwrap();
    taken.extend(words.into_iter().zip(stands));
    assert_stands(&a, &taken).await;
    assert!(region.is_healthy().await);
}

fn publish_words(a: &Member, chain: &mut Chain) -> Vec<Signed> {
    (0..ENTRIES).map(|at| chain.entry(a, 100 + at)).collect()
}

/// Fills the disk to the last byte.
fn fill(ballast: &std::path::Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).unwrap();
    while file.write(&[0; 4_096]).is_ok_and(|written| written > 0) {}
}
