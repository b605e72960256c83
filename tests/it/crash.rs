//! kill -9 of the registry, of a holder and of a receiver at drawn instants, while messages come in, documents are published and
//! pulled, referrals are sent, and consent is taken back: nothing acknowledged is lost, nothing is there twice, and the exchange goes on.
//!
//! `YIQIAO_SEED` repeats a run, `YIQIAO_KILLS` sets how many there are.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use serde_json::{Value, json};
use yiqiao_demo::cast;
use yiqiao_demo::client::Client;
use yiqiao_demo::facts::Facts;
use yiqiao_demo::feed::{Mllp, ack_code};
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::region::{Options, Region};
use yiqiao_simnet::hospitals::{Specialty, UNIVERSITY};
use yiqiao_simnet::story::Role;

use crate::story::people::{Person, array, permit, programs, text, until};

/// Kills, if nothing else is asked for.
const KILLS: u64 = 200;
/// Referrals that are sent on the way: one after so many reports.
const REPORTS_PER_REFERRAL: usize = 25;
/// How long one piece of work may be tried again and again.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn two_hundred_kills_lose_nothing_and_double_nothing() {
    let seed = number("YIQIAO_SEED").unwrap_or_else(drawn);
    let kills = number("YIQIAO_KILLS").unwrap_or(KILLS);
    println!("YIQIAO_SEED={seed} YIQIAO_KILLS={kills}");
    let folder = tempfile::tempdir().unwrap();
    let town = cast::town(jiff::Zoned::now().date());
    let options = Options { programs: programs(), ports: Choice::Free, hospitals: 3 };
    let place = Place::new(folder.path()).unwrap();
    let mut region = Region::set_up(place, &options, &town, &mut |_| ()).unwrap();
    let cast = [Role::WalkIn.index(), Role::Revoker.index()];
    region.feed(&town, |patient| cast.contains(&patient), &mut |_| ()).unwrap();
    region.wait_until_published(&mut |_| ()).unwrap();

    let walk_in = town.cast(Role::WalkIn).unwrap();
    let doctor_at = |letter: char| {
        walk_in.visits.iter().rfind(|visit| visit.hospital.letter == letter).unwrap().doctor.code.to_owned()
    };
    let work = Work {
        facts: region.facts().clone(),
        number: walk_in.registrations.get(&'A').unwrap().number.clone(),
        resident_id: walk_in.person.resident_id.to_string(),
        revoker: town.cast(Role::Revoker).unwrap().person.resident_id.to_string(),
        doctors: (doctor_at('A'), doctor_at('C')),
        done: AtomicBool::new(false),
    };
    work.consent();
    let before = work.at_a().len();
    let (reports, referrals, taken_back) = std::thread::scope(|scope| {
        let working = scope.spawn(|| work.until_done());
        let fetching = scope.spawn(|| work.fetch_until_done());
        let revoking = scope.spawn(|| work.take_back_until_done());
        let broke_off = || working.is_finished() || fetching.is_finished() || revoking.is_finished();
        kill_again_and_again(&mut region, seed, kills, &broke_off);
        work.done.store(true, Ordering::Relaxed);
        fetching.join().unwrap();
        let (reports, referrals) = working.join().unwrap();
        (reports, referrals, revoking.join().unwrap())
    });
    assert!(reports.len() > 10 && referrals.len() > 1, "there was work: {} reports", reports.len());
    work.check(before, &reports, &referrals);
    assert!(!taken_back.is_empty(), "consent was taken back");
    work.check_taken_back(&taken_back);
    region.stop().unwrap();
}

/// Kills one of the three at a drawn instant and starts it again, so many times.
fn kill_again_and_again(region: &mut Region, seed: u64, kills: u64, failed: &dyn Fn() -> bool) {
    let mut draw = Draw(seed);
    for _ in 0..kills {
        assert!(!failed(), "the work broke off");
        std::thread::sleep(Duration::from_millis(draw.below(250)));
        match draw.below(3) {
            0 => {
                region.kill_registry().unwrap();
                region.start_registry().unwrap();
            }
            1 => {
                region.kill_node('A').unwrap();
                region.start_node_soon('A').unwrap();
            }
            _ => {
                region.kill_node('C').unwrap();
                region.start_node_soon('C').unwrap();
            }
        }
    }
    for letter in ['A', 'C'] {
        region.wait_until_ready(letter).unwrap();
    }
}

/// What people and systems do meanwhile.
struct Work {
    facts: Facts,
    number: String,
    resident_id: String,
    /// Who lets C see, and takes it back.
    revoker: String,
    doctors: (String, String),
    done: AtomicBool,
}

