//! Passkeys that a desk of this hospital vouches for, and what patients sign with them (C-8, C-9, C-14, C-15).

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::desk::{NewRevocation, Statement, Wish};
use yiqiao_node_core::inform::{self, News};
use yiqiao_node_core::limits::PASSKEYS_MAX;
use yiqiao_node_core::machine::{Input, Outcome, Refused};
use yiqiao_node_core::passkey::{Prepared, Signed, Stage, Vouching};
use yiqiao_proto::codes::{CredentialState, KeyUse, PersonRole, ProofKind, RevocationReason};
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::envelope::{Kind, Word};
use yiqiao_proto::id::{Digest, DirectiveId};
use yiqiao_proto::member::{KeyState, MemberList, SigningKey};
use yiqiao_proto::passkey::{Enrolled, PasskeyError, RelyingParty};
use yiqiao_proto::proof::{CredentialStatement, PasskeyAssertion};
use yiqiao_simnet::passkey::Passkey;

use crate::region::{HOSPITAL, code, key, list, signed, token_secret};
use crate::rig::{merge, patient, report};
use crate::story::{Story, desk, forbid, permit};

const RP_ID: &str = "demo.example";
const ORIGIN: &str = "https://demo.example";

pub(crate) fn passkey(seed: u8) -> Passkey {
    Passkey::new([seed; 32], RP_ID, ORIGIN)
}

fn with_passkeys() -> MemberList {
    let mut list = list(100);
    list.policy.rp_id = Some(RP_ID.to_owned());
    list.policy.origins = vec![ORIGIN.to_owned()];
    list
}

/// A region with passkeys, and one document of patient `p` in its index.
pub(crate) fn region() -> Story {
    let mut story = Story::of(&with_passkeys());
    story.node.receive(&report("1", patient("p", Some(1)), "r1"));
    story.live(3_000);
    story
}

pub(crate) fn vouching(story: &Story, passkey: &Passkey) -> Vouching {
    let policy = &story.registry.directory.list().policy;
    let challenge = Digest::new([7; 32]).unwrap();
    let (client_data, authenticator_data) = passkey.create(&challenge);
    let party = RelyingParty::of(policy).unwrap();
    let passkey = party.enrolled(&client_data, &authenticator_data, &challenge).unwrap();
    Vouching {
        actor: desk(),
        subject: story.subject(),
        passkey,
        guardian: false,
        until: None,
        evidence: b"identity card".to_vec(),
    }
}

pub(crate) fn vouch(story: &mut Story, passkey: &Passkey) -> Outcome {
    let vouching = vouching(story, passkey);
    let outcome = story.act(&Input::Vouch(Box::new(vouching)));
    story.live(1_000);
    outcome
}

/// The same where the patient has enrolled this passkey.
pub(crate) fn enrolled(passkey: &Passkey) -> Story {
    let mut story = region();
    assert!(matches!(vouch(&mut story, passkey), Outcome::Said(_)));
    assert_eq!(stages(&story), [Stage::Stands]);
    story
}

pub(crate) fn stages(story: &Story) -> Vec<Stage> {
    let subject = story.subject();
    let known = story.node.ask(|machine, view| machine.passkeys(&subject, view));
    known.into_iter().map(|passkey| passkey.stage).collect()
}

pub(crate) fn own(story: &Story) -> Statement {
    let actor = Actor::Patient { account: "p00000001".to_owned(), subject: story.subject(), guardian: false };
    Statement { actor, evidence: Vec::new(), ..story.statement() }
}

pub(crate) fn prepare(story: &mut Story, wish: &Wish) -> Prepared {
    let input = Input::Prepare(Box::new((own(story), wish.clone())));
    let mut outcome = story.act(&input);
    if matches!(outcome, Outcome::Said(_)) {
        story.live(1_000);
        outcome = story.act(&input);
    }
    let Outcome::Prepared(prepared) = outcome else { panic!("{outcome:?}") };
    *prepared
}

pub(crate) fn signed_by(story: &Story, prepared: &Prepared, assertion: PasskeyAssertion) -> Input {
    Input::Sign(Box::new(Signed { by: own(story), acts: prepared.acts.clone(), assertion }))
}

