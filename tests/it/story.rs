//! The story, on real processes through public interfaces only: a referred patient's history crosses from one hospital to
//! another, a walk-in's too; the patient takes it back; everybody sees what happened; a fourth hospital joins.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

pub(crate) mod people;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use yiqiao_demo::cast;
use yiqiao_demo::client::Client;
use yiqiao_demo::feed::{Mllp, ack_code};
use yiqiao_demo::place::{Choice, Place};
use yiqiao_demo::region::{Options, Region};
use yiqiao_simnet::feeds::{Feed, System};
use yiqiao_simnet::hospitals::{Specialty, UNIVERSITY};
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::Town;

use crate::readme::ground::{Ground, Ports, block};
use people::{Person, array, command, status, text, until};

/// The region of the story with the feeds of its cast.
struct Stage {
    ground: Ground,
    town: Town,
    region: Region,
}

fn stage() -> Stage {
    let ground = Ground::new();
    let town = cast::town(jiff::Zoned::now().date());
    let programs = people::programs();
    let options = Options { programs, ports: Choice::Free, hospitals: 3 };
    let place = Place::new(&ground.region()).unwrap();
    let region = Region::set_up(place, &options, &town, &mut |_| ()).unwrap();
    let sent = region.feed(&town, |patient| patient <= Role::Revoker.index(), &mut |_| ()).unwrap();
    assert!(sent > 20, "the cast has a past");
    region.wait_until_published(&mut |_| ()).unwrap();
    Stage { ground, town, region }
}

impl Stage {
    fn person(&self, letter: char, login: &str) -> Person {
        let hospital = self.region.facts().hospital(letter).unwrap();
        Person::signed_in(&hospital.node.url, login)
    }

    /// The doctor of a hospital whom somebody of the cast saw last.
    fn doctor(&self, letter: char, role: Role) -> Person {
        let mut visits = self.town.cast(role).unwrap().visits.iter();
        let visit = visits.rfind(|visit| visit.hospital.letter == letter).unwrap();
        self.person(letter, visit.doctor.code)
    }

    fn cardiologist_at_c(&self) -> Person {
        self.person('C', UNIVERSITY.department(Specialty::Cardiology).senior().code)
    }

    fn resident_id(&self, role: Role) -> String {
        self.town.cast(role).unwrap().person.resident_id.to_string()
    }

    fn feeds(&self, role: Role, system: System) -> Feed {
        let mut feeds = self.town.feeds();
        feeds.find(|feed| feed.patient == role.index() && feed.system == system).unwrap()
    }

    /// What the electronic record of a hospital hands in by HTTP, and what it is told.
    fn hands_in(&self, letter: char, media_type: &str, bytes: &[u8]) -> Value {
        let hospital = self.region.facts().hospital(letter).unwrap();
        let emr = hospital.systems.first().unwrap();
        let client = Client::at(&hospital.node.url);
        client.authorize(&emr.client, &emr.secret).unwrap();
        client.send("POST", "/api/intake", media_type, bytes).unwrap().json_of("/api/intake").unwrap()
    }

    fn mllp(&self, letter: char, system: &str) -> Mllp {
        let hospital = self.region.facts().hospital(letter).unwrap();
        let (_, address) = hospital.mllp.iter().find(|(known, _)| known == system).unwrap();
        Mllp::connect(address).unwrap()
    }
}

#[test]
fn the_story_from_feed_to_revocation() {
    let mut stage = stage();
    the_same_bytes_again_change_nothing(&stage);
    before_consent_there_is_nothing_to_see(&stage);
    let referral = a_referral_is_written_consented_and_sent(&stage);
    c_accepts_files_and_reads(&stage, &referral);
    an_access_is_proved_to_a_third_party(&stage);
    referred_documents_open_with_a_switched_off(&mut stage);
    a_walk_in_consents_at_the_desk(&stage);
    a_desk_that_knows_the_walk_in_by_less_takes_it_back(&stage);
    let patient = the_patient_revokes(&stage);
    then_the_holder_refuses(&stage, 'A', &patient);
    then_the_holder_refuses(&stage, 'B', &patient);
    everybody_sees_what_happened(&stage);
    a_fourth_hospital_joins(&stage);
    stage.region.stop().unwrap();
}