impl Work {
    fn url(&self, letter: char) -> &str {
        &self.facts.hospital(letter).unwrap().node.url
    }

    fn consent(&self) {
        let desk = Person::signed_in(self.url('C'), "desk");
        let subject = desk.find(&self.resident_id);
        let wish =
            json!({ "organisation": "qzdx", "classes": [], "purposes": ["treatment"], "validUntil": null });
        let notice = desk.post("/api/notice", &wish);
        desk.permit(&subject, "qzdx", text(&notice, "/version"));
    }

    /// Reports come to A, and now and then a referral leaves it. Gives what was acknowledged.
    fn until_done(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut reports, mut referrals) = (BTreeSet::new(), BTreeSet::new());
        while !self.done.load(Ordering::Relaxed) {
            let id = format!("CR{:06}", reports.len() + 1);
            persist(&id, || self.report(&id));
            reports.insert(id);
            if reports.len() % REPORTS_PER_REFERRAL == 1 {
                referrals.insert(self.refer());
            }
        }
        (reports, referrals)
    }

    /// One laboratory report over MLLP; the same bytes again until they are acknowledged.
    fn report(&self, id: &str) -> anyhow::Result<()> {
        let (_, address) = self.facts.hospital('A')?.mllp.iter().find(|(system, _)| system == "lis").unwrap();
        let message = format!(
            "MSH|^~\\&|LIS|QZRM|YIQIAO|QZRM|20261101080000||ORU^R01|{id}|P|2.4||||||UNICODE UTF-8\r\
             PID|1||{number}^^^^51~{resident}^^^^1||刘素芬\r\
             OBR|1||{id}|TSH^促甲状腺激素|||20261101073000||||||||||||||||||F\r\
             OBX|1|NM|TSH^促甲状腺激素||2.10|mIU/L|0.27-4.20|N|||F\r",
            number = self.number,
            resident = self.resident_id,
        );
        let ack = Mllp::connect(address)?.send(message.as_bytes())?;
        let code = ack_code(&ack)?;
        ensure!(code == "AA", "answered by {code}");
        Ok(())
    }

    /// Gives the referral's id once its sender was told that it is sent.
    fn refer(&self) -> String {
        let id = persist("a draft", || {
            let doctor = self.doctor('A')?;
            let found = doctor.post("/api/patients/find", &json!({ "residentId": self.resident_id }))?;
            let draft = json!({
                "subject": text(array(&found, "/items").first().unwrap(), "/subject"),
                "to": "qzdx",
                "form": {
                    "toDepartment": UNIVERSITY.department(Specialty::Cardiology).code,
                    "urgency": "routine", "direction": "up", "impression": "心悸", "presentIllness": "间断心悸。",
                    "pastHistory": "甲亢。", "course": "随诊。", "reason": "进一步检查。", "plan": "心电监测。",
                    "physicianPhone": "0999-61000001",
                },
                "entries": [],
            });
            let draft = doctor.post("/api/referrals/drafts", &draft)?;
            Ok(text(&draft, "/id").to_owned())
        });
        persist("sending", || {
            let doctor = self.doctor('A')?;
            let path = format!("/api/referrals/qzrm/{id}");
            if text(&doctor.json(&path)?, "/state") == "draft" {
                doctor.post(&format!("{path}/act"), &json!({ "act": "send" }))?;
            }
            Ok(())
        });
        id
    }

    /// At A's desk a patient lets C see, and takes it back, again and again. Gives the consents that are known as taken back.
    fn take_back_until_done(&self) -> BTreeSet<String> {
        let mut taken_back = BTreeSet::new();
        while !self.done.load(Ordering::Relaxed) {
            persist("a consent", || {
                let (desk, consents) = self.desk('A')?;
                let wish = json!({ "organisation": "qzdx", "classes": [], "purposes": ["treatment"], "validUntil": null });
                let notice = desk.post("/api/notice", &wish)?;
                desk.post(&consents, &permit("qzdx", text(&notice, "/version")))
            });
            // All that are in force: one whose answer was lost, too.
            for id in persist("the consents", || self.in_force('A')) {
                persist("taking back", || {
                    let (desk, consents) = self.desk('A')?;
                    if listed(&desk, &consents)?.contains(&id) {
                        desk.post(&format!("{consents}/{id}/revoke"), &json!({ "reason": "patient-wish" }))?;
                    }
                    Ok(())
                });
                taken_back.insert(id);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        taken_back
    }

    /// A desk, and the address there of the consents of who takes them back.
    fn desk(&self, letter: char) -> anyhow::Result<(Client, String)> {
        let desk = Client::at(self.url(letter));
        desk.sign_in("desk", cast::PASSWORD)?;
        let found = desk.post("/api/patients/find", &json!({ "residentId": self.revoker }))?;
        let subject = text(array(&found, "/items").first().unwrap(), "/subject").to_owned();
        Ok((desk, format!("/api/patients/{subject}/consents")))
    }

    fn in_force(&self, letter: char) -> anyhow::Result<BTreeSet<String>> {
        let (desk, consents) = self.desk(letter)?;
        listed(&desk, &consents)
    }

    /// C's doctor asks again and again for all that is permitted.
    fn fetch_until_done(&self) {
        while !self.done.load(Ordering::Relaxed) {
            // Who is down does not answer; the next one does.
            let _down = self.fetch();
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn fetch(&self) -> anyhow::Result<Vec<Value>> {
        let doctor = self.doctor('C')?;
        let found = doctor.post("/api/patients/find", &json!({ "residentId": self.resident_id }))?;
        let subject = text(array(&found, "/items").first().unwrap(), "/subject").to_owned();
        doctor.post(&format!("/api/patients/{subject}/fetch"), &json!({}))?;
        let history = doctor.json(&format!("/api/patients/{subject}/documents"))?;
        Ok(array(&history, "/items").clone())
    }

    fn doctor(&self, letter: char) -> anyhow::Result<Client> {
        let client = Client::at(self.url(letter));
        let login = if letter == 'A' { &self.doctors.0 } else { &self.doctors.1 };
        client.sign_in(login, cast::PASSWORD)?;
        Ok(client)
    }

    /// The patient's documents at A.
    fn at_a(&self) -> Vec<Value> {
        let doctor = Person::signed_in(self.url('A'), &self.doctors.0);
        doctor.documents(&doctor.find(&self.resident_id))
    }

    /// Every report that was acknowledged is at A and at C, once; every referral that was sent is in C's inbox, once.
    fn check(&self, before: usize, reports: &BTreeSet<String>, referrals: &BTreeSet<String>) {
        let entries = |rows: &[Value]| -> BTreeSet<String> {
            rows.iter()
                .filter(|row| text(row, "/holder") == "qzrm")
                .map(|row| text(row, "/entry").to_owned())
                .collect()
        };
        let held = self.at_a();
        assert_eq!(held.len() - before, reports.len(), "each acknowledged report is there once");
        assert_eq!(entries(&held).len(), held.len(), "no entry is there twice");
        let began = Instant::now();
        loop {
            let rows = persist("the documents at C", || self.fetch());
            let mut states = BTreeMap::new();
            for row in rows.iter().filter(|row| text(row, "/holder") == "qzrm") {
                let state = format!("{} {}", text(row, "/state"), text(row, "/reason/text"));
                *states.entry(state).or_insert(0) += 1;
            }
            let whole = |row: &&Value| matches!(text(row, "/state"), "held" | "opened");
            let here: Vec<Value> = rows.iter().filter(whole).cloned().collect();
            if entries(&here) == entries(&held) {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{} documents of A are not all at C: {states:?}", held.len());
            std::thread::sleep(Duration::from_millis(200));
        }
        let office = Person::signed_in(self.url('C'), "referral");
        until("all referrals at C", || {
            let inbox = office.get("/api/referrals/inbox");
            let ids: Vec<String> =
                array(&inbox, "/items").iter().map(|row| text(row, "/id").to_owned()).collect();
            let once: BTreeSet<String> = ids.iter().cloned().collect();
            assert_eq!(once.len(), ids.len(), "no referral is there twice");
            referrals.is_subset(&once).then_some(())
        });
    }

    /// None of these is in force again, wherever it is asked.
    fn check_taken_back(&self, taken_back: &BTreeSet<String>) {
        for letter in ['A', 'B'] {
            let in_force = persist("the consents", || self.in_force(letter));
            let again: Vec<String> = in_force.intersection(taken_back).cloned().collect();
            assert!(again.is_empty(), "{again:?} count again at {letter}");
        }
    }
}

/// The consents in force that a desk is shown.
fn listed(desk: &Client, consents: &str) -> anyhow::Result<BTreeSet<String>> {
    let shown = desk.json(consents)?;
    Ok(array(&shown, "/items").iter().map(|consent| text(consent, "/id").to_owned()).collect())
}

/// Tries until it is done: what is killed comes back.
fn persist<T>(what: &str, mut attempt: impl FnMut() -> anyhow::Result<T>) -> T {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{what}: {error:#}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn drawn() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() & 0xffff_ffff).unwrap()
}

/// A sequence that its seed repeats (SplitMix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
