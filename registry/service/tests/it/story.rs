//! A patient's way through a region: tokens, entries, consent, search, revocation; and members that come and go.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot happen here fails the test")]

use std::path::Path;
use std::time::{Duration, Instant};

use yiqiao_host::link::CallError;
use yiqiao_host::renewal::{KeyRequest, WantedKey};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::{FeedAnswer, FeedRequest, MembersAnswer, MembersRequest, Method};
use yiqiao_proto::codes::{AccessAct, DocumentClass, PatientQuestion, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Kind, Word};
use yiqiao_proto::id::Digest;
use yiqiao_proto::lease::feed_start;
use yiqiao_proto::token::Token;

use crate::member::{Failure, Feed, Member, Signed, Stands};
use crate::rig::{Region, code, region, text, until, words_key};
use crate::words::{Chain, desk, forbid, id, now, patient, permit, query, question, revocation, stranger};

/// Two hospitals that know the same patient, and a third that does not.
struct Town {
    region: Region,
    a: Member,
    b: Member,
    c: Member,
    at_a: Chain,
    at_b: Chain,
    token: Token,
    /// All that was taken, to be handed in once more.
    taken: Vec<(&'static str, Vec<Signed>, Vec<Stands>)>,
}

impl Town {
    async fn new() -> Self {
        let region = Region::started(&["a", "b", "c"]).await;
        let [a, b, c] = [
            Member::connected(&region, "a").await,
            Member::connected(&region, "b").await,
            Member::connected(&region, "c").await,
        ];
        let token = a.tokens(&[patient()]).await[0];
        assert_eq!(b.tokens(&[patient()]).await, [token], "two hospitals find the same name for one person");
        let (at_a, at_b) = (Chain::new("a", 1), Chain::new("b", 2));
        let mut town = Self { region, a, b, c, at_a, at_b, token, taken: Vec::new() };
        let stated = town.at_a.statement(&town.a, &[token]);
        town.say("a", vec![stated]).await;
        let stated = town.at_b.statement(&town.b, &[token]);
        town.say("b", vec![stated]).await;
        town
    }

    fn member(&self, name: &str) -> &Member {
        match name {
            "a" => &self.a,
            "b" => &self.b,
            _ => &self.c,
        }
    }

    /// Hands in what must be taken.
    async fn say(&mut self, by: &'static str, words: Vec<Signed>) -> Vec<Stands> {
        let stands = self.member(by).submit(&words).await.unwrap();
        self.taken.push((by, words, stands.clone()));
        stands
    }

    /// Two laboratory reports and a discharge summary at each of the two hospitals.
    async fn publish(&mut self) {
        let summary = |entry: &mut Entry| entry.class = DocumentClass::Summary;
        let (at_a, at_b) = (&mut self.at_a, &mut self.at_b);
        let from_a = vec![at_a.entry(&self.a, 1), at_a.entry_of(&self.a, 2, summary), at_a.entry(&self.a, 3)];
        let from_b = vec![at_b.entry(&self.b, 4), at_b.entry_of(&self.b, 5, summary)];
        self.say("a", from_a).await;
        self.say("b", from_b).await;
    }

    /// The places of what c finds, and the length of the answer.
    async fn found(&self) -> (Vec<u64>, usize) {
        let (entries, bytes) = self.c.search(&query("c", self.token)).await.unwrap();
        assert!(entries.iter().all(|(_, entry)| entry.class == DocumentClass::Laboratory));
        (entries.into_iter().map(|(seq, _)| seq).collect(), bytes)
    }

    async fn permit(&mut self, number: u64, witness: &'static str, head_version: u64) {
        let act = Act::new(permit(number, self.token, "c", head_version), desk(witness));
        let signed = self.member(witness).signed(&act);
        self.say(witness, vec![signed]).await;
    }

