//! Permits that patients sign themselves: the holder checks the passkey itself, by what its feed told (C-9, C-14).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use yiqiao_node_core::credential::is_self_vouched;
use yiqiao_node_core::inform::{self, News};
use yiqiao_node_core::machine::{Effect, Input, Outcome};
use yiqiao_proto::codes::{CredentialState, LegalBasis, Purpose, RefusalCode, Stance};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, What};
use yiqiao_proto::envelope::{Envelope, Word, payload_hash};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, Digest, DirectiveId};
use yiqiao_proto::lease::{AcceptedAct, Change, FeedItem, HeadChange, Told, feed_next};
use yiqiao_proto::log::Opening;
use yiqiao_proto::member::{KeyState, MemberList};
use yiqiao_proto::proof::CredentialStatement;
use yiqiao_proto::time::Millis;
use yiqiao_simnet::passkey::Passkey;

use crate::feed::feed;
use crate::region::{AUTHORITY, CLINIC, HOSPITAL, at, code, key, list, token_secret};
use crate::rig::{patient, report};
use crate::story::{Story, refusal};

const RP_ID: &str = "demo.example";
const ORIGIN: &str = "https://demo.example";

fn passkey(seed: u8) -> Passkey {
    Passkey::new([seed; 32], RP_ID, ORIGIN)
}

/// A region with passkeys, and one document of patient `p` in its index.
fn region() -> Story {
    let mut list = list(100);
    list.policy.rp_id = Some(RP_ID.to_owned());
    list.policy.origins = vec![ORIGIN.to_owned()];
    let mut story = Story::of(&list);
    story.node.receive(&report("1", patient("p", Some(1)), "r1"));
    story.live(3_000);
    story
}

/// The same where the clinic vouches for the patient's passkey.
fn vouched() -> Story {
    let mut story = region();
    let credential = credential(&story);
    submit(&mut story, &credential);
    story
}

fn credential(story: &Story) -> CredentialStatement {
    passkey(1).credential(&code("clinic"), &[story.token()])
}

/// The clinic hands a word in; the node hears of it.
fn submit<W: Word>(story: &mut Story, word: &W) {
    let envelope = Envelope::sign(&code("demo"), word, &key(CLINIC));
    let effect = Effect::Submit { ticket: 0, words: vec![(envelope, None)] };
    let put = story.registry.answer_to(story.node.now, &code("clinic"), &effect);
    assert!(matches!(put, Input::Receipted { .. }), "{put:?}");
    story.live(1_000);
}

/// The patient lets the clinic have everything for treatment.
fn permit(story: &Story, number: u8) -> Directive {
    Directive {
        id: DirectiveId::new([number; 32]).unwrap(),
        patient: story.token(),
        stance: Stance::Permit,
        grantee: Grantee { organisation: Some(code("clinic")), ..Grantee::default() },
        custodian: None,
        what: What::default(),
        purposes: BTreeSet::from([Purpose::Treatment]),
        valid_from: story.node.now,
        valid_until: None,
        notice: Notice { version: "2026-1".to_owned(), hash: Digest::new([4; 32]).unwrap() },
        existence_visible: false,
        basis: LegalBasis::SeparateConsent,
        head_version: 0,
    }
}

fn is_released(story: &mut Story) -> bool {
    let request = story.request();
    let outcome = story.ask(&request);
    let is_released = matches!(outcome, Outcome::Released { .. });
    assert!(is_released || refusal(&outcome).code == RefusalCode::Nothing, "{outcome:?}");
    is_released
}

/// The next member list, for the node alone.
fn next_list(story: &mut Story, change: impl FnOnce(&mut MemberList)) {
    let mut list = story.registry.directory.list().clone();
    list.version += 1;
    list.previous = Some(story.registry.directory.payload_hash());
    change(&mut list);
    story.node.decide(&Input::MemberList(Envelope::sign(&code("demo"), &list, &key(AUTHORITY)))).unwrap();
}

/// How many directives of the patient count; none if what is in force cannot be read.
fn counting(story: &Story) -> Option<usize> {
    let known = story.node.ask(|machine, view| machine.heads(&story.subject(), view));
    let (_, known) = known.into_iter().next().unwrap();
    known.map(|known| known.record.in_force().len())
}

