//! The log over HTTP, read by Cloudflare's implementation of signed notes and tiles: nothing here of the project's own
//! reads a checkpoint, a tile or a proof.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot happen here fails the test")]

use std::io::{Read, Write};
use std::net::TcpStream;

use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, HashReader, Tile, TileHashReader, TileReader, check_record, check_tree,
    prove_record, prove_tree, record_hash, stored_hash_index, tree_hash,
};

use crate::member::{Member, Stands};
use crate::rig::{Region, text, until};
use crate::words::{Chain, some_token};

/// What came back.
pub(crate) struct Fetched {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

/// A monitor: knows where the log is, and its key.
pub(crate) struct Monitor {
    port: u16,
    pub(crate) key: String,
}

impl Monitor {
    /// What the operator hands to whoever wants to follow the log.
    pub(crate) fn new(region: &Region) -> Self {
        let said = text(&region.command("members", &[]).stdout);
        let key = said.lines().find_map(|line| line.strip_prefix("log ")).unwrap().to_owned();
        Self { port: region.http(), key }
    }

    pub(crate) fn fetch(&self, path: &str) -> Fetched {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let port = self.port;
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = text(&answer[..end]);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Fetched { status, head, body: answer[end + 4..].to_vec() }
    }

    /// The newest checkpoint, believed by its signature.
    fn checkpoint(&self) -> Checkpoint {
        let fetched = self.fetch("/log/log-1/checkpoint");
        assert_eq!(fetched.status, 200);
        assert!(fetched.head.contains("text/plain; charset=utf-8") && fetched.head.contains("no-cache"));
        let note = Note::from_bytes(&fetched.body).unwrap();
        let key = StandardVerifier::new(&self.key).unwrap();
        let (signed, unknown) = note.verify(&VerifierList::new(vec![Box::new(key)])).unwrap();
        assert_eq!((signed.len(), unknown.len()), (1, 0));
        let checkpoint = Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!(checkpoint.origin(), "yiqiao/demo/log-1");
        checkpoint
    }

