//! A witness that follows C2SP `tlog-witness` by its words, on Cloudflare's implementation of notes and trees, and what the
//! registry makes of it and of one that does not.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot happen here fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use signed_note::{Note, StandardVerifier, Verifier, VerifierList, key_id};
use tlog_tiles::{Checkpoint, Hash, TreeProof, check_tree};
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};

use crate::member::Member;
use crate::public_log::Monitor;
use crate::rig::{Region, until};
use crate::words::{Chain, some_token};

const NAME: &str = "witness.example/w1";

/// How a witness behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Signs under another key than it is known by.
    OtherKey,
    /// Does not answer with signatures.
    Noise,
}

/// A witness of one log: all that it keeps is the last checkpoint that it has cosigned.
struct Witness {
    log_key: String,
    key: SecretKey,
    manner: Manner,
    latest: Option<Checkpoint>,
    /// Statuses that it answered.
    answered: Vec<u16>,
}

fn key(seed: u8) -> SecretKey {
    SecretKey::new(Suite::International, &[seed; 32])
}

fn typed(key: &PublicKey) -> Vec<u8> {
    [&[4][..], key.as_bytes()].concat()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits =
            three.iter().chain([&0, &0]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let digit = |at: usize| if at <= three.len() { DIGITS[bits >> (18 - 6 * at) & 63] } else { b'=' };
        (0..4).map(|at| char::from(digit(at))).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

impl Witness {
    fn new(log_key: String, manner: Manner) -> Self {
        Self { log_key, key: key(5), manner, latest: None, answered: Vec::new() }
    }

    /// Its verifier key.
    fn known_by() -> String {
        let key = typed(&key(5).public());
        format!("{NAME}+{:08x}+{}", key_id(NAME, &key), base64(&key))
    }

    /// `add-checkpoint`, step by step as the specification has it.
    fn add_checkpoint(&mut self, body: &str) -> (u16, String) {
        let (head, note) = body.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let proof: TreeProof = lines.map(|line| Hash::parse_hash(line).unwrap()).collect();
        let note = Note::from_bytes(note.as_bytes()).unwrap();
        let log = StandardVerifier::new(&self.log_key).unwrap();
        if note.verify(&VerifierList::new(vec![Box::new(log)])).is_err() {
            return (403, String::new());
        }
        let checkpoint = Checkpoint::from_bytes(note.text()).unwrap();
        let known = self.latest.as_ref().map_or(0, Checkpoint::size);
        if old > checkpoint.size() {
            return (400, String::new());
        }
        if old != known {
            return (409, format!("{known}\n"));
        }
        let same = self.latest.as_ref().is_none_or(|latest| latest.hash() == checkpoint.hash());
        let continues = match &self.latest {
            None => proof.is_empty(),
            Some(_) if old == checkpoint.size() => proof.is_empty() && same,
            Some(latest) => {
                check_tree(&proof, checkpoint.size(), *checkpoint.hash(), old, *latest.hash()).is_ok()
            }
        };
        if !continues {
            return (422, String::new());
        }
        self.latest = Some(checkpoint);
        (200, self.cosign(note.text()))
    }

    fn cosign(&self, text: &[u8]) -> String {
        let time = 1_679_315_147_u64;
        let signer = if self.manner == Manner::OtherKey { &key(6) } else { &self.key };
        let signed = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
        let id = key_id(NAME, &typed(&self.key.public()));
        let blob = [&id.to_be_bytes()[..], &time.to_be_bytes(), &signer.sign(&signed)].concat();
        if self.manner == Manner::Noise {
            "no\n".to_owned()
        } else {
            format!("\u{2014} {NAME} {}\n", base64(&blob))
        }
    }
}

/// Serves a witness for as long as the test runs.
fn serve(witness: Witness) -> (String, Arc<Mutex<Witness>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let witness = Arc::new(Mutex::new(witness));
    let shared = Arc::clone(&witness);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &shared);
        }
    });
    (url, witness)
}

fn answer(mut stream: TcpStream, witness: &Mutex<Witness>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    while reader.read_line(&mut head).unwrap() > 2 {
        let line = head.lines().last().unwrap().to_ascii_lowercase();
        length =
            line.strip_prefix("content-length: ").map_or(length, |length| length.trim().parse().unwrap());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    assert!(head.starts_with("POST /add-checkpoint HTTP/1.1\r\n"), "{head}");
    let mut witness = witness.lock().unwrap();
    let (status, said) = witness.add_checkpoint(std::str::from_utf8(&body).unwrap());
    witness.answered.push(status);
    let head = format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", said.len());
    stream.write_all(format!("{head}{said}").as_bytes()).unwrap();
}

/// How a monitor checks a cosignature.
struct Cosigner;

impl Verifier for Cosigner {
    fn name(&self) -> &'static str {
        NAME
    }

    fn key_id(&self) -> u32 {
        key_id(NAME, &typed(&key(5).public()))
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let (time, signature) = signature.split_first_chunk::<8>().unwrap();
        let time = u64::from_be_bytes(*time);
        let signed = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
        key(5).public().verify(&signed, signature)
    }
}

