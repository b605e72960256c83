//! Documents of other holders at the node that asked for them: taken in, opened, erased, retained.

use yiqiao_intake::patient::{IdKind, Identifier};
use yiqiao_node_core::audit::{self, Act as Audited};
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::desk::{Exception, NewPermit};
use yiqiao_node_core::machine::{Effect, Input, Outcome, Refused};
use yiqiao_node_core::open::Denial;
use yiqiao_node_core::receive::Want;
use yiqiao_node_core::sight::NoSight;
use yiqiao_node_core::state::Table;
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, PersonRole, Purpose, ReferralAct, RefusalCode, Stance, WithdrawalReason,
};
use yiqiao_proto::directive::{Act, Directive, exception_id};
use yiqiao_proto::envelope::{Kind, Word};
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::Subject;
use yiqiao_proto::time::Millis;

use crate::region::code;
use crate::rig::{Msg, Says};
use crate::story::permit;
use crate::trio::{Trio, staff, visit_event, wang, zhao};

fn want(trio: &Trio) -> Want {
    want_of(trio.subject("clinic"), trio.listed())
}

/// Zhao wants these documents of a patient.
pub(crate) fn want_of(subject: Subject, documents: Vec<ListedDocument>) -> Want {
    Want {
        actor: zhao(),
        subject: Some(subject),
        referral: None,
        documents,
        purpose: Purpose::Treatment,
        treating: true,
    }
}

pub(crate) fn walk_in(trio: &mut Trio) {
    let want = want(trio);
    assert_eq!(trio.act("clinic", &Input::Want(Box::new(want))), Ok(Outcome::Done));
    trio.live(5_000);
}

#[test]
fn c16_what_a_permit_leaves_out_is_not_let_go_and_is_said_before_it() {
    let mut trio = Trio::with_patient();
    let entries = std::collections::BTreeSet::from([trio.listed()[0].entry_id]);
    let whole = permit(trio.now);
    let what = yiqiao_proto::directive::What { entries, ..whole.what.clone() };
    let exception = left_out(&whole, what);
    trio.permit_as(NewPermit { exceptions: vec![exception], ..whole });
    let said: Vec<Directive> =
        trio.registry.log().filter(|word| word.kind() == Kind::Directive).map(|word| said(&word)).collect();
    let [forbid, permit] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((forbid.stance, permit.stance), (Stance::Forbid, Stance::Permit));
    assert_eq!(forbid.id, exception_id(&permit.id, 0));
    assert_eq!((&forbid.grantee, &forbid.notice), (&permit.grantee, &permit.notice));
    walk_in(&mut trio);
    assert_eq!(trio.stages(), [Stage::Refused, Stage::Held]);
}

/// What a permit leaves out, by these limits of data.
pub(crate) fn left_out(whole: &NewPermit, what: yiqiao_proto::directive::What) -> Exception {
    Exception {
        grantee: whole.grantee.clone(),
        custodian: None,
        what,
        purposes: whole.purposes.clone(),
        valid_from: None,
        valid_until: whole.valid_until,
    }
}

fn said(word: &yiqiao_proto::envelope::Envelope) -> Directive {
    Act::<Directive>::decode(word.payload()).expect("a directive").said
}

#[test]
fn c16_a_permit_leaves_out_a_bounded_number_of_things() {
    let mut trio = Trio::with_patient();
    let whole = permit(trio.now);
    let what = yiqiao_proto::directive::What { service_from: Some(trio.now), ..whole.what.clone() };
    let exception = left_out(&whole, what);
    let exceptions = vec![exception; yiqiao_proto::limits::EXCEPTIONS_MAX + 1];
    let statement = crate::trio::statement_of(trio.subject("hospital"));
    let said = Input::Permit(Box::new((statement, NewPermit { exceptions, ..whole })));
    assert!(matches!(trio.act("hospital", &said), Err(Refused::Act(_))));
}