pub(crate) fn sign(story: &mut Story, passkey: &Passkey, wish: &Wish) -> Vec<u64> {
    let prepared = prepare(story, wish);
    let input = signed_by(story, &prepared, passkey.assert(&prepared.challenge));
    let outcome = story.act(&input);
    story.live(1_000);
    let Outcome::Said(numbers) = outcome else { panic!("{outcome:?}") };
    numbers
}

pub(crate) fn permits(story: &Story) -> Wish {
    Wish::Permit(permit(story.node.now))
}

fn retire(story: &mut Story, actor: Actor, passkey: &Passkey) -> Outcome {
    let (subject, credential_id) =
        (story.subject(), passkey.credential(&code("hospital"), &[]).credential_id);
    let outcome = story.act(&Input::Retire { actor, subject, credential_id });
    story.live(1_000);
    outcome
}

pub(crate) fn refused(story: &mut Story, input: &Input) -> Refused {
    let before = story.node.index().clone();
    let refused = story.node.decide(input).unwrap_err();
    assert_eq!(*story.node.index(), before, "what is refused leaves nothing");
    refused
}

pub(crate) fn statements(story: &Story) -> Vec<CredentialStatement> {
    let words = story.registry.log().filter(|word| word.kind() == Kind::CredentialStatement);
    words.map(|word| CredentialStatement::decode(word.payload()).unwrap()).collect()
}

pub(crate) fn directives(story: &Story) -> Vec<Act<Directive>> {
    let acts = story.registry.log().filter(|word| word.kind() == Kind::Directive);
    acts.map(|word| Act::decode(word.payload()).unwrap()).collect()
}

pub(crate) fn is_released(story: &mut Story) -> bool {
    let request = story.request();
    matches!(story.ask(&request), Outcome::Released { .. })
}

#[test]
fn c9_what_a_patient_signs_with_an_enrolled_passkey_lets_data_flow() {
    let mut story = enrolled(&passkey(1));
    let stated = statements(&story);
    assert_eq!((stated.len(), stated[0].number, stated[0].state), (1, 1, CredentialState::Valid));
    assert_eq!((&stated[0].voucher, &stated[0].tokens), (&code("hospital"), &vec![story.token()]));
    assert!(!is_released(&mut story));
    let wish = permits(&story);
    assert_eq!(sign(&mut story, &passkey(1), &wish).len(), 1);
    let acts = directives(&story);
    assert_eq!(acts.iter().map(|act| act.proof.kind()).collect::<Vec<_>>(), [ProofKind::Passkey]);
    assert!(is_released(&mut story));
    story.node.rebuild();
    assert_eq!(stages(&story), [Stage::Stands]);
}

#[test]
fn c8_one_signature_is_for_every_token_of_the_patient() {
    let mut two = with_passkeys();
    two.token_keys.push(token_secret(2).public());
    let mut story = Story::of(&two);
    story.node.receive(&report("1", patient("p", Some(1)), "r1"));
    story.live(3_000);
    vouch(&mut story, &passkey(1));
    let wish = permits(&story);
    assert_eq!(sign(&mut story, &passkey(1), &wish).len(), 2);
    let acts = directives(&story);
    assert_eq!(acts.len(), 2, "the registry took both");
    assert_eq!(acts[0].said.id, acts[1].said.id);
    assert!(is_released(&mut story));
    // And one takes both back.
    let directives = acts.iter().map(|act| (act.said.id, act.said.patient)).collect();
    let reason = RevocationReason::PatientWish;
    let revocation = NewRevocation { directives, reason, lifts: false };
    assert_eq!(sign(&mut story, &passkey(1), &Wish::Revoke(revocation)).len(), 2);
    assert!(!is_released(&mut story));
}