/// The served checkpoint: its size, and who has signed it.
fn signed(monitor: &Monitor) -> (u64, Vec<String>) {
    let note = Note::from_bytes(&monitor.fetch("/log/log-1/checkpoint").body).unwrap();
    let log = StandardVerifier::new(&monitor.key).unwrap();
    let (by, unknown) = note.verify(&VerifierList::new(vec![Box::new(log), Box::new(Cosigner)])).unwrap();
    assert!(unknown.is_empty(), "what no known key signed is not passed on");
    let by = by.iter().map(|signature| signature.name().to_owned()).collect();
    (Checkpoint::from_bytes(note.text()).unwrap().size(), by)
}

/// A region whose registry has this witness.
async fn witnessed(manner: Manner) -> (Region, Monitor, Arc<Mutex<Witness>>) {
    let mut region = Region::new(&["a"]);
    let monitor = Monitor::new(&region);
    let (url, witness) = serve(Witness::new(monitor.key.clone(), manner));
    let config = std::fs::read_to_string(region.config()).unwrap();
    let table = format!("[[witness]]\nurl = \"{url}\"\nkey = \"{}\"\n", Witness::known_by());
    std::fs::write(region.config(), format!("{config}\n{table}")).unwrap();
    region.start().await;
    (region, monitor, witness)
}

async fn cosigned_at(monitor: &Monitor, least: u64) -> u64 {
    let cosigned = async || {
        let (size, by) = signed(monitor);
        (size >= least && by == ["yiqiao/demo/log-1", NAME]).then_some(size)
    };
    until("a cosigned checkpoint", cosigned).await
}

#[tokio::test(flavor = "multi_thread")]
async fn l14_a_witness_cosigns_as_the_log_grows_and_after_either_side_forgot_how_far_it_was() {
    let (mut region, monitor, witness) = witnessed(Manner::Honest).await;
    let size = cosigned_at(&monitor, 1).await;
    let a = Member::connected(&region, "a").await;
    let mut chain = Chain::new("a", 1);
    a.say(&chain.statement(&a, &[some_token(1)])).await;
    for number in 1..5 {
        a.say(&chain.entry(&a, number)).await;
    }
    let grown = cosigned_at(&monitor, size + 5).await;
    assert_eq!(witness.lock().unwrap().latest.as_ref().unwrap().size(), grown);
    assert!(!witness.lock().unwrap().answered.contains(&409), "it was followed step by step");
    region.stop().await;
    witness.lock().unwrap().answered.clear();
    region.start().await;
    cosigned_at(&monitor, grown).await;
    let answered = witness.lock().unwrap().answered.clone();
    assert_eq!(answered[..2], [409, 200], "after a start the witness says where it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn l14_what_a_witness_did_not_sign_is_not_passed_on_and_the_log_is_served_all_the_same() {
    for manner in [Manner::OtherKey, Manner::Noise] {
        let (region, monitor, witness) = witnessed(manner).await;
        until("the witness to be asked", async || {
            let asked = !witness.lock().unwrap().answered.is_empty();
            (asked && region.said().contains("no cosignature of this checkpoint")).then_some(())
        })
        .await;
        let a = Member::connected(&region, "a").await;
        let stands = a.say(&Chain::new("a", 1).statement(&a, &[some_token(1)])).await;
        let newest = until("the newest checkpoint", async || {
            let (size, by) = signed(&monitor);
            (size > stands.seq).then_some(by)
        });
        assert_eq!(newest.await, ["yiqiao/demo/log-1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l14_a_witness_without_a_key_of_its_own_stops_the_start() {
    let mut region = Region::new(&["a"]);
    let config = std::fs::read_to_string(region.config()).unwrap();
    let table = "[[witness]]\nurl = \"http://127.0.0.1:9\"\nkey = \"w1\"\n";
    std::fs::write(region.config(), format!("{config}\n{table}")).unwrap();
    let said = region.try_start().await.unwrap_err();
    assert!(said.contains("`witness.key` in the configuration"), "{said}");
}