#[test]
fn c14_a_document_is_let_go_by_what_the_patient_signed() {
    let mut story = vouched();
    assert!(!is_released(&mut story));
    let act = passkey(1).act(&code("demo"), permit(&story, 1));
    submit(&mut story, &act);
    assert_eq!(counting(&story), Some(1));
    assert!(is_released(&mut story));
    story.node.rebuild();
    assert_eq!(counting(&story), Some(1));
    // What it signed stays when the passkey is lost.
    let first = credential(&story);
    let lost = CredentialStatement {
        state: CredentialState::Revoked,
        number: 2,
        previous: Some(payload_hash(&first.encode())),
        ..first
    };
    submit(&mut story, &lost);
    assert_eq!(counting(&story), Some(1));
}

#[test]
fn c14_a_permit_counts_no_longer_once_its_voucher_is_not_believed() {
    let mut story = vouched();
    let act = passkey(1).act(&code("demo"), permit(&story, 1));
    submit(&mut story, &act);
    assert_eq!(counting(&story), Some(1));
    let changes: [fn(&mut MemberList); 3] = [
        |list| list.policy.vouchers = vec![code("hospital")],
        |list| list.policy.rp_id = None,
        |list| {
            let clinic = list.members.iter_mut().find(|member| member.code == code("clinic")).unwrap();
            for signing in &mut clinic.signing_keys {
                signing.state = KeyState::CompromisedSince(0);
            }
            clinic.sealing_keys.iter_mut().for_each(|sealing| sealing.state = KeyState::CompromisedSince(0));
        },
    ];
    for change in changes {
        let mut story = vouched();
        submit(&mut story, &act);
        next_list(&mut story, change);
        assert_eq!(counting(&story), Some(0));
    }
}

/// The registry tells a directive, and before it what was stated of a passkey: how many directives count then.
fn told(story: &mut Story, act: &Act<Directive>, credential: Option<&CredentialStatement>) -> Option<usize> {
    let directive = Change::Head(head_over(story, opening(900, act)));
    let credential = credential.map(|statement| Change::Credential(opening(800, statement)));
    feed(story, |after, previous| {
        let (mut number, mut chain) = (after, previous);
        let item = |change| {
            number += 1;
            let item = FeedItem { number, previous: chain, change }.encode();
            chain = feed_next(&chain, &item);
            item
        };
        credential.into_iter().chain([directive]).map(item).collect()
    });
    counting(story)
}

/// A word of the clinic at a place of the log.
fn opening<W: Word>(seq: u64, word: &W) -> Opening {
    let envelope = Envelope::sign(&code("demo"), word, &key(CLINIC)).as_bytes().to_vec();
    Opening { seq, term: 1, accepted_at: at(0), salt: [7; 32], envelope }
}

fn head_over(story: &Story, directive: Opening) -> HeadChange {
    let directives = vec![AcceptedAct { version: 5, act: Told::Opening(directive) }];
    let head = Head { version: 5, ..Head::empty() };
    let change = HeadChange { patient: story.token(), head, directives };
    HeadChange { head: change.computed_head(), ..change }
}

#[test]
fn c14_no_registry_makes_a_permit_that_the_patient_did_not_sign() {
    let (mut story, region) = (vouched(), code("demo"));
    let signed = passkey(1).act(&region, permit(&story, 1));
    assert_eq!(told(&mut story, &signed, None), Some(1), "what the patient signed");
    let mut story = vouched();
    let forged = passkey(9).act(&region, permit(&story, 1));
    assert_eq!(told(&mut story, &forged, None), Some(0), "by a passkey of which nobody vouched");
    let mut story = vouched();
    let other = Act::new(permit(&story, 2), signed.proof.clone());
    assert_eq!(told(&mut story, &other, None), Some(0), "another act than the patient signed");
    let mut story = vouched();
    let first = credential(&story);
    let revoked = CredentialStatement {
        state: CredentialState::Revoked,
        number: 2,
        previous: Some(payload_hash(&first.encode())),
        ..first
    };
    assert_eq!(
        told(&mut story, &signed, Some(&revoked)),
        Some(0),
        "by a passkey that had been revoked before"
    );
}

/// What the gateway takes over, in order.
fn heard(story: &mut Story) -> Vec<(News, Code)> {
    let mut heard = Vec::new();
    while let Some(message) = story.node.ask(|_, view| inform::next(view)) {
        story.node.decide(&Input::Informed(message.number)).unwrap();
        heard.push((message.news, message.member));
    }
    heard
}

