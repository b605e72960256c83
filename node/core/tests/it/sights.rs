//! Who sees whom inside a hospital, and what the audit keeps of it.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests")]

use yiqiao_intake::facts::{Trigger, Visit, VisitClass};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::audit::{Anchors, Of};
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::remark::{Remark, Remarks};
use yiqiao_node_core::sight::{Ground, NoSight};
use yiqiao_proto::codes::{PersonRole, ReferralAct};
use yiqiao_proto::id::{Digest, ReferralId, Subject};

use crate::region::code;
use crate::rig::{Msg, Says};
use crate::trio::{Trio, office, staff, visit, wang, zhao};

fn sees(trio: &Trio, name: &str, actor: &Actor, subject: Subject) -> Result<Ground, NoSight> {
    trio.nodes[name].ask(|machine, view| machine.may_see(actor, &subject, trio.now, view))
}

#[test]
fn sight_comes_of_visits_by_role() {
    let trio = Trio::with_patient();
    let patient = trio.subject("hospital");
    let of = |login, role, departments: &[&str]| staff(login, role, departments);
    let table = [
        (wang(), Ok(Ground::Attending)),
        (of("li", PersonRole::Physician, &["cardiology"]), Err(NoSight::BreakTheGlass)),
        (of("head", PersonRole::DepartmentHead, &["cardiology"]), Ok(Ground::Department)),
        (of("head", PersonRole::DepartmentHead, &["surgery"]), Err(NoSight::BreakTheGlass)),
        (of("nurse", PersonRole::Nurse, &["cardiology"]), Ok(Ground::Department)),
        (of("wang", PersonRole::Nurse, &["surgery"]), Err(NoSight::BreakTheGlass)),
        (office(), Err(NoSight::BreakTheGlass)),
        (of("d1", PersonRole::Desk, &[]), Ok(Ground::Desk)),
        (of("m1", PersonRole::MedicalAffairs, &[]), Ok(Ground::Affairs)),
        (of("p1", PersonRole::Pharmacist, &["cardiology"]), Err(NoSight::Role)),
        (of("t1", PersonRole::Technician, &["cardiology"]), Err(NoSight::Role)),
        (Actor::System(code("his")), Ok(Ground::System)),
        (Actor::Node, Err(NoSight::Role)),
        (Actor::Patient { account: "p".to_owned(), subject: patient, guardian: false }, Ok(Ground::Own)),
    ];
    for (actor, expected) in table {
        assert_eq!(sees(&trio, "hospital", &actor, patient), expected, "{actor:?}");
    }
    let other = Subject::new([9; 32]).unwrap();
    let account = Actor::Patient { account: "q".to_owned(), subject: other, guardian: false };
    assert_eq!(sees(&trio, "hospital", &account, patient), Err(NoSight::NotOwn));
}

#[test]
fn sight_comes_of_referrals_on_both_sides() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(3_000);
    assert_eq!(sees(&trio, "hospital", &office(), trio.subject("hospital")), Ok(Ground::Office));
    let subject = trio.subject("clinic");
    let colleague = staff("sun", PersonRole::Physician, &["general"]);
    let given = staff("zhou", PersonRole::Physician, &["surgery"]);
    let head = staff("head", PersonRole::DepartmentHead, &["general"]);
    assert_eq!(sees(&trio, "clinic", &colleague, subject), Err(NoSight::BreakTheGlass));
    trio.file(id, false).unwrap();
    assert_eq!(sees(&trio, "clinic", &office(), subject), Ok(Ground::Office));
    assert_eq!(sees(&trio, "clinic", &head, subject), Ok(Ground::Department));
    assert_eq!(sees(&trio, "clinic", &colleague, subject), Err(NoSight::BreakTheGlass), "not accepted yet");
    trio.step("clinic", &zhao(), id, ReferralAct::Accept).unwrap();
    assert_eq!(sees(&trio, "clinic", &colleague, subject), Ok(Ground::Accepted));
    assert_eq!(sees(&trio, "clinic", &given, subject), Err(NoSight::BreakTheGlass));
    let login = "zhou".to_owned();
    trio.act("clinic", &assign(id, login)).unwrap();
    assert_eq!(sees(&trio, "clinic", &given, subject), Ok(Ground::Referral));
    let other = staff("qian", PersonRole::Physician, &["surgery"]);
    let seen = sees(&trio, "clinic", &other, subject);
    assert_eq!(seen, Err(NoSight::BreakTheGlass), "the form's own department stands");
}

/// The office gives a referral to somebody of the surgery.
fn assign(id: ReferralId, login: String) -> Input {
    Input::Assign {
        actor: office(),
        referring: code("hospital"),
        id,
        login,
        department: Some(code("surgery")),
    }
}