#[test]
fn p7_a2_a_walk_in_patients_documents_come_by_permit_and_open_while_the_holder_is_gone() {
    let mut trio = Trio::with_patient();
    trio.permit();
    walk_in(&mut trio);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    assert_eq!(trio.vault.len(), 2);
    trio.gone.insert("hospital");
    let Outcome::Opened(opened) = trio.open(&zhao(), 0) else { panic!("it is permitted") };
    assert_eq!((opened.subject, opened.title.expose().as_str()), (trio.subject("clinic"), "血常规"));
    assert_eq!(trio.stages()[0], Stage::Opened);
    trio.live(3_000);
    // P-7, A-2: the delivery and its event name the release that the holder logged.
    let deliveries = trio.registry.log().filter(|word| word.kind() == Kind::Delivery).count();
    assert_eq!(deliveries, 2);
    let delivered = trio.events("clinic", AccessAct::Delivery);
    let released = trio.events("hospital", AccessAct::Release);
    let named = |events: &[yiqiao_proto::access::AccessEvent]| {
        events.iter().map(|event| event.release).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(named(&delivered), named(&released));
    assert_eq!(trio.events("clinic", AccessAct::Opening).len(), 1);
}

#[test]
fn a_place_in_a_queue_is_gone_once_what_stood_there_is_done() {
    let mut trio = Trio::with_patient();
    let permit = trio.permit();
    walk_in(&mut trio);
    trio.revoke(permit);
    trio.live(5_000);
    assert_eq!(trio.stages(), [Stage::Erased, Stage::Erased]);
    for name in ["hospital", "clinic"] {
        let tables = [Table::Queue, Table::WordPlace, Table::Errand].map(|table| table as u8);
        let places = trio.node(name).index().keys().filter(|key| tables.contains(&key[0])).count();
        assert_eq!(places, 0, "{name}");
        assert!(
            trio.node(name).index().keys().any(|key| key[0] == Table::Word as u8),
            "{name} said something"
        );
    }
}

#[test]
fn what_the_holder_refuses_is_shown_with_its_reason_and_may_be_wanted_again() {
    let mut trio = Trio::with_patient();
    walk_in(&mut trio);
    let copies = trio.copies();
    assert!(copies.iter().all(|copy| copy.stage == Stage::Refused));
    assert_eq!((copies[0].refusal, copies[0].clause.as_str()), (Some(RefusalCode::Nothing), "P-4"));
    assert_eq!(trio.open(&zhao(), 0), Outcome::Denied(Denial::NotHere));
    trio.permit();
    walk_in(&mut trio);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
}

#[test]
fn c6_after_a_revocation_an_unopened_copy_is_erased_and_an_opened_one_stays_as_part_of_the_record() {
    let mut trio = Trio::with_patient();
    let directive = trio.permit();
    walk_in(&mut trio);
    trio.open(&zhao(), 0);
    trio.revoke(directive);
    assert_eq!(trio.stages(), [Stage::Retained, Stage::Erased]);
    assert_eq!(trio.vault.len(), 1, "the file of the erased one is gone");
    let kept = trio.listed()[1].document;
    let now = trio.now;
    assert!(!trio.nodes["clinic"].ask(|_, view| yiqiao_node_core::ask::is_in_use(&kept, now, view)));
    trio.live(3_000);
    assert_eq!(trio.events("clinic", AccessAct::Erasure).len(), 1);
    assert_eq!(trio.events("clinic", AccessAct::Retention).len(), 1);
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)), "part of the clinic's own record");
    assert_eq!(trio.open(&zhao(), 1), Outcome::Denied(Denial::NotHere));
    let documents = trio.listed();
    let refs = trio.nodes["clinic"].index().values();
    let key = |bytes: &Vec<u8>| bytes.windows(32).any(|part| part == documents[1].document.as_bytes());
    assert!(refs.filter(|bytes| key(bytes)).count() >= 1, "what it was stays known");
}