fn the_same_bytes_again_change_nothing(stage: &Stage) {
    let doctor = stage.doctor('A', Role::Referred);
    let subject = doctor.find(&stage.resident_id(Role::Referred));
    let before = doctor.documents(&subject);
    let adt = stage.feeds(Role::Referred, System::His);
    let mut his = stage.mllp('A', "his");
    assert_eq!(ack_code(&his.send(&adt.bytes).unwrap()).unwrap(), "AA");
    let other = [adt.bytes.clone(), b"ZYQ|other\r".to_vec()].concat();
    assert_eq!(ack_code(&his.send(&other).unwrap()).unwrap(), "AA");
    assert_eq!(doctor.documents(&subject), before, "a repeat changes nothing");
    let cda = stage.feeds(Role::Referred, System::Emr);
    let answer = stage.hands_in('A', "application/xml", &cda.bytes);
    assert_eq!(
        (text(&answer, "/outcome"), answer.get("repeat")),
        ("indexed", Some(&Value::Bool(true))),
        "{answer}"
    );
    // The system that hands in is another one than the HIS: to it the control id is new.
    let takes = [(&adt.bytes, false, 0), (&adt.bytes, true, 0), (&other, false, 1), (&other, true, 1)];
    for (bytes, repeat, flagged) in takes {
        let answer = stage.hands_in('A', "application/hl7-v2", bytes);
        let flags = array(&answer, "/remarks").iter().filter(|remark| *remark == "control-id-reused").count();
        assert_eq!((answer.get("repeat"), flags), (Some(&Value::Bool(repeat)), flagged), "{answer}");
    }
    let status = status(&stage.region.facts().hospital('A').unwrap().node.config).unwrap();
    for system in ["his", "emr"] {
        let reused = status.pointer(&format!("/systems/{system}/reused")).and_then(Value::as_u64);
        assert_eq!(reused, Some(1), "hospital IT is told of {system}: {status}");
    }
}

fn before_consent_there_is_nothing_to_see(stage: &Stage) {
    let doctor = stage.doctor('C', Role::WalkIn);
    let subject = doctor.find(&stage.resident_id(Role::WalkIn));
    doctor.post(&format!("/api/patients/{subject}/fetch"), &json!({}));
    let history = doctor.get(&format!("/api/patients/{subject}/documents"));
    assert!(array(&history, "/items").iter().all(|row| text(row, "/holder") == "qzdx"), "{history}");
    assert_eq!(text(&history, "/completeness/kind"), "local");
}

/// A draft of a referral to C with up to three documents of the doctor's own hospital: its path.
fn a_referral_is_written(stage: &Stage, doctor: &Person) -> String {
    let subject = doctor.find(&stage.resident_id(Role::Referred));
    let own = doctor.documents(&subject);
    let holders: BTreeSet<_> = own.iter().map(|row| text(row, "/holder")).collect();
    assert_eq!(holders.len(), 1, "the hospital's own documents, and some: {own:?}");
    let chosen: Vec<Value> = own
        .iter()
        .take(3)
        .map(|row| json!({ "holder": text(row, "/holder"), "entry": text(row, "/entry") }))
        .collect();
    let draft = json!({
        "subject": subject,
        "to": "qzdx",
        "form": {
            "toDepartment": UNIVERSITY.department(Specialty::Cardiology).code,
            "urgency": "urgent",
            "direction": "up",
            "impression": "不稳定型心绞痛",
            "presentIllness": "阵发性胸痛3天，加重2小时。",
            "pastHistory": "2型糖尿病6年。",
            "course": "抗血小板、调脂治疗，症状稳定。",
            "reason": "需行冠状动脉造影及介入治疗。",
            "plan": "尽早行冠状动脉造影。",
            "physicianPhone": "0999-61000001",
        },
        "entries": chosen,
    });
    let referral = doctor.post("/api/referrals/drafts", &draft);
    assert_eq!(text(&referral, "/state"), "draft");
    format!("/api/referrals/{}/{}", text(&referral, "/member"), text(&referral, "/id"))
}