    /// All leaf records of a tree, each checked to be the one that the tree has.
    fn records(&self, checkpoint: &Checkpoint) -> Vec<Vec<u8>> {
        let reader = TileHashReader::new(checkpoint.size(), *checkpoint.hash(), self);
        let mut records = Vec::new();
        for index in 0..=checkpoint.size() / 256 {
            let width = (checkpoint.size() - index * 256).min(256);
            if width == 0 {
                break;
            }
            let part = if width < 256 { format!(".p/{width}") } else { String::new() };
            let bundle = self.fetch(&format!("/log/log-1/tile/entries/{index:03}{part}"));
            assert!(bundle.status == 200 && bundle.head.contains("immutable"), "{}", bundle.head);
            let mut rest = bundle.body.as_slice();
            while let Some((length, after)) = rest.split_first_chunk::<2>() {
                let (record, after) = after.split_at(u16::from_be_bytes(*length).into());
                records.push(record.to_vec());
                rest = after;
            }
        }
        assert_eq!(records.len() as u64, checkpoint.size());
        let indexes: Vec<u64> = (0..checkpoint.size()).map(|seq| stored_hash_index(0, seq)).collect();
        let hashes = reader.read_hashes(&indexes).unwrap();
        assert!(records.iter().zip(hashes).all(|(record, hash)| record_hash(record) == hash));
        records
    }
}

impl TileReader for Monitor {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            let fetched = self.fetch(&format!("/log/log-1/{}", tile.path().replacen("tile/8/", "tile/", 1)));
            assert!(fetched.status == 200 && fetched.head.contains("immutable"), "{}", fetched.head);
            fetched.body
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

async fn publish(chain: &mut Chain, member: &Member, submissions: u64) -> Vec<Stands> {
    let mut stands = Vec::new();
    for submission in 0..submissions {
        let from = chain.number + submission * 1_000;
        let words: Vec<_> = (0..64).map(|at| chain.entry(member, from + at)).collect();
        stands.extend(member.submit(&words).await.unwrap());
    }
    stands
}

#[tokio::test(flavor = "multi_thread")]
async fn l12_an_independent_client_follows_the_log_by_its_tiles() {
    let region = Region::started(&["a"]).await;
    let a = Member::connected(&region, "a").await;
    let monitor = Monitor::new(&region);
    let mut chain = Chain::new("a", 1);
    a.say(&chain.statement(&a, &[some_token(1)])).await;
    publish(&mut chain, &a, 1).await;
    let older = monitor.checkpoint();
    let stands = publish(&mut chain, &a, 4).await;
    let newest = monitor.checkpoint();
    assert!(older.size() > 64 && newest.size() == older.size() + 256, "one full tile and a part of one");

    let reader = TileHashReader::new(newest.size(), *newest.hash(), &monitor);
    assert_eq!(tree_hash(newest.size(), &reader).unwrap(), *newest.hash());
    let grown = prove_tree(newest.size(), older.size(), &reader).unwrap();
    check_tree(&grown, newest.size(), *newest.hash(), older.size(), *older.hash()).unwrap();
    for stands in stands.iter().step_by(50) {
        let proof = prove_record(newest.size(), stands.seq, &reader).unwrap();
        check_record(&proof, newest.size(), *newest.hash(), stands.seq, Hash(stands.leaf)).unwrap();
    }

    let records = monitor.records(&newest);
    assert!(records.iter().all(|record| record.len() == 93 && record.starts_with(b"\x01demo\0")));
    let named = |record: &Vec<u8>, name: &[u8]| record.windows(name.len()).any(|part| part == name);
    let (subject, token) = (chain.subject, some_token(1).value);
    assert!(
        !records.iter().any(|record| named(record, subject.as_bytes()) || named(record, token.as_bytes()))
    );
    // What was there at an older checkpoint is still there for who has only that one (partial tiles).
    assert_eq!(monitor.records(&older), records[..records.len() - 256]);
}

#[tokio::test(flavor = "multi_thread")]
async fn l12_what_is_no_tile_of_the_log_is_not_found_and_not_kept() {
    let region = Region::started(&["a"]).await;
    let monitor = Monitor::new(&region);
    let size = monitor.checkpoint().size();
    for path in [
        "log-2/checkpoint".to_owned(),
        "log-2/tile/0/000.p/1".to_owned(),
        "log-1/tile/0/000".to_owned(),
        format!("log-1/tile/0/000.p/{}", size + 1),
        format!("log-1/tile/entries/000.p/{}", size + 1),
        "log-1/tile/0/000.p/0".to_owned(),
        "log-1/tile/0/x000/000.p/1".to_owned(),
        "log-1/tile/1/000.p/1".to_owned(),
        "log-1/tile/63/x018/x446/x744/x073/x709/x551/615".to_owned(),
        "log-1/tile/entries/..%2f..%2fcheckpoint".to_owned(),
    ] {
        let fetched = monitor.fetch(&format!("/log/{path}"));
        assert!(fetched.status == 404 && fetched.head.contains("no-store"), "{path}: {}", fetched.head);
    }
    assert_eq!(monitor.fetch(&format!("/log/log-1/tile/0/000.p/{size}")).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn l12_a_tile_that_does_not_lead_to_the_checkpoint_is_never_given() {
    let mut region = Region::started(&["a"]).await;
    let monitor = Monitor::new(&region);
    let size = monitor.checkpoint().size();
    assert_eq!(monitor.fetch(&format!("/log/log-1/tile/0/000.p/{size}")).status, 200);
    region.stop().await;
    region.start().await;
    // A stored hash that is not part of the root's own path is only looked at when it is asked for.
    let tree = region.log_folder().join("tree-32.column");
    let mut bytes = std::fs::read(&tree).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&tree, bytes).unwrap();
    let answer = until("the refusal", async || {
        let fetched = monitor.fetch(&format!("/log/log-1/tile/0/000.p/{size}"));
        (fetched.status != 200).then_some(fetched)
    });
    let answer = answer.await;
    assert!(answer.status == 500 && answer.head.contains("no-store"), "{}", answer.head);
}