#[test]
fn f5_a_token_that_only_the_recipient_knows_does_not_keep_a_copy_shut() {
    let mut trio = Trio::with_patient();
    let mut event = visit_event("c", 1, "zhao", "general");
    event.patient.identify(Identifier::new(IdKind::HealthCard, "A12345678", "NHC"));
    trio.node("clinic").try_receive(&Msg::new("9", Says::Events(vec![event]))).unwrap();
    trio.permit();
    walk_in(&mut trio);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
}

#[test]
fn f5_a_copy_released_on_a_newer_head_than_its_recipient_knows_waits_for_that_head() {
    let mut trio = Trio::with_patient();
    let directive = trio.permit();
    walk_in(&mut trio);
    trio.revoke(directive);
    assert_eq!(trio.stages(), [Stage::Erased, Stage::Erased]);
    trio.deaf.insert("clinic");
    trio.permit();
    walk_in(&mut trio);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held], "what the head before says is over");
    assert_eq!(trio.open(&zhao(), 0), Outcome::Denied(Denial::Consent("F-5")));
    trio.deaf.clear();
    trio.live(20_000);
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
}

#[test]
fn a_permission_that_ends_in_time_ends_the_copies() {
    let mut trio = Trio::with_patient();
    let until = trio.now + Millis::from_secs(60);
    let short = NewPermit { valid_until: Some(until), ..permit(trio.now) };
    trio.permit_as(short);
    walk_in(&mut trio);
    trio.open(&zhao(), 0);
    assert_eq!(trio.stages(), [Stage::Opened, Stage::Held]);
    trio.live(70_000);
    assert_eq!(trio.stages(), [Stage::Retained, Stage::Erased]);
}

#[test]
fn f7_without_a_lease_nothing_opens_and_nothing_is_erased() {
    let mut trio = Trio::with_patient();
    trio.permit();
    walk_in(&mut trio);
    let late = trio.now + Millis::from_secs(31);
    trio.node("clinic").now = late;
    trio.now = late;
    assert_eq!(trio.open(&zhao(), 0), Outcome::Denied(Denial::Consent("F-7")));
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    trio.live(3_000);
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
    trio.live(3_000);
    let outcomes: Vec<_> =
        trio.events("clinic", AccessAct::Opening).iter().map(|event| event.outcome).collect();
    assert_eq!(outcomes, [AccessOutcome::Denied, AccessOutcome::Permitted]);
}

#[test]
fn i4_a_referrals_copies_open_for_nobody_before_the_patient_is_filed() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let id = trio.refer();
    trio.live(5_000);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    trio.step("clinic", &zhao(), id, ReferralAct::Accept).unwrap();
    assert_eq!(trio.open(&zhao(), 0), Outcome::Denied(Denial::NotFiled));
    trio.file(id, false).unwrap();
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
}

#[test]
fn a_referrals_copies_are_erased_after_a_revocation_though_nobody_filed_the_patient() {
    let mut trio = Trio::with_patient();
    let directive = trio.permit();
    trio.refer();
    trio.live(5_000);
    trio.revoke(directive);
    assert_eq!(trio.stages(), [Stage::Erased, Stage::Erased]);
}

#[test]
fn i4_copies_of_a_referral_that_is_over_open_through_the_next_one_once_that_is_filed() {
    let mut trio = Trio::with_patient();
    let first = trio.refer();
    trio.live(5_000);
    assert_eq!(trio.stages(), [Stage::Refused, Stage::Refused], "nothing is permitted yet");
    trio.step("hospital", &wang(), first, ReferralAct::Cancel).unwrap();
    trio.live(2_000);
    let second = trio.refer();
    trio.permit();
    trio.live(5_000);
    trio.step("hospital", &wang(), second, ReferralAct::Cancel).unwrap();
    let third = trio.refer();
    trio.live(5_000);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    assert_eq!(trio.open(&zhao(), 0), Outcome::Denied(Denial::NotFiled));
    trio.step("clinic", &zhao(), third, ReferralAct::Accept).unwrap();
    assert_eq!(trio.file(third, false), Ok(Outcome::Done));
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
    let (subject, hospital) = (trio.subject("clinic"), code("hospital"));
    let of =
        |id| trio.nodes["clinic"].ask(move |core, view| core.copies_of_referral(&hospital, &id, 0, view));
    assert_eq!(of(third).len(), 2);
    let of_patient = trio.nodes["clinic"].ask(|core, view| core.copies_of(&subject, 0, view));
    assert_eq!(of_patient.len(), 2);
    trio.live(3_000);
    assert_eq!(trio.events("clinic", AccessAct::Opening)[0].referral, Some(third), "said of the live one");
}