/// Gives the referral's path.
fn a_referral_is_written_consented_and_sent(stage: &Stage) -> String {
    let doctor = stage.doctor('A', Role::Referred);
    let path = a_referral_is_written(stage, &doctor);
    let desk = stage.person('A', "desk");
    let subject = desk.find(&stage.resident_id(Role::Referred));
    let notice =
        json!({ "organisation": "qzdx", "classes": [], "purposes": ["treatment"], "validUntil": null });
    let notice = desk.post("/api/notice", &notice);
    let paragraphs = array(&notice, "/paragraphs").iter().map(Value::to_string).collect::<String>();
    assert!(
        paragraphs.contains(UNIVERSITY.name) && paragraphs.contains(&cast::contact(&UNIVERSITY)),
        "{paragraphs}"
    );
    desk.permit(&subject, "qzdx", text(&notice, "/version"));

    doctor.post(&format!("{path}/act"), &json!({ "act": "send" }));
    until("C's node to receive the referral", || {
        (text(&doctor.get(&path), "/state") == "received").then_some(())
    });
    let sent = doctor.get("/api/referrals/sent");
    assert_eq!(array(&sent, "/items").len(), 1);
    path
}

fn c_accepts_files_and_reads(stage: &Stage, path: &str) {
    let office = stage.person('C', "referral");
    let inbox = office.get("/api/referrals/inbox");
    let row = array(&inbox, "/items").first().unwrap();
    assert_eq!(text(row, "/patientName"), "陈志远");
    office.post(&format!("{path}/act"), &json!({ "act": "accept", "reply": { "text": "请尽快转来。" } }));
    office.post(&format!("{path}/file"), &json!({ "number": "C7700012345" }));
    let doctor = stage.cardiologist_at_c();
    let referral = doctor.get(path);
    assert_eq!(text(&referral, "/state"), "accepted");
    let subject = text(&referral, "/subject").to_owned();
    doctor.post(&format!("/api/patients/{subject}/fetch"), &json!({}));
    let history = until("the documents of A and B", || {
        let history = doctor.get(&format!("/api/patients/{subject}/documents"));
        let here = |holder: &str| {
            let mut rows =
                array(&history, "/items").iter().filter(|row| text(row, "/holder") == holder).peekable();
            rows.peek().is_some() && rows.all(|row| matches!(text(row, "/state"), "held" | "opened"))
        };
        (here("qzrm") && here("qzzy")).then_some(history)
    });
    assert_eq!(text(&history, "/completeness/kind"), "consented", "{history}");
    for holder in ["qzrm", "qzzy"] {
        let row = array(&history, "/items").iter().find(|row| text(row, "/holder") == holder).unwrap();
        let opened = doctor.open(row);
        let shown = [text(&opened, "/html"), text(&opened, "/text")].concat();
        assert!(shown.contains("陈志远"), "{shown}");
        let content = doctor.bytes(text(&opened, "/content"));
        assert!(!content.is_empty());
    }
    let state = stage.doctor('A', Role::Referred).get(path);
    assert_eq!(text(&state, "/state"), "accepted", "the sender sees the answer");
}