#[test]
fn a_referral_to_no_department_becomes_that_of_the_doctor_to_whom_it_is_given() {
    let mut trio = Trio::with_patient();
    let mut form = trio.form();
    form.route.to_department = None;
    let id = trio.draft_of(form);
    trio.act("hospital", &Input::Send { actor: wang(), id }).unwrap();
    trio.live(3_000);
    let subject = trio.subject("clinic");
    let given = staff("zhou", PersonRole::Physician, &["surgery"]);
    let colleague = staff("qian", PersonRole::Physician, &["surgery"]);
    trio.act("clinic", &assign(id, "zhou".to_owned())).unwrap();
    trio.step("clinic", &colleague, id, ReferralAct::Accept).unwrap();
    trio.file(id, false).unwrap();
    assert!(sees(&trio, "clinic", &given, subject).is_ok());
    assert_eq!(sees(&trio, "clinic", &colleague, subject), Ok(Ground::Accepted));
    let elsewhere = staff("sun", PersonRole::Physician, &["general"]);
    assert_eq!(sees(&trio, "clinic", &elsewhere, subject), Err(NoSight::BreakTheGlass));
}

#[test]
fn the_list_that_a_doctor_sees_first_follows_the_visits() {
    let mut trio = Trio::with_patient();
    let numbers = |trio: &Trio, actor: &Actor, circle| {
        let found = trio.nodes["hospital"]
            .ask(|machine, view| machine.patients_of(actor, circle, None, view))
            .unwrap();
        found.into_iter().map(|(_, subject)| subject).collect::<Vec<_>>()
    };
    let node = trio.node("hospital");
    node.receive(&visit("20", "q", 2, "wang", "cardiology"));
    let (p, q) = (trio.subject("hospital"), trio.nodes["hospital"].patient("q").unwrap().subject);
    assert_eq!(numbers(&trio, &wang(), 0), [q, p], "the newest first");
    // The same visit goes to another doctor.
    let mut moved = crate::trio::visit_event("q", 2, "li", "surgery");
    if let Some(visit) = &mut moved.visit {
        visit.number = Some(yiqiao_proto::phi::Phi::new("v-q-wang".to_owned()));
    }
    trio.node("hospital").receive(&Msg::new("21", Says::Events(vec![moved])));
    assert_eq!(numbers(&trio, &wang(), 0), [p]);
    assert_eq!(sees(&trio, "hospital", &wang(), q), Err(NoSight::BreakTheGlass));
    let li = staff("li", PersonRole::Physician, &["surgery"]);
    assert_eq!(numbers(&trio, &li, 0), [q]);
    let none = trio.nodes["hospital"].ask(|machine, view| machine.patients_of(&li, 9, None, view));
    assert!(none.is_none());
}

#[test]
fn a_visit_without_a_number_is_known_by_what_is_said_of_it() {
    let mut trio = Trio::with_patient();
    let doctor = |login: &str| staff(login, PersonRole::Physician, &[]);
    let say = |trio: &mut Trio, control: &str, trigger: Trigger, change: fn(&mut Visit)| {
        let mut event = crate::trio::visit_event("q", 2, "li", "surgery");
        let visit = event.visit.as_mut().unwrap();
        (visit.number, visit.admitted, visit.class) = (None, None, Some(VisitClass::Outpatient));
        change(visit);
        event.trigger = trigger;
        trio.node("hospital").receive(&Msg::new(control, Says::Events(vec![event]))).remarks
    };
    let who_sees = |trio: &Trio| {
        let q = trio.nodes["hospital"].patient("q").unwrap().subject;
        ["li", "sun", "wang"].map(|login| sees(trio, "hospital", &doctor(login), q).is_ok())
    };
    let unnumbered = Remarks::from([Remark::VisitUnnumbered]);
    assert_eq!(say(&mut trio, "20", Trigger::Registered, |_| {}), unnumbered);
    assert_eq!(say(&mut trio, "21", Trigger::Updated, |_| {}), unnumbered);
    assert_eq!(say(&mut trio, "22", Trigger::Registered, to_sun), unnumbered);
    assert_eq!(trio.nodes["hospital"].patient("q").unwrap().data.expose().visits.len(), 2);
    assert_eq!(who_sees(&trio), [true, true, false], "two clinics on one day");
    assert_eq!(say(&mut trio, "23", Trigger::VisitCancelled, to_sun), unnumbered);
    assert_eq!(who_sees(&trio), [true, false, false]);
    let nothing = Remarks::from([Remark::VisitUnnumbered, Remark::CancelsNothing]);
    assert_eq!(say(&mut trio, "24", Trigger::VisitCancelled, to_sun), nothing);
    // A stay goes on under its beginning, whatever ward it is in.
    say(&mut trio, "25", Trigger::Admitted, |visit| stay(visit, "sun"));
    say(&mut trio, "26", Trigger::Transferred, |visit| stay(visit, "wang"));
    assert_eq!(who_sees(&trio), [true, false, true]);
    // A field of nothing is no visit.
    assert_eq!(say(&mut trio, "27", Trigger::Updated, |visit| *visit = Visit::default()), Remarks::new());
}