#[test]
fn i4_copies_of_a_referral_that_is_over_open_for_a_patient_who_walks_in() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let first = trio.refer();
    trio.live(5_000);
    trio.step("hospital", &wang(), first, ReferralAct::Cancel).unwrap();
    trio.live(2_000);
    assert_eq!(trio.open(&zhao(), 0), Outcome::Denied(Denial::NotFiled));
    walk_in(&mut trio);
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
    assert_eq!(trio.vault.len(), 2, "nothing was fetched twice");
}

#[test]
fn what_a_referral_lists_is_fetched_when_the_patient_consents_after_it_was_sent() {
    let mut trio = Trio::with_patient();
    trio.refer();
    trio.live(5_000);
    assert_eq!(trio.stages(), [Stage::Refused, Stage::Refused]);
    trio.permit();
    trio.live(5_000);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
}

#[test]
fn what_a_referral_listed_is_not_fetched_when_it_is_over_or_nobody_refers() {
    let mut trio = Trio::with_patient();
    let id = trio.refer();
    trio.live(5_000);
    trio.step("hospital", &wang(), id, ReferralAct::Cancel).unwrap();
    trio.live(2_000);
    trio.permit();
    trio.live(5_000);
    assert_eq!(trio.stages(), [Stage::Refused, Stage::Refused]);
    let mut trio = Trio::with_patient();
    walk_in(&mut trio);
    trio.permit();
    trio.live(5_000);
    assert_eq!(trio.stages(), [Stage::Refused, Stage::Refused], "somebody asks again");
}

#[test]
fn n7_a_withdrawn_documents_copy_opens_for_nobody() {
    let mut trio = Trio::with_patient();
    trio.permit();
    walk_in(&mut trio);
    trio.open(&zhao(), 0);
    for listed in trio.listed() {
        let reason = WithdrawalReason::WrongPatient;
        trio.act("hospital", &Input::Withdraw { entry: listed.entry_id, reason }).unwrap();
    }
    trio.live(5_000);
    let copies = trio.copies();
    assert!(copies.iter().all(|copy| copy.withdrawn));
    assert_eq!(trio.stages(), [Stage::Retained, Stage::Erased]);
    for at in [0, 1] {
        assert_eq!(trio.open(&zhao(), at), Outcome::Denied(Denial::Withdrawn));
    }
}

#[test]
fn who_does_not_see_the_patient_neither_asks_nor_opens() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let stranger = staff("li", PersonRole::Physician, &["surgery"]);
    let foreign = Want { actor: stranger.clone(), ..want(&trio) };
    assert_eq!(trio.act("clinic", &Input::Want(Box::new(foreign))), Err(Refused::NotSeen));
    walk_in(&mut trio);
    let denied = Outcome::Denied(Denial::Sight(NoSight::BreakTheGlass));
    assert_eq!(trio.open(&stranger, 0), denied);
    let desk = staff("d1", PersonRole::Desk, &[]);
    assert_eq!(trio.open(&desk, 0), Outcome::Denied(Denial::Sight(NoSight::Role)));
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    let lines = trio.nodes["clinic"]
        .ask(|machine, view| machine.audit_lines(&audit::Of::Login("li".to_owned()), None, view));
    let last = &lines.first().unwrap().1;
    assert_eq!((last.act, last.outcome), (Audited::Open, AccessOutcome::Denied));
}