    async fn revoke(&mut self, number: u64, witness: &'static str, head_version: u64) {
        let act = Act::new(revocation(number, self.token, head_version), desk(witness));
        let signed = self.member(witness).signed(&act);
        self.say(witness, vec![signed]).await;
    }

    /// The feed of a and b tell the same head; gives its version and how many directives are in force.
    async fn head(&self) -> (u64, usize) {
        let (of_a, of_b) = (self.a.feed().await.unwrap(), self.b.feed().await.unwrap());
        let (head, other) = (of_a.head(self.token), of_b.head(self.token));
        assert_eq!((head.head, head.directives.len()), (other.head, other.directives.len()));
        (head.head.version, head.directives.len())
    }

    /// The places of the laboratory reports.
    fn reports(&self) -> Vec<u64> {
        let [from_a, from_b] = [&self.taken[2].2, &self.taken[3].2];
        vec![from_a[0].seq, from_a[2].seq, from_b[0].seq]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q5_before_consent_a_search_finds_as_little_as_one_for_a_stranger() {
    let mut town = Town::new().await;
    town.publish().await;
    let (found, bytes) = town.found().await;
    assert_eq!(found, [0_u64; 0]);
    let nobody = town.c.tokens(&[stranger()]).await[0];
    let (entries, of_nobody) = town.c.search(&query("c", nobody)).await.unwrap();
    assert_eq!((entries.len(), of_nobody), (0, bytes), "the answers cannot be told apart by their size");
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_a_permit_opens_a_forbid_closes_and_no_hospital_helps_itself() {
    let mut town = Town::new().await;
    town.publish().await;
    let reports = town.reports();

    town.permit(1, "c", 0).await;
    assert_eq!(town.found().await.0, reports, "a walk-in permit at c shows what it names and nothing else");
    assert_eq!(town.head().await, (1, 1));

    town.revoke(1, "b", 1).await;
    assert_eq!(town.found().await.0, [0_u64; 0], "a revocation at b's desk holds at once");
    assert_eq!(town.head().await, (2, 0), "both holders are told the new head");

    let act = Act::new(forbid(2, town.token, 2), desk("a"));
    let signed = town.a.signed(&act);
    town.say("a", vec![signed]).await;
    town.permit(3, "c", 3).await;
    assert_eq!(town.found().await.0, [0_u64; 0], "c's own word does not beat the patient's forbid");
    let undo = town.c.signed(&Act::new(revocation(2, town.token, 4), desk("c")));
    assert_eq!(town.c.submit(&[undo]).await.unwrap_err().refusal(), (RefusalCode::NotMember, "C-13"));

    town.permit(4, "b", 4).await;
    assert_eq!(town.found().await.0, reports, "the word of a hospital that gains nothing does");
    history_shows_all(&town).await;
    every_word_is_taken_once(&mut town).await;
}

/// the patient reads searches, consents and the revocation at any desk, and the reading too.
async fn history_shows_all(town: &Town) {
    let mut events = question("a", town.token, PatientQuestion::Events, now());
    events.said.count = 5;
    let (mut kinds, mut acts) = (Vec::new(), Vec::new());
    loop {
        let page = town.a.history(&Act::new(events.said.clone(), events.proof.clone())).await.unwrap();
        for opening in &page.events {
            let envelope = Envelope::decode(&opening.envelope).unwrap();
            kinds.push(envelope.kind());
            acts.extend(AccessEvent::decode(envelope.payload()).ok().map(|event| event.act));
        }
        if page.next_seq == 0 {
            break;
        }
        events.said.from_seq = page.next_seq;
        events.said.nonce = question("a", town.token, PatientQuestion::Events, now()).said.nonce;
    }
    let count = |kind| kinds.iter().filter(|other| **other == kind).count();
    assert_eq!((count(Kind::Directive), count(Kind::Revocation)), (4, 1));
    assert_eq!(count(Kind::AccessEvent), acts.len());
    let of_act = |act| acts.iter().filter(|other| **other == act).count();
    assert_eq!(of_act(AccessAct::Search), 4, "every search of the patient is an event (Q-2)");
    assert_eq!(of_act(AccessAct::FirstFiling), 2, "two hospitals have filed documents (A-1)");
    assert!(count(Kind::PatientQuery) >= 1, "reading is an event (A-4)");
    let consents = question("b", town.token, PatientQuestion::Consents, now());
    let consents = town.b.consents(&consents).await.unwrap();
    let head = town.a.feed().await.unwrap().head(town.token).head;
    assert_eq!(consents.head, Some(head.write()), "the patient is told what the holders are told");
}

/// L-1, N-4, H-3: a repeat gives the same place under a checkpoint that is not smaller.
async fn every_word_is_taken_once(town: &mut Town) {
    for (by, words, before) in &town.taken {
        let after = town.member(by).submit(words).await.unwrap();
        for (before, after) in before.iter().zip(after) {
            assert_eq!((before.seq, before.leaf), (after.seq, after.leaf));
            assert!(before.size <= after.size);
        }
    }
    let other = town.at_a.entry_of(&town.a, 1, |entry| entry.size = 7);
    let refused = town.a.submit(&[other]).await.unwrap_err();
    assert_eq!(refused.refusal(), (RefusalCode::Conflict, "N-4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f7_a_lease_names_the_end_of_the_feed_that_its_member_has_applied() {
    let mut town = Town::new().await;
    town.publish().await;
    town.permit(1, "a", 0).await;
    for member in [&town.a, &town.b, &town.c] {
        let Feed { items, chain } = member.feed().await.unwrap();
        let lease = member.lease(1, items.len() as u64, chain).await.unwrap();
        assert_eq!((lease.feed_number, lease.feed_chain), (items.len() as u64, chain));
        assert_eq!((lease.term, lease.duration.get()), (1, 30_000));
        assert_eq!(lease.list_version, member.directory.list().version);
        assert_eq!(lease.list_hash, member.directory.payload_hash());
        let behind = member.lease(1, 0, feed_start(&region(), &member.code)).await.unwrap();
        assert_eq!(behind.feed_chain, chain, "who is behind learns where the feed ends");
        for (term, number, chain) in [
            (2, items.len() as u64, chain),
            (1, items.len() as u64 + 1, chain),
            (1, items.len() as u64, id(Digest::new, 9)),
        ] {
            let refused = member.lease(term, number, chain).await.unwrap_err();
            assert_eq!(refused.refusal(), (RefusalCode::OutOfOrder, "F-7"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_a_suspended_member_is_cut_off_until_it_is_restored() {
    let town = Town::new().await;
    let (a, b) = (&town.a, &town.b);
    let suspended = town.region.command("suspend", &[Path::new("b")]);
    assert!(suspended.status.success());
    let gone = b.link.until(|status| !status.is_connected(&b.registry));
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
    let refused = b.ask::<MembersAnswer>(Method::Members, &MembersRequest { after_version: 0 });
    assert_cut_off(&refused.await.unwrap_err());
    let shown = text(&town.region.command("members", &[]).stdout);
    assert!(shown.contains("b                suspended"), "{shown}");
    let feed = a.feed().await.unwrap();
    assert_eq!(a.lease(1, feed.number(), feed.chain).await.unwrap().list_version, 3);

    let restored = town.region.command("suspend", &[Path::new("b"), Path::new("--restore")]);
    assert!(restored.status.success());
    let feed = until("the restored member", async || back(b).await).await;
    assert!(feed.number() >= 3, "its feed went on while it was away");
}

/// M-11: the connection is closed, before or after the greeting.
fn assert_cut_off(failure: &Failure) {
    let closed = [CallError::TurnedAway, CallError::Disconnected].map(Failure::Link);
    assert!(closed.contains(failure), "{failure:?}");
}

/// Whether a member is let in again: then its whole feed.
async fn back(member: &Member) -> Option<Feed> {
    let request = MembersRequest { after_version: 0 };
    member.ask::<MembersAnswer>(Method::Members, &request).await.ok()?;
    member.feed().await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn m2_lists_that_do_not_fit_one_answer_come_in_several() {
    let mut region = Region::new(&["a"]);
    let crowd: Vec<String> = (0..330).map(|number| format!("crowd-{number}")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    region.admit_at(&crowd, &vec![format!("/dns4/{}/tcp/8400", "x".repeat(230)); 8]);
    for round in 0..3 {
        let arguments = [&[Path::new("crowd-1")][..], &[Path::new("crowd-1"), Path::new("--restore")]];
        for arguments in arguments {
            let changed = region.command("suspend", arguments);
            assert!(changed.status.success(), "{round}: {}", text(&changed.stderr));
        }
    }
    region.start().await;
    let mut a = Member::new(&region, "a").await;
    let first = a.follow_lists().await.unwrap();
    assert!(first < 9, "the lists fit one answer: there is nothing to test");
    while a.follow_lists().await.unwrap() < 9 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn m2_a_running_registry_takes_a_new_member_in() {
    let mut town = Town::new().await;
    let mut d = Member::new(&town.region, "d").await;
    assert_cut_off(&d.follow_lists().await.unwrap_err());
    town.region.admit(&["d"]);
    until("the new member", async || back(&d).await).await;
    assert_eq!(d.follow_lists().await.unwrap(), 3);
    let mut at_d = Chain::new("d", 9);
    let token = d.tokens(&[patient()]).await;
    d.say(&at_d.statement(&d, &token)).await;
    let stands = d.say(&at_d.entry(&d, 90)).await;
    town.permit(1, "c", 0).await;
    town.c.follow_lists().await.unwrap();
    assert_eq!(town.found().await.0, [stands.seq]);
    town.region.stop().await;
}

/// Whether the registry has taken the member list of a version.
async fn has_list(member: &Member, version: u64) -> Option<()> {
    let request = MembersRequest { after_version: version - 1 };
    let answer: MembersAnswer = member.ask(Method::Members, &request).await.ok()?;
    (!answer.envelopes.is_empty()).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t7_another_epoch_begins_while_the_registry_runs() {
    let mut town = Town::new().await;
    let first = town.a.tokens(&[patient()]).await;
    let begun = town.region.command("token-epoch", &[]);
    assert!(begun.status.success(), "{}", text(&begun.stderr));
    until("the next list", async || has_list(&town.a, 3).await).await;
    assert_eq!(town.a.follow_lists().await.unwrap(), 3);
    let second = town.a.tokens_of(2, &[patient()]).await.unwrap();
    assert_eq!((second[0].epoch, town.a.tokens(&[patient()]).await), (2, first.clone()));
    let mut chain = Chain::new("a", 9);
    town.a.say(&chain.statement(&town.a, &[first[0], second[0]])).await;
    town.region.stop().await;

    // A key that is not there stops the start, and one that comes to lack is said to who asks.
    let key = town.region.folder().join("registry/keys/tokens-2.key");
    let aside = key.with_extension("aside");
    std::fs::rename(&key, &aside).unwrap();
    let said = town.region.try_start().await.unwrap_err();
    assert!(said.contains("there is no tokens key at") && said.contains("tokens-2.key"), "{said}");
    std::fs::copy(key.with_file_name("tokens-1.key"), &key).unwrap();
    let said = town.region.try_start().await.unwrap_err();
    assert!(said.contains("is not the token key that the member list has for epoch 2"), "{said}");
    std::fs::rename(&aside, &key).unwrap();
    town.region.start().await;
    until("the connection", async || back(&town.a).await).await;
    assert_eq!(town.a.tokens_of(2, &[patient()]).await.unwrap(), second);
    std::fs::remove_file(&key).unwrap();
    let Err(failure) = town.a.tokens_of(2, &[patient()]).await else { panic!("there is no key") };
    assert_eq!(failure.refusal(), (RefusalCode::Failed, "T-7"));
    town.region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m13_a_member_s_next_sealing_key_is_listed_beside_the_one_before() {
    let mut town = Town::new().await;
    let request = |member: &str, public, words: &str| {
        let wanted = WantedKey::Sealing { public: hex::encode([public; 32]) };
        let request = KeyRequest::of(&region(), &code(member), wanted, &[words_key(words)]).unwrap();
        let file = town.region.folder().join(format!("{member}-{public}.toml"));
        std::fs::write(&file, toml::to_string(&request).unwrap()).unwrap();
        file
    };
    let (first, second, nobody) = (request("a", 9, "a"), request("a", 11, "a"), request("nobody", 9, "a"));
    let added = town.region.command("renew-key", &[&first, &second]);
    assert!(added.status.success(), "{}", text(&added.stderr));
    let forged = request("a", 13, "b");
    for (file, sentence) in [
        (&first, "the sealing key of a is listed already"),
        (&nobody, "nobody is no member"),
        (&forged, "vouched for by no valid words key of a"),
    ] {
        let refused = town.region.command("renew-key", &[file]);
        assert!(text(&refused.stderr).contains(sentence), "{}", text(&refused.stderr));
    }
    until("the next list", async || has_list(&town.a, 3).await).await;
    assert_eq!(town.a.follow_lists().await.unwrap(), 3);
    let newest = town.a.directory.sealing_key(&code("a")).unwrap();
    assert_eq!(newest.public_key, [11; 32]);
    assert!(town.region.folder().join("registry/lists/000004.list").metadata().is_err());
    town.region.stop().await;
}

/// A reading of a member's feed that may be kept so long: how many items came.
async fn read_feed(member: &Member, after: u64, wait_ms: u64) -> Result<usize, Failure> {
    let request = FeedRequest { after, count: 7, wait_ms };
    member.ask::<FeedAnswer>(Method::Feed, &request).await.map(|answer| answer.items.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn f3_a_reading_of_the_feed_is_kept_until_something_comes_or_its_time_or_the_registry_ends() {
    let mut town = Town::new().await;
    town.publish().await;
    let (a, b) = (&town.a, &town.b);
    let after = a.feed().await.unwrap().number();
    let began = Instant::now();
    assert_eq!(read_feed(a, after, 300).await, Ok(0));
    assert!(began.elapsed() >= Duration::from_millis(300));

    let permit = b.signed(&Act::new(permit(1, town.token, "c", 0), desk("b")));
    let (came, _) = tokio::join!(read_feed(a, after, u64::MAX), b.say(&permit));
    assert_eq!(came, Ok(1));

    // Who waits holds nobody up that stops.
    let stopped = async {
        // In order on one stream: the reading is there before this is answered.
        a.feed().await.unwrap();
        let began = Instant::now();
        town.region.stop().await;
        began.elapsed()
    };
    let (came, took) = tokio::join!(read_feed(a, after + 1, u64::MAX), stopped);
    assert!(matches!(came, Ok(0) | Err(Failure::Link(_))), "{came:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn l9_a_running_registry_goes_on_with_its_log_until_it_is_started_on_a_new_one() {
    let mut town = Town::new().await;
    let asked = town.region.command("new-log", &[]);
    assert!(asked.status.success(), "{}", text(&asked.stderr));
    until("the list is seen", || {
        let said = town.region.said();
        async move { said.contains("begins a new log (L-9): start the registry again").then_some(()) }
    })
    .await;
    town.publish().await;
    assert!(town.region.is_healthy().await);
    assert_eq!(town.c.follow_lists().await.unwrap(), 2, "the list in force has the old log");
    town.region.stop().await;
    town.region.start().await;
    let again = Member::connected(&town.region, "c").await;
    assert_eq!(again.directory.list().log_id.as_str(), "log-3");
}