fn to_sun(visit: &mut Visit) {
    visit.attending.as_mut().unwrap().code = "sun".to_owned();
}

fn stay(visit: &mut Visit, attending: &str) {
    visit.class = Some(VisitClass::Inpatient);
    visit.admitted = Some(crate::rig::when(0));
    visit.department = Some(format!("ward of {attending}"));
    visit.attending.as_mut().unwrap().code = attending.to_owned();
}

#[test]
fn a_merged_patient_is_seen_through_either_number() {
    let mut trio = Trio::with_patient();
    let node = trio.node("hospital");
    node.receive(&visit("30", "s", 1, "sun", "surgery"));
    let retired = node.patient("s").unwrap().subject;
    node.receive(&crate::rig::merge("31", crate::rig::patient("p", Some(1)), "s"));
    let sun = staff("sun", PersonRole::Physician, &["surgery"]);
    for subject in [retired, trio.subject("hospital")] {
        assert!(sees(&trio, "hospital", &sun, subject).is_ok());
        assert!(sees(&trio, "hospital", &wang(), subject).is_ok());
    }
}

#[test]
fn two_whose_merge_is_in_doubt_are_seen_each_by_their_own() {
    let mut trio = Trio::with_patient();
    let node = trio.node("hospital");
    node.receive(&visit("30", "s", 3, "sun", "surgery"));
    let retired = node.patient("s").unwrap().subject;
    node.receive(&crate::rig::merge("31", crate::rig::patient("p", Some(1)), "s"));
    let survivor = trio.subject("hospital");
    let sun = staff("sun", PersonRole::Physician, &["surgery"]);
    let seen = [(&sun, retired), (&sun, survivor), (&wang(), retired), (&wang(), survivor)];
    let seen = seen.map(|(who, subject)| sees(&trio, "hospital", who, subject).is_ok());
    assert_eq!(seen, [true, false, false, true]);
}

#[test]
fn a3_lines_are_chained_found_by_patient_and_login_and_stand_behind_events() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(5_000);
    let subject = trio.subject("hospital");
    let lines = |trio: &Trio, of: Of| {
        trio.nodes["hospital"].ask(|machine, view| machine.audit_lines(&of, None, view))
    };
    let of_wang = lines(&trio, Of::Login("wang".to_owned()));
    assert_eq!(of_wang.len(), 2);
    let of_patient = lines(&trio, Of::Subject(subject));
    assert!(of_patient.len() >= 2 && of_patient.is_sorted_by(|newer, older| newer.0 > older.0));
    let older = trio.nodes["hospital"]
        .ask(|machine, view| machine.audit_lines(&Of::Subject(subject), Some(of_patient[0].0), view));
    assert_eq!(older, of_patient[1..]);
    let all = lines(&trio, Of::All);
    let older =
        trio.nodes["hospital"].ask(|machine, view| machine.audit_lines(&Of::All, Some(all[0].0), view));
    assert_eq!(older, all[1..]);
    let said = trio.events("hospital", yiqiao_proto::codes::AccessAct::ReferralStep);
    let step = &of_wang[0].1;
    assert_eq!(said[0].audit_line, Some(step.commitment));
    assert_eq!((step.name.expose().as_str(), step.referral), ("某某", Some(id)));
    assert!(!format!("{step:?}").contains("某某"));
    let walked = trio.nodes["hospital"]
        .ask(|machine, view| machine.verify_audit(Vec::new(), 0, &Anchors::new(), view));
    let (hash, to) = walked.unwrap();
    assert_eq!((hash.len(), to), (32, lines(&trio, Of::All).len() as u64));
    let other = Digest::new([1; 32]).unwrap().as_bytes().to_vec();
    let broken = trio.nodes["hospital"]
        .ask(|machine, view| machine.verify_audit(other.clone(), 0, &Anchors::new(), view));
    assert!(broken.is_err());
}

#[test]
fn nothing_of_a_referral_stands_in_the_journal_in_clear() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let id = trio.refer();
    trio.live(5_000);
    trio.step("clinic", &zhao(), id, ReferralAct::Accept).unwrap();
    trio.file(id, false).unwrap();
    let secrets = ["康复", "冠心病", "患者p", "王医生", "某某", "血常规", "好转", "I25.1", "999999199001"];
    for node in trio.nodes.values() {
        for bytes in node.journal.iter().chain(node.index().keys()).chain(node.index().values()) {
            for secret in secrets {
                let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!found, "{secret}");
            }
        }
    }
}