#[test]
fn p2_a_release_of_something_else_is_not_taken() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let want = want(&trio);
    trio.act("clinic", &Input::Tokens(trio.subject("clinic"))).unwrap();
    trio.node("clinic").handle(&Input::Want(Box::new(want))).unwrap().unwrap();
    let mut asked = trio.node("clinic").all_due().unwrap();
    asked.retain(|effect| matches!(effect, Effect::AskRelease { .. }));
    let [first, second] = asked.as_slice() else { panic!("{asked:?}") };
    let (one, two) = (trio.released("clinic", first), trio.released("clinic", second));
    let (Input::ReleaseCame { ticket, .. }, Input::ReleaseCame { release, wrapped_key, header, .. }) =
        (one, two)
    else {
        panic!("both are let go")
    };
    let crossed = Input::ReleaseCame { ticket, release, wrapped_key, header };
    trio.node("clinic").handle(&crossed).unwrap().unwrap();
    let refused: Vec<_> = trio.copies().into_iter().filter(|copy| copy.stage == Stage::Refused).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].refusal, Some(RefusalCode::Malformed));
}

#[test]
fn p8_a_header_of_another_length_or_key_is_not_taken() {
    let mut trio = Trio::with_patient();
    trio.permit();
    let want = want(&trio);
    trio.act("clinic", &Input::Tokens(trio.subject("clinic"))).unwrap();
    trio.node("clinic").handle(&Input::Want(Box::new(want))).unwrap().unwrap();
    let mut asked = trio.node("clinic").all_due().unwrap();
    asked.retain(|effect| matches!(effect, Effect::AskRelease { .. }));
    for (at, effect) in asked.iter().enumerate() {
        let Input::ReleaseCame { ticket, release, wrapped_key, mut header } = trio.released("clinic", effect)
        else {
            panic!("it is let go")
        };
        if at == 0 {
            header.length += 1;
        } else {
            header.commitment[0] ^= 1;
        }
        let bent = Input::ReleaseCame { ticket, release, wrapped_key, header };
        trio.node("clinic").handle(&bent).unwrap().unwrap();
    }
    assert_eq!(trio.stages(), [Stage::Refused, Stage::Refused]);
}

#[test]
fn a_dead_holder_is_asked_again_and_again_and_the_same_request_gets_the_release() {
    let mut trio = Trio::with_patient();
    trio.permit();
    trio.gone.insert("hospital");
    walk_in(&mut trio);
    trio.live(60_000);
    assert_eq!(trio.stages(), [Stage::Wanted, Stage::Wanted]);
    trio.gone.clear();
    trio.lost = 2;
    trio.live(600_000);
    assert_eq!(trio.stages(), [Stage::Held, Stage::Held]);
    let releases = trio.registry.log().filter(|word| word.kind() == Kind::Release).count();
    assert_eq!(releases, 2, "a lost answer makes no second release");
}

#[test]
fn m10_where_the_region_lets_it_a_copy_opens_without_a_lease_unless_something_told_denies_it() {
    let mut list = crate::region::list(1_000);
    list.policy.open_without_lease = true;
    let mut trio = Trio::of(&list);
    trio.fill();
    let directive = trio.permit();
    walk_in(&mut trio);
    let late = trio.now + Millis::from_secs(31);
    trio.node("clinic").now = late;
    trio.node("hospital").now = late;
    trio.now = late;
    assert!(matches!(trio.open(&zhao(), 0), Outcome::Opened(_)));
    // F-9: the hospital tells the revocation directly; the feed has not been read yet.
    let told = trio.revocation(directive);
    trio.act("hospital", &told).unwrap();
    assert_eq!(trio.open(&zhao(), 1), Outcome::Denied(Denial::Consent("D-7")));
}