#[test]
fn c9_a_passkey_is_stated_anew_when_its_patient_has_further_tokens() {
    let mut story = enrolled(&passkey(1));
    let mut next = story.registry.directory.list().clone();
    next.version += 1;
    next.previous = Some(story.registry.directory.payload_hash());
    next.token_keys.push(token_secret(2).public());
    story.node.decide(&Input::MemberList(signed(&next))).unwrap();
    story.registry.take_list(story.node.now, &next);
    story.live(3_000);
    let wish = permits(&story);
    assert_eq!(sign(&mut story, &passkey(1), &wish).len(), 2);
    let numbers: Vec<u64> = statements(&story).iter().map(|statement| statement.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!((directives(&story).len(), stages(&story)), (2, vec![Stage::Stands]));
}

/// What the patient is to be told, until nothing is left.
fn informed(story: &mut Story) -> Vec<News> {
    let mut news = Vec::new();
    while let Some(message) = story.node.ask(|_, view| inform::next(view)) {
        assert_eq!((message.subject, &message.member), (story.subject(), &code("hospital")));
        news.push(message.news);
        // Of another number nothing is taken.
        assert_eq!(story.act(&Input::Informed(message.number + 1)), Outcome::Done);
        assert_eq!(story.node.ask(|_, view| inform::next(view)).unwrap().number, message.number);
        assert_eq!(story.act(&Input::Informed(message.number)), Outcome::Done);
    }
    news
}

#[test]
fn a_patient_is_told_of_each_passkey_that_is_enrolled_or_taken_out() {
    let mut story = enrolled(&passkey(1));
    story.node.rebuild();
    assert_eq!(informed(&mut story), [News::Enrolled]);
    retire(&mut story, desk(), &passkey(1));
    vouch(&mut story, &passkey(2));
    story.node.rebuild();
    assert_eq!(informed(&mut story), [News::Retired, News::Enrolled]);
    story.node.rebuild();
    assert_eq!(informed(&mut story), []);
}

#[test]
fn c14_what_the_patient_did_not_sign_is_not_recorded() {
    let mut story = enrolled(&passkey(1));
    let wish = permits(&story);
    let prepared = prepare(&mut story, &wish);
    assert_eq!(prepared.credentials, [statements(&story)[0].credential_id.clone()]);
    let by_other = signed_by(&story, &prepared, passkey(2).assert(&prepared.challenge));
    assert_eq!(refused(&mut story, &by_other), Refused::PasskeyUnknown);
    let elsewhere = Passkey::new([1; 32], RP_ID, "https://evil.example").assert(&prepared.challenge);
    let input = signed_by(&story, &prepared, elsewhere);
    assert_eq!(refused(&mut story, &input), Refused::Passkey(PasskeyError::Origin));
    // A signature for one thing is none for another.
    let forbid = Wish::Forbid(forbid(story.node.now));
    let other = prepare(&mut story, &forbid);
    let input = signed_by(&story, &other, passkey(1).assert(&prepared.challenge));
    assert_eq!(refused(&mut story, &input), Refused::Passkey(PasskeyError::Challenge));
    let nothing = Prepared { acts: Vec::new(), ..prepared };
    let input = signed_by(&story, &nothing, passkey(1).assert(&nothing.challenge));
    assert_eq!(refused(&mut story, &input), Refused::OtherToken);
    assert!(directives(&story).is_empty());
}

#[test]
fn c14_a_passkey_of_one_patient_signs_for_no_other() {
    let mut story = enrolled(&passkey(1));
    story.node.receive(&report("2", patient("q", Some(2)), "r2"));
    story.live(3_000);
    let theirs = story.node.patient("q").unwrap().subject;
    let other = Vouching { subject: theirs, ..vouching(&story, &passkey(2)) };
    story.act(&Input::Vouch(Box::new(other)));
    story.live(1_000);
    let wish = permits(&story);
    let prepared = prepare(&mut story, &wish);
    let input = signed_by(&story, &prepared, passkey(2).assert(&prepared.challenge));
    assert_eq!(refused(&mut story, &input), Refused::PasskeyUnknown);
    // Nor are acts of one patient signed by another who is logged in.
    let actor = Actor::Patient { account: "p00000002".to_owned(), subject: theirs, guardian: false };
    let by = Statement { actor, subject: theirs, ..own(&story) };
    let assertion = passkey(2).assert(&prepared.challenge);
    let input = Input::Sign(Box::new(Signed { by, acts: prepared.acts, assertion }));
    assert_eq!(refused(&mut story, &input), Refused::OtherToken);
}

#[test]
fn h3_what_was_signed_once_is_recorded_once() {
    let mut story = enrolled(&passkey(1));
    let wish = permits(&story);
    let prepared = prepare(&mut story, &wish);
    let input = signed_by(&story, &prepared, passkey(1).assert(&prepared.challenge));
    let first = story.act(&input);
    story.live(1_000);
    let before = story.node.index().clone();
    assert_eq!(story.act(&input), first, "the answer was lost");
    assert_eq!(*story.node.index(), before, "and nothing is said a second time");
    story.node.rebuild();
    assert_eq!(story.act(&input), first);
}

#[test]
fn c9_a_lost_passkey_is_taken_out_for_good_and_what_it_signed_stays() {
    for by_patient in [false, true] {
        let mut story = enrolled(&passkey(1));
        let wish = permits(&story);
        sign(&mut story, &passkey(1), &wish);
        let prepared = prepare(&mut story, &wish);
        let actor = if by_patient { own(&story).actor } else { desk() };
        retire(&mut story, actor.clone(), &passkey(1));
        assert_eq!(stages(&story), [Stage::Revoked]);
        assert_eq!(statements(&story).last().unwrap().state, CredentialState::Revoked);
        assert!(is_released(&mut story), "what was signed stays");
        let input = signed_by(&story, &prepared, passkey(1).assert(&prepared.challenge));
        assert_eq!(refused(&mut story, &input), Refused::PasskeyRevoked);
        let input = Input::Prepare(Box::new((own(&story), wish)));
        assert_eq!(refused(&mut story, &input), Refused::NoPasskey);
        assert_eq!(retire(&mut story, actor, &passkey(1)), Outcome::Done, "a second time");
        let again = Input::Vouch(Box::new(vouching(&story, &passkey(1))));
        assert_eq!(refused(&mut story, &again), Refused::PasskeyKnown);
        // The next one is another.
        vouch(&mut story, &passkey(2));
        assert_eq!(stages(&story), [Stage::Revoked, Stage::Stands]);
        let now = story.node.now;
        let known = story.node.ask(|machine, view| {
            let challenge = Digest::new([3; 32]).unwrap();
            let by = |seed| machine.known_by(&passkey(seed).assert(&challenge), &challenge, now, view);
            Ok((by(1)?, by(2)?, by(3)?))
        });
        let expected =
            (Err(Refused::PasskeyRevoked), Ok((story.subject(), false)), Err(Refused::PasskeyUnknown));
        assert_eq!(known, expected);
    }
}

#[test]
fn who_has_enrolled_a_passkey_permits_by_it_or_at_a_desk_but_stops_data_by_login_too() {
    let mut story = enrolled(&passkey(1));
    let by_login = own(&story);
    let widening = |story: &Story| {
        let lifting = NewRevocation {
            directives: vec![(DirectiveId::new([9; 32]).unwrap(), story.token())],
            reason: RevocationReason::PatientWish,
            lifts: true,
        };
        let permit = Input::Permit(Box::new((by_login.clone(), permit(story.node.now))));
        [permit, Input::Revoke(Box::new((by_login.clone(), lifting)))]
    };
    for input in widening(&story) {
        assert_eq!(refused(&mut story, &input), Refused::Unsigned);
    }
    // Who stole the password gains nothing by taking the passkey out.
    retire(&mut story, by_login.actor.clone(), &passkey(1));
    for input in widening(&story) {
        assert_eq!(refused(&mut story, &input), Refused::Unsigned);
    }
    story.permit();
    assert!(is_released(&mut story), "at a desk");
    let stop = Input::Forbid(Box::new((by_login, forbid(story.node.now))));
    assert!(matches!(story.act(&stop), Outcome::Said(_)));
    story.live(1_000);
    assert!(!is_released(&mut story));
}

#[test]
fn c9_only_a_desk_of_a_voucher_enrols() {
    let mut story = region();
    let good = vouching(&story, &passkey(1));
    let Actor::Staff(staff) = desk() else { panic!() };
    let doctor = Actor::Staff(Staff { role: PersonRole::Physician, ..staff });
    for actor in [doctor, own(&story).actor, Actor::System(code("his")), Actor::Node] {
        let input = Input::Vouch(Box::new(Vouching { actor, ..good.clone() }));
        assert_eq!(refused(&mut story, &input), Refused::NotSeen);
    }
    let evidence = vec![1; yiqiao_node_core::limits::EVIDENCE_BYTES_MAX + 1];
    let input = Input::Vouch(Box::new(Vouching { evidence, ..good.clone() }));
    assert_eq!(refused(&mut story, &input), Refused::Evidence);
    for change in [(|list| list.policy.rp_id = None) as fn(&mut MemberList), |list| {
        list.policy.vouchers.push(code("clinic"));
    }] {
        let mut list = with_passkeys();
        change(&mut list);
        let mut story = Story::of(&list);
        story.node.receive(&report("1", patient("p", Some(1)), "r1"));
        story.live(3_000);
        let vouching = Vouching { subject: story.subject(), ..good.clone() };
        assert_eq!(refused(&mut story, &Input::Vouch(Box::new(vouching))), Refused::NoPasskeys);
    }
}

#[test]
fn c9_a_patient_has_a_bounded_number_of_passkeys() {
    let mut story = region();
    for seed in 1..=u8::try_from(PASSKEYS_MAX).unwrap() {
        vouch(&mut story, &passkey(seed));
    }
    assert_eq!(stages(&story), vec![Stage::Stands; PASSKEYS_MAX]);
    let more = Input::Vouch(Box::new(vouching(&story, &passkey(99))));
    assert_eq!(refused(&mut story, &more), Refused::TooManyPasskeys);
    // A credential id that is known is nobody else's.
    story.node.receive(&report("2", patient("q", Some(2)), "r2"));
    let theirs =
        Vouching { subject: story.node.patient("q").unwrap().subject, ..vouching(&story, &passkey(1)) };
    story.live(3_000);
    assert_eq!(refused(&mut story, &Input::Vouch(Box::new(theirs))), Refused::PasskeyKnown);
}

#[test]
fn a_passkey_follows_its_patient_through_a_merge() {
    let mut story = enrolled(&passkey(1));
    story.node.receive(&report("2", patient("q", None), "r2"));
    story.node.receive(&merge("3", patient("q", None), "p"));
    story.live(3_000);
    assert_eq!(story.subject(), story.node.patient("q").unwrap().subject);
    assert_eq!(stages(&story), [Stage::Stands]);
    let wish = permits(&story);
    assert_eq!(sign(&mut story, &passkey(1), &wish).len(), 1);
    assert_eq!(directives(&story).len(), 1);
}

#[test]
fn c9_a_passkey_that_the_registry_refuses_signs_nothing() {
    let mut story = region();
    // The node takes a key that it was handed; the registry reads it.
    let weak = Enrolled { public_key: vec![1; 42], ..vouching(&story, &passkey(1)).passkey };
    let vouching = Vouching { passkey: weak, ..vouching(&story, &passkey(1)) };
    story.act(&Input::Vouch(Box::new(vouching)));
    assert_eq!(stages(&story), [Stage::Waiting]);
    let wish = permits(&story);
    let input = Input::Prepare(Box::new((own(&story), wish)));
    assert_eq!(refused(&mut story, &input), Refused::PasskeyWaiting);
    story.live(1_000);
    assert_eq!(stages(&story), [Stage::Refused]);
    assert_eq!(refused(&mut story, &input), Refused::NoPasskey);
    // By login all is as before.
    let by_login = Input::Permit(Box::new((own(&story), permit(story.node.now))));
    assert!(matches!(story.act(&by_login), Outcome::Said(_)));
}

#[test]
fn m5_a_statement_that_is_handed_in_after_its_key_was_retired_is_signed_anew() {
    let mut story = region();
    story.node.decide(&Input::Vouch(Box::new(vouching(&story, &passkey(1))))).unwrap();
    let mut next = story.registry.directory.list().clone();
    next.version += 1;
    next.previous = Some(story.registry.directory.payload_hash());
    let hospital = next.members.iter_mut().find(|member| member.code == code("hospital")).unwrap();
    hospital.signing_keys.iter_mut().for_each(|key| key.state = KeyState::Retired);
    let public = key(HOSPITAL + 7).public();
    hospital.signing_keys.push(SigningKey { key: public, for_use: KeyUse::Words, state: KeyState::Valid });
    story.registry.take_list(story.node.now, &next);
    story.node.decide(&Input::MemberList(signed(&next))).unwrap();
    story.node.rekey(&[HOSPITAL + 7]);
    story.live(5_000);
    assert_eq!(stages(&story), [Stage::Stands]);
}