#[test]
fn c9_a_patient_is_told_once_that_another_hospital_vouches_for_a_passkey_and_of_no_old_ones() {
    let mut story = vouched();
    let first = credential(&story);
    assert_eq!(heard(&mut story), [(News::VouchedElsewhere, code("clinic"))]);
    let next = passkey(3).credential(&code("clinic"), &first.tokens);
    let old = passkey(4).credential(&code("clinic"), &first.tokens);
    let stated = |seq, statement: &CredentialStatement, accepted_at| Opening {
        accepted_at,
        ..opening(seq, statement)
    };
    let now = story.node.now;
    let openings = [
        stated(801, &first, now),
        stated(802, &next, now),
        stated(803, &next, now),
        stated(804, &old, now - Millis::from_secs(25 * 3600)),
    ];
    feed(&mut story, |after, previous| {
        let (mut number, mut chain) = (after, previous);
        let item = |opening: &Opening| {
            number += 1;
            let change = Change::Credential(opening.clone());
            let item = FeedItem { number, previous: chain, change }.encode();
            chain = feed_next(&chain, &item);
            item
        };
        openings.iter().map(item).collect()
    });
    assert_eq!(heard(&mut story), [(News::VouchedElsewhere, code("clinic"))], "of the third passkey alone");
    story.node.rebuild();
    assert_eq!(heard(&mut story), []);
}

#[test]
fn c9_a_patient_is_told_once_of_a_permit_for_which_only_who_gains_vouches() {
    let told = |story: &Story| story.node.ask(|_, view| inform::next(view));
    let mut story = vouched();
    assert_eq!(heard(&mut story), [(News::VouchedElsewhere, code("clinic"))]);
    let act = passkey(1).act(&code("demo"), permit(&story, 1));
    submit(&mut story, &act);
    let message = told(&story).unwrap();
    assert_eq!((message.news, message.member), (News::SelfVouched, code("clinic")));
    assert_eq!(message.subject, story.subject());
    let vouchers = |story: &Story| {
        let id = credential(story).credential_id;
        story.node.ask(|machine, view| machine.vouchers(&id, view))
    };
    assert!(is_self_vouched(&act.said, &vouchers(&story)));
    // Told again after something else was said, it is nothing new.
    let forbid = Directive {
        stance: Stance::Forbid,
        purposes: BTreeSet::from([Purpose::Research]),
        basis: LegalBasis::Objection,
        ..permit(&story, 2)
    };
    let forbid = passkey(1).act(&code("demo"), forbid);
    submit(&mut story, &forbid);
    assert_eq!(story.node.decide(&Input::Informed(message.number)), Ok(()));
    assert_eq!(told(&story), None);
    story.node.rebuild();
    assert_eq!(told(&story), None);
    // Where somebody else stands for the passkey, too, nobody is alarmed.
    let mut story = vouched();
    heard(&mut story);
    let other = CredentialStatement { voucher: code("hospital"), ..credential(&story) };
    let envelope = Envelope::sign(&code("demo"), &other, &key(HOSPITAL));
    let effect = Effect::Submit { ticket: 0, words: vec![(envelope, None)] };
    let put = story.registry.answer_to(story.node.now, &code("hospital"), &effect);
    assert!(matches!(put, Input::Receipted { .. }), "{put:?}");
    story.live(1_000);
    submit(&mut story, &act);
    assert_eq!((counting(&story), vouchers(&story).len()), (Some(1), 2));
    assert!(!is_self_vouched(&act.said, &vouchers(&story)));
    assert_eq!(told(&story), None);
}

#[test]
fn c10_a_permit_that_is_said_under_each_token_is_told_of_once() {
    let mut list = list(100);
    list.policy.rp_id = Some(RP_ID.to_owned());
    list.policy.origins = vec![ORIGIN.to_owned()];
    list.token_keys.push(token_secret(2).public());
    let mut story = Story::of(&list);
    story.node.receive(&report("1", patient("p", Some(1)), "r1"));
    story.live(3_000);
    let tokens = story.node.patient("p").unwrap().tokens;
    assert_eq!(tokens.len(), 2);
    submit(&mut story, &passkey(1).credential(&code("clinic"), &tokens));
    for patient in tokens {
        let said = Directive { patient, ..permit(&story, 1) };
        submit(&mut story, &passkey(1).act(&code("demo"), said));
    }
    let clinic = code("clinic");
    assert_eq!(heard(&mut story), [(News::VouchedElsewhere, clinic.clone()), (News::SelfVouched, clinic)]);
}