/// Both sides export the same access; a court has the files and the region's key, and no part in the region.
fn an_access_is_proved_to_a_third_party(stage: &Stage) {
    let doctor = stage.cardiologist_at_c();
    let documents = doctor.documents(&doctor.find(&stage.resident_id(Role::Referred)));
    let opened = |row: &&Value| text(row, "/holder") == "qzrm" && text(row, "/state") == "opened";
    let row = documents.iter().find(opened).unwrap();
    let config = |letter| stage.region.facts().hospital(letter).unwrap().node.config.clone();
    let (a, c) = (config('A'), config('C'));
    let file = c.with_file_name("access.evidence");
    let out = file.to_str().unwrap();
    for (side, holder) in [(&c, "qzrm"), (&a, "qzrm")] {
        let export =
            ["evidence", "export", "--document", text(row, "/entry"), "--holder", holder, "--out", out];
        let said = until("the receipt to stand in the log", || {
            command(&export, side).ok().filter(|said| !said.contains("has not said that it has the document"))
        });
        assert!(
            said.contains("PROVED: 桥州市人民医院 (qzrm) let one document of one patient go to"),
            "{said}"
        );
    }
    let key = c.with_file_name("region.json");
    let verify = |file: &str, more: &[&str]| {
        let words = [&["evidence", "verify", file, "--authority", key.to_str().unwrap()], more].concat();
        command(&words, &file_of_nobody(&key))
    };
    let said = verify(out, &[]).unwrap();
    for part in [
        "(qzdx): referral-office of department",
        "by clause D-3",
        "at a desk of 桥州市人民医院 (qzrm)",
        "which had it whole at",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let json: Value = serde_json::from_str(&verify(out, &["--json"]).unwrap()).unwrap();
    assert_eq!((text(&json, "/agent/1/who"), text(&json, "/purposeOfEvent")), ("qzdx", "treatment"));
    let mut bent = std::fs::read(&file).unwrap();
    let middle = bent.len() / 2;
    bent.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
    std::fs::write(&file, &bent).unwrap();
    assert!(verify(out, &[]).unwrap_err().contains("NOT PROVED"));
    let at_a = stage.doctor('A', Role::Referred);
    let lines = at_a.get(&format!("/api/patients/{}/audit", at_a.find(&stage.resident_id(Role::Referred))));
    let exported = |line: &Value| text(line, "/act") == "export" && text(line, "/actor") == "administrator";
    assert!(array(&lines, "/items").iter().any(exported), "exporting it is an access to be shown: {lines}");
}

/// The configuration of a node that there is not: verifying needs none.
fn file_of_nobody(beside: &std::path::Path) -> std::path::PathBuf {
    beside.with_file_name("no-such-node.toml")
}

fn referred_documents_open_with_a_switched_off(stage: &mut Stage) {
    stage.region.stop_node('A').unwrap();
    let doctor = stage.cardiologist_at_c();
    let subject = doctor.find(&stage.resident_id(Role::Referred));
    let documents = doctor.documents(&subject);
    let held = |row: &&Value| text(row, "/holder") == "qzrm" && text(row, "/state") == "held";
    let row = documents.iter().find(held).unwrap();
    doctor.open(row);
    stage.region.start_node('A').unwrap();
}

fn a_walk_in_consents_at_the_desk(stage: &Stage) {
    let desk = stage.person('C', "desk");
    let subject = desk.find(&stage.resident_id(Role::WalkIn));
    let notice =
        json!({ "organisation": "qzdx", "classes": [], "purposes": ["treatment"], "validUntil": null });
    let notice = desk.post("/api/notice", &notice);
    desk.permit(&subject, "qzdx", text(&notice, "/version"));
    let doctor = stage.doctor('C', Role::WalkIn);
    doctor.post(&format!("/api/patients/{subject}/fetch"), &json!({}));
    let row = until("a document of A", || {
        let documents = doctor.documents(&subject);
        documents.into_iter().find(|row| text(row, "/holder") == "qzrm" && text(row, "/state") == "held")
    });
    doctor.open(&row);
}

/// C recorded the consent under the resident ID and under the health card. B's HIS knows the resident ID alone.
fn a_desk_that_knows_the_walk_in_by_less_takes_it_back(stage: &Stage) {
    let resident = stage.town.cast(Role::WalkIn).unwrap();
    let (id, name) = (&resident.person.resident_id, &resident.person.name.text);
    let registered = format!(
        "MSH|^~\\&|HIS|QZZY|YIQIAO|QZZY|20261120080000||ADT^A04|WALK1|P|2.4||||||UNICODE UTF-8\rEVN|A04|20261120080000\r\
         PID|1||W777^^^^PI~{id}^^^^NI||{name}\rPV1|1|O|0203||||||||||||||||VW777\r"
    );
    let answer = stage.hands_in('B', "application/hl7-v2", registered.as_bytes());
    assert_eq!(text(&answer, "/outcome"), "applied", "{answer}");
    let desk = stage.person('B', "desk");
    let at_b = desk.find(&id.to_string());
    let listed = until("the consent", || {
        let consents = desk.get(&format!("/api/patients/{at_b}/consents"));
        Some(array(&consents, "/items").clone()).filter(|items| !items.is_empty())
    });
    let path = format!("/api/patients/{at_b}/consents/{}/revoke", text(listed.first().unwrap(), "/id"));
    desk.post(&path, &json!({ "reason": "patient-wish" }));
    let desk = stage.person('C', "desk");
    let consents = format!("/api/patients/{}/consents", desk.find(&id.to_string()));
    until("nothing to be in force at C", || array(&desk.get(&consents), "/items").is_empty().then_some(()));
    let doctor = stage.doctor('C', Role::WalkIn);
    let subject = doctor.find(&id.to_string());
    until("copies to be retained or gone", || {
        let documents = doctor.documents(&subject);
        let mut foreign = documents.iter().filter(|row| text(row, "/holder") != "qzdx");
        foreign.all(|row| matches!(text(row, "/state"), "retained" | "erased" | "refused")).then_some(())
    });
    let history = doctor.get(&format!("/api/patients/{subject}/documents"));
    let findable = array(&history, "/items").iter().filter(|row| text(row, "/state") == "findable").count();
    assert_eq!(findable, 0, "nothing is found under the health card either");
}

/// Gives the patient, who has an account now.
fn the_patient_revokes(stage: &Stage) -> Person {
    let doctor = stage.cardiologist_at_c();
    let subject = doctor.find(&stage.resident_id(Role::Referred));
    let before = doctor.documents(&subject);
    assert!(before.iter().any(|row| text(row, "/state") == "held"), "one prefetched copy is unopened");

    let desk = stage.person('A', "desk");
    let at_a = desk.find(&stage.resident_id(Role::Referred));
    let account = desk.post(&format!("/api/patients/{at_a}/account"), &json!({}));
    let patient = Person::first_signed_in(
        &stage.region.facts().hospital('A').unwrap().node.url,
        text(&account, "/login"),
        text(&account, "/oneTimePassword"),
    );
    let consents = patient.get("/api/me/consents");
    let consent = array(&consents, "/items").first().unwrap();
    patient.post(
        &format!("/api/me/consents/{}/revoke", text(consent, "/id")),
        &json!({ "reason": "patient-wish" }),
    );

    until("opened copies to be retained and the others gone", || {
        let documents = doctor.documents(&subject);
        let foreign: Vec<_> = documents.iter().filter(|row| text(row, "/holder") != "qzdx").collect();
        foreign.iter().all(|row| matches!(text(row, "/state"), "retained" | "erased")).then_some(())
    });
    let after = doctor.documents(&subject);
    assert!(after.iter().any(|row| text(row, "/state") == "retained"));
    doctor.post(&format!("/api/patients/{subject}/fetch"), &json!({}));
    let erased = after.iter().find(|row| text(row, "/state") == "erased").unwrap();
    let refused = doctor.try_open(erased);
    assert!(!refused.is_success(), "an erased copy does not open");
    let history = doctor.get(&format!("/api/patients/{subject}/documents"));
    let findable = array(&history, "/items").iter().filter(|row| text(row, "/state") == "findable").count();
    assert_eq!(findable, 0, "search hides what is permitted no longer");
    until("C to have answered for each copy", || {
        let copies = patient.get("/api/me/copies");
        let of_c = array(&copies, "/items").iter().find(|row| text(row, "/organisation/code") == "qzdx")?;
        let count = |what: &str| of_c.pointer(what).and_then(Value::as_u64).unwrap();
        let answered = count("/unanswered") == 0 && count("/held") == 0;
        (answered && count("/erased") > 0 && count("/retained") > 0).then_some(())
    });
    patient
}

/// A doctor of a hospital that has documents refers once more: C asks for them, over the link, and the hospital refuses each.
/// Figures and the patient's own access log say so.
fn then_the_holder_refuses(stage: &Stage, letter: char, patient: &Person) {
    let holder = &stage.region.facts().hospital(letter).unwrap().node.code;
    let denied = |row: &&Value| {
        let of_holder = text(row, "/organisation/code") == holder;
        of_holder && text(row, "/act") == "release" && text(row, "/outcome") == "denied"
    };
    let of_patient = || array(&patient.get("/api/me/history"), "/items").iter().filter(denied).count();
    let bureau = Person::signed_in(&stage.region.facts().registry.url, &cast::bureau().login);
    let of_region = || {
        let volume =
            bureau.get("/api/volume?group=organisation,counterpart,act,outcome&act=release&outcome=denied");
        let rows = array(&volume, "/rows").iter().filter(|row| text(row, "/organisation") == holder);
        let of_c = rows.filter(|row| text(row, "/counterpart") == "qzdx");
        of_c.filter_map(|row| row.pointer("/events").and_then(Value::as_u64)).sum::<u64>()
    };
    assert_eq!(of_patient(), 0, "nothing of this patient was refused before");
    // What of the walk-in's was on its way when the consent ended was.
    let before = of_region();

    let doctor = stage.doctor(letter, Role::Referred);
    let path = a_referral_is_written(stage, &doctor);
    doctor.post(&format!("{path}/act"), &json!({ "act": "send" }));
    until("the holder's refusals", || (of_patient() > 0 && of_region() > before).then_some(()));
    let at_c = stage.person('C', "referral").get(&path);
    let arrived = array(&at_c, "/documents").iter().filter(|row| text(row, "/state") == "held").count();
    assert_eq!(arrived, 0, "the form has arrived, and no document: {at_c}");
}

fn everybody_sees_what_happened(stage: &Stage) {
    let desk = stage.person('A', "desk");
    let subject = desk.find(&stage.resident_id(Role::Referred));
    let history = desk.get(&format!("/api/patients/{subject}/history"));
    let acts: Vec<_> = array(&history, "/items").iter().map(|row| text(row, "/act").to_owned()).collect();
    for act in
        ["consent", "referral-step", "release", "delivery", "opening", "revocation", "erasure", "retention"]
    {
        assert!(acts.iter().any(|known| known == act), "{act} is missing in {acts:?}");
    }
    let bureau = Person::signed_in(&stage.region.facts().registry.url, &cast::bureau().login);
    let volume = bureau.get("/api/volume");
    let acts: Vec<_> = array(&volume, "/rows").iter().map(|row| text(row, "/act").to_owned()).collect();
    for act in ["publication", "search", "release", "delivery", "opening", "revocation"] {
        assert!(acts.iter().any(|known| known == act), "{act} is missing in {acts:?}");
    }
}

/// As README.md tells its administrator to type; then its systems speak, and what they say is published.
fn a_fourth_hospital_joins(stage: &Stage) {
    let facts = stage.region.facts();
    let ports = Ports::of(facts);
    let _fourth = stage.ground.starts(&ports.put_in(&block("yiqiao-node join")));
    let child = stage.town.feeds().filter(|feed| feed.patient == Role::Child.index());
    let by_mllp = |feed: &Feed| matches!(feed.system, System::His | System::Lis);
    let mut said = child.filter(|feed| feed.hospital.letter == 'D' && by_mllp(feed)).peekable();
    assert!(said.peek().is_some(), "the child was at the fourth hospital");
    let mut door = until("the fourth hospital's door", || {
        Mllp::connect(&format!("127.0.0.1:{}", ports.here(8204))).ok()
    });
    for feed in said {
        assert_eq!(ack_code(&door.send(&feed.bytes).unwrap()).unwrap(), "AA");
    }
    let bureau = Person::signed_in(&facts.registry.url, &cast::bureau().login);
    until("what the fourth hospital publishes", || {
        let volume = bureau.get("/api/volume?organisation=qzfy&act=publication");
        (!array(&volume, "/rows").is_empty()).then_some(())
    });
}
