//! What is proved, and why a bent file is refused: each for its own reason.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use yiqiao_evidence::file::{File, Logged};
use yiqiao_evidence::{Fault, verify};
use yiqiao_proto::calls::EvidenceAnswer;
use yiqiao_proto::codes::{AccessOutcome, DefaultRule, DocumentClass, LegalBasis, Purpose};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::{ListError, SignerError};
use yiqiao_proto::envelope::{EnvelopeError, Kind};
use yiqiao_proto::id::{DirectiveId, DocumentId, ReferralId};
use yiqiao_proto::limits::{CALL_BYTES_MAX, EMERGENCY_LIFE_MS};
use yiqiao_proto::member::{KeyState, MemberList};
use yiqiao_proto::note::NoteError;
use yiqiao_proto::release::Terms;
use yiqiao_proto::time::Millis;
use yiqiao_proto::wire::calls::LoggedWord;

use crate::scene::{AUTHORITY, NEXT_AUTHORITY, Scene, at, authority, code, digest, key, token};

fn refused(scene: &Scene) -> Fault {
    verify(&scene.bytes(), &authority()).unwrap_err()
}

/// The reason, where parts do not fit each other.
fn unfit(bend: impl FnOnce(&mut Scene)) -> &'static str {
    let fault = refused(&Scene::with(bend));
    let Fault::Unfit { clause, .. } = fault else { panic!("{fault}") };
    clause
}

fn member<'l>(list: &'l mut MemberList, name: &str) -> &'l mut yiqiao_proto::member::Member {
    list.members.iter_mut().find(|member| member.code == code(name)).unwrap()
}

#[test]
fn v2_one_access_is_proved_by_nothing_but_the_regions_key() {
    let bytes = Scene::default().bytes();
    let proved = verify(&bytes, &authority()).unwrap();
    let said = proved.to_string();
    for part in [
        "示范hospital (hospital) let one document of one patient go to 示范clinic (clinic)",
        "by clause D-3",
        "a passkey of the patient, vouched for by 示范hospital (hospital)",
        "one of 3 in force at version 4",
        "laboratory, normal, 300000 bytes",
        "signed by 示范clinic (clinic), which had it whole at",
        "yiqiao/demo/log-1 of 8 words",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let json = proved.to_json();
    assert_eq!(json["agent"][0]["who"], "hospital");
    assert_eq!((&json["purposeOfEvent"], &json["outcomeDesc"]), (&"treatment".into(), &"D-3".into()));
    assert_eq!(json["source"]["memberList"], 1);
    assert_eq!(File::read(&bytes).unwrap().write(), bytes);
}

#[test]
fn v2_without_receipt_or_passkey_it_proves_as_much_as_there_is() {
    let mut file = Scene::with(|scene| scene.by_passkey = false).file();
    file.words.retain(|word| word.envelope.kind() != Kind::Delivery);
    file.words.pop();
    let said = verify(&file.write(), &authority()).unwrap().to_string();
    assert!(said.contains("the recipient has not said"), "{said}");
    assert!(said.contains("logged in at 示范hospital"), "{said}");
}

#[test]
fn v3_one_bit_that_is_flipped_anywhere_is_seen() {
    let scene = Scene::with(|scene| scene.later = vec![Box::new(|_| {})]);
    let bytes = scene.bytes();
    assert!(verify(&bytes, &authority()).is_ok());
    let mut chance = fastrand::Rng::with_seed(20_261_122);
    for place in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[place] ^= 1 << chance.u8(..8);
        assert!(verify(&bent, &authority()).is_err(), "byte {place} of {}", bytes.len());
    }
}

#[test]
fn v3_no_bytes_panic_and_a_part_of_the_file_is_none() {
    let bytes = Scene::default().bytes();
    let mut chance = fastrand::Rng::with_seed(7);
    for _ in 0..2_000 {
        let (from, to) = (chance.usize(..bytes.len()), chance.usize(..bytes.len()));
        let count = chance.usize(1..64).min(bytes.len() - from.max(to));
        let mut bent = bytes.clone();
        match chance.u8(..4) {
            0 => bent.truncate(from),
            1 => bent.copy_within(from..from + count, to),
            2 => drop(bent.splice(from..from + count, [])),
            _ => bent.iter_mut().skip(from).take(count).for_each(|byte| *byte = chance.u8(..)),
        }
        assert!(bent == bytes || verify(&bent, &authority()).is_err());
    }
}

/// L-9: the region has another log since, of a backup that was restored.
#[test]
fn v3_what_was_exported_of_an_earlier_log_stays_proved_and_says_of_which() {
    let said = verify(&Scene::default().bytes(), &authority()).unwrap().to_string();
    assert!(said.contains("yiqiao/demo/log-1"), "the log of then: {said}");
    // A list that names the log of now does not make words of the earlier one its own.
    let moved = Scene::with(|scene| {
        scene.later = vec![Box::new(|list: &mut MemberList| list.log_id = code("log-2"))];
    });
    let fault = refused(&moved);
    let expected = "yiqiao/demo/log-2".to_owned();
    assert_eq!(fault, Fault::Note(NoteError::OtherLog { expected }));
    let said = fault.to_string();
    assert_eq!(
        said,
        "the checkpoint is not of yiqiao/demo/log-2: the log was restored or is another one (L-9)"
    );
}

/// W-3: as long as a call may be.
#[test]
fn v2_a_file_of_more_than_4_mib_is_refused_by_its_length_and_one_below_is_read() {
    let too_long = |bytes: &[u8]| match verify(bytes, &authority()) {
        Err(Fault::Decode(DecodeError::TooLarge { bytes, max, .. })) => Some((bytes, max)),
        Ok(_) | Err(_) => None,
    };
    let long = vec![0; CALL_BYTES_MAX + 1];
    assert_eq!(too_long(&long), Some((CALL_BYTES_MAX + 1, CALL_BYTES_MAX)));
    assert_eq!(too_long(&long[..CALL_BYTES_MAX]), None, "what is no evidence is refused as that");
    let said = verify(&long, &authority()).unwrap_err().to_string();
    assert!(said.contains(&CALL_BYTES_MAX.to_string()), "{said}");
    // What the registry answers is put into a file by the same bound: long lists of members are refused, never cut.
    let file = Scene::default().file();
    let word =
        |logged: &Logged| LoggedWord { opening: Some(logged.opening.write()), path: logged.path.concat() };
    let mut words: Vec<LoggedWord> = file.words.iter().map(word).collect();
    let answer = |words| EvidenceAnswer { checkpoint: file.checkpoint.clone(), words };
    assert_eq!(File::of(&file.region, &file.request, answer(words.clone())).unwrap(), file);
    words[0].opening.as_mut().unwrap().envelope = long;
    let refused = File::of(&file.region, &file.request, answer(words)).unwrap_err();
    assert!(matches!(refused, DecodeError::TooLarge { max: CALL_BYTES_MAX, .. }), "{refused}");
}

#[test]
fn v3_words_that_change_places_are_refused() {
    let file = Scene::default().file();
    for place in 1..file.words.len() {
        let mut bent = file.clone();
        bent.words.swap(place - 1, place);
        assert!(matches!(verify(&bent.write(), &authority()), Err(Fault::Decode(_))), "{place}");
        let mut bent = file.clone();
        let path = bent.words[place].path.clone();
        bent.words[place].path = std::mem::replace(&mut bent.words[place - 1].path, path);
        assert!(matches!(verify(&bent.write(), &authority()), Err(Fault::Path { .. })), "{place}");
    }
}

#[test]
fn v2_each_part_must_be_there_and_once() {
    let file = Scene::default().file();
    for (place, what) in [(2, "entry"), (3, "directive"), (4, "release"), (5, "decision")] {
        let mut bent = file.clone();
        bent.words.remove(place);
        assert_eq!(verify(&bent.write(), &authority()).unwrap_err(), Fault::Count { what, count: 0 });
    }
    let mut bent = file.clone();
    bent.words.remove(0);
    assert_eq!(verify(&bent.write(), &authority()).unwrap_err(), Fault::OtherAuthority);
    let mut bent = file.clone();
    bent.words.remove(1);
    assert!(matches!(verify(&bent.write(), &authority()), Err(Fault::Unfit { clause: "C-14", .. })));
    // The event of a delivery says nothing without the delivery.
    let mut bent = file;
    bent.words.remove(6);
    assert!(matches!(verify(&bent.write(), &authority()), Err(Fault::Unfit { clause: "A-2", .. })));
}

#[test]
fn v4_what_is_of_another_patient_or_access_is_refused() {
    assert_eq!(unfit(|scene| scene.directive = Box::new(|directive| directive.patient = token(8))), "P-2");
    let other = || DirectiveId::new([0xc2; 32]);
    assert_eq!(unfit(|scene| scene.terms = Box::new(move |terms| terms.directive = other())), "P-2");
    let document = || DocumentId::new([0xd2; 32]).unwrap();
    assert_eq!(unfit(|scene| scene.entry = Box::new(move |entry| entry.document = document())), "P-8");
    assert_eq!(unfit(|scene| scene.terms = Box::new(move |terms| terms.document = document())), "P-2");
    assert_eq!(unfit(|scene| scene.delivery = Box::new(|it| it.release = digest(0x77))), "P-7");
    assert_eq!(unfit(|scene| scene.delivery = Box::new(move |it| it.document = document())), "P-7");
    assert_eq!(unfit(|scene| scene.decision = Box::new(|event| event.patient = token(8))), "A-2");
    assert_eq!(unfit(|scene| scene.decision = Box::new(|event| event.purpose = Purpose::Research)), "A-2");
    let referral = || ReferralId::new([0xf2; 32]);
    assert_eq!(unfit(|scene| scene.request = Box::new(move |it| it.asker.referral = referral())), "A-2");
    // The same access asked for a second time: request and release of one do not fit the other.
    let mut file = Scene::default().file();
    file.request =
        Scene::with(|scene| scene.request = Box::new(|it| it.expires_at = at(3_601))).file().request;
    assert!(matches!(verify(&file.write(), &authority()), Err(Fault::Unfit { clause: "P-2", .. })));
    let event = Scene::with(|scene| scene.decision = Box::new(|event| event.release = Some(digest(0x78))));
    assert_eq!(refused(&event), Fault::Foreign { seq: 5 });
}

#[test]
fn v4_a_statement_of_a_passkey_that_signed_nothing_here_is_refused() {
    let with = Scene::with(|scene| {
        scene.terms = Box::new(|terms: &mut Terms| {
            (terms.directive, terms.standing, terms.basis) = (None, None, LegalBasis::RegionDefault);
        });
        scene.decision = Box::new(|event| "D-7".clone_into(&mut event.clause));
    });
    assert!(matches!(refused(&with), Fault::Unfit { clause: "V-4", .. }));
}

#[test]
fn v5_a_directive_that_was_not_in_force_permits_nothing() {
    assert_eq!(unfit(|scene| scene.in_force = false), "C-10");
    assert_eq!(unfit(|scene| scene.decision = Box::new(|event| event.head_version = 3)), "D-9");
    assert_eq!(unfit(|scene| scene.decision = Box::new(|event| "D-7".clone_into(&mut event.clause))), "D-9");
    assert_eq!(
        unfit(|scene| scene.decision = Box::new(|event| event.outcome = AccessOutcome::Denied)),
        "A-1"
    );
    let narrow = |directive: &mut yiqiao_proto::directive::Directive| {
        directive.what.classes.insert(DocumentClass::Summary);
    };
    assert_eq!(unfit(|scene| scene.directive = Box::new(narrow)), "D-9");
    let over = |scene: &mut Scene| {
        scene.directive = Box::new(|directive| directive.valid_until = Some(at(150)));
        scene.terms = Box::new(|terms| terms.expires_at = at(150));
    };
    assert_eq!(unfit(over), "P-2", "decided when the release was over");
    assert_eq!(unfit(|scene| scene.directive = Box::new(|it| it.valid_until = Some(at(199)))), "P-2");
    assert_eq!(unfit(|scene| scene.directive = Box::new(|it| it.valid_until = Some(at(300)))), "P-2");
    assert_eq!(unfit(|scene| scene.directive = Box::new(|it| it.valid_from = at(201))), "D-9");
}

#[test]
fn v5_a_passkey_for_which_no_voucher_of_the_region_stands_permits_nothing() {
    let list = |list: &mut MemberList| list.policy.vouchers = vec![code("clinic")];
    assert_eq!(unfit(|scene| scene.list = Box::new(list)), "C-14");
}

#[test]
fn v5_a_rule_of_the_region_is_named_as_that() {
    let mut scene = Scene::with(|scene| scene.by_passkey = false);
    scene.list = Box::new(|list| list.policy.default_rule = DefaultRule::AllNormal);
    scene.terms = Box::new(|terms| {
        (terms.directive, terms.standing, terms.basis) = (None, None, LegalBasis::RegionDefault);
    });
    scene.decision = Box::new(|event| "D-7".clone_into(&mut event.clause));
    let mut file = scene.file();
    file.words.retain(|word| word.envelope.kind() != Kind::Directive);
    let said = verify(&file.write(), &authority()).unwrap().to_string();
    assert!(said.contains("it rests on a rule of the region (D-7)"), "{said}");
    // Where the region has no such rule, the holder cannot say so.
    scene.list = Box::new(|list| list.policy.default_rule = DefaultRule::Deny);
    let mut file = scene.file();
    file.words.retain(|word| word.envelope.kind() != Kind::Directive);
    assert!(matches!(verify(&file.write(), &authority()), Err(Fault::Unfit { clause: "D-9", .. })));
}

#[test]
fn d8_an_emergency_is_proved_by_the_event_that_its_request_cites() {
    let bytes = Scene::emergency(|_| {}).bytes();
    let proved = verify(&bytes, &authority()).unwrap();
    let said = proved.to_string();
    assert!(said.contains("emergency  declared by 示范clinic (clinic) before"), "{said}");
    assert!(said.contains("by clause D-8"), "{said}");
    assert_eq!(proved.to_json()["emergency"][0]["seq"], 2);
    // The patient is known to the holder under another token: the event cited and the one of that token are one act.
    let two = || Scene::emergency(|scene| scene.glass.insert(0, Box::new(|event| event.patient = token(8))));
    assert_eq!(verify(&two().bytes(), &authority()).unwrap().emergency.len(), 2);
    let mut chance = fastrand::Rng::with_seed(20_261_123);
    let bytes = two().bytes();
    for place in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[place] ^= 1 << chance.u8(..8);
        assert!(verify(&bent, &authority()).is_err(), "byte {place} of {}", bytes.len());
    }
    for place in [2, 3] {
        let mut bent = two().file();
        bent.words.remove(place);
        assert!(matches!(verify(&bent.write(), &authority()), Err(Fault::Unfit { clause: "D-8", .. })));
    }
}

#[test]
fn d8_an_emergency_that_is_another_ones_or_over_proves_nothing() {
    let unfit = |bend: fn(&mut Scene)| {
        let fault = refused(&Scene::emergency(bend));
        assert!(matches!(fault, Fault::Unfit { clause: "D-8", .. }), "{fault}");
    };
    unfit(|scene| scene.glass = vec![Box::new(|event| event.patient = token(8))]);
    unfit(|scene| scene.glass = vec![Box::new(|event| event.outcome = AccessOutcome::Denied)]);
    unfit(|scene| scene.glass_age = Millis::new(EMERGENCY_LIFE_MS));
    unfit(|scene| {
        scene.request = Box::new(|request| request.asker.break_glass = Some(digest(0x77)));
    });
    // Two acts, of which the one cited is of another patient.
    unfit(|scene| {
        scene
            .glass
            .insert(0, Box::new(|event| (event.patient, event.audit_line) = (token(8), Some(digest(0xab)))));
    });
    let others = |scene: &mut Scene| {
        scene.glass = vec![Box::new(|event| event.organisation = code("hospital"))];
    };
    assert_eq!(refused(&Scene::emergency(others)), Fault::Foreign { seq: 2 });
    // An event that nothing cites is of no account, in an emergency and otherwise.
    let second = |event: &mut yiqiao_proto::access::AccessEvent| event.patient = token(8);
    let fault = refused(&Scene::emergency(|scene| scene.glass.push(Box::new(second))));
    assert_eq!(fault, Fault::Foreign { seq: 3 });
}

#[test]
fn v5_a_member_that_was_suspended_or_a_key_that_no_longer_counted_proves_nothing() {
    for name in ["hospital", "clinic"] {
        let suspended = Scene::with(|scene| {
            scene.list = Box::new(move |list| member(list, name).suspended = true);
        });
        let fault = Fault::Member(SignerError::Suspended { member: code(name) });
        assert_eq!(refused(&suspended), fault);
    }
    let retired = Scene::with(|scene| {
        scene.list = Box::new(|list| member(list, "hospital").signing_keys[0].state = KeyState::Retired);
    });
    assert!(matches!(refused(&retired), Fault::Member(SignerError::KeyNoLongerSigns { .. })));
    // Retired, or suspended, after the access: it stays proved. Found compromised since a place before it: it does not.
    let later = |change: fn(&mut MemberList)| {
        let scene = Scene::with(|scene| scene.later = vec![Box::new(change)]);
        verify(&scene.bytes(), &authority())
    };
    assert!(later(|list| member(list, "hospital").signing_keys[0].state = KeyState::Retired).is_ok());
    assert!(later(|list| member(list, "clinic").suspended = true).is_ok());
    let compromised = |list: &mut MemberList| {
        member(list, "hospital").signing_keys[0].state = KeyState::CompromisedSince(3);
    };
    let fault = later(compromised).unwrap_err();
    assert!(
        matches!(&fault, Fault::Word { cause: EnvelopeError::Signer(SignerError::Compromised { .. }), .. }),
        "{fault}"
    );
}

#[test]
fn v6_the_authoritys_key_is_followed_from_the_one_given() {
    let rotated = || {
        Scene::with(|scene| {
            let hand_over = |list: &mut MemberList| list.authority = key(NEXT_AUTHORITY).public();
            scene.earlier = vec![Box::new(hand_over), Box::new(|_| {})];
        })
    };
    let bytes = rotated().bytes();
    for seed in [AUTHORITY, NEXT_AUTHORITY] {
        assert!(verify(&bytes, &key(seed).public()).is_ok(), "{seed}");
    }
    assert_eq!(verify(&bytes, &key(3).public()).unwrap_err(), Fault::OtherAuthority);
    // Lists between do not have to be there, but the one that hands over does.
    let mut file = rotated().file();
    file.words.remove(0);
    assert!(verify(&file.write(), &authority()).is_ok());
    file.words.remove(0);
    assert_eq!(verify(&file.write(), &authority()).unwrap_err(), Fault::OtherAuthority);
    assert!(verify(&file.write(), &key(NEXT_AUTHORITY).public()).is_ok());
}

#[test]
fn v6_no_list_is_left_out_that_may_have_counted() {
    let scene = Scene::with(|scene| scene.later = vec![Box::new(|_| {}), Box::new(|_| {})]);
    let mut file = scene.file();
    assert!(verify(&file.write(), &authority()).is_ok());
    file.words.remove(8);
    assert_eq!(verify(&file.write(), &authority()).unwrap_err(), Fault::ListMissing { counted: 1 });
    let scene = Scene::with(|scene| {
        scene.earlier = vec![Box::new(|list| member(list, "clinic").suspended = true), Box::new(|_| {})];
        scene.later = vec![Box::new(|_| {})];
    });
    let mut file = scene.file();
    file.words.drain(1..3);
    assert_eq!(verify(&file.write(), &authority()).unwrap_err(), Fault::ListMissing { counted: 1 });
    let forked = Scene::with(|scene| scene.later = vec![Box::new(|list| list.previous = Some(digest(5)))]);
    let fault = refused(&forked);
    assert!(matches!(fault, Fault::List { cause: ListError::OtherHistory { found: 2 }, .. }), "{fault}");
}

#[test]
fn v3_a_checkpoint_of_another_key_or_with_more_than_its_signature_is_refused() {
    let mut file = Scene::default().file();
    file.checkpoint.extend_from_slice("\u{2014} witness.example AAAAAAAAAAA=\n".as_bytes());
    assert_eq!(verify(&file.write(), &authority()).unwrap_err(), Fault::Note(NoteError::NotSigned));
    let replaced = Scene::with(|scene| {
        scene.later = vec![Box::new(|list| {
            member(list, "registry").signing_keys[1].state = KeyState::CompromisedSince(0);
        })];
    });
    assert_eq!(refused(&replaced), Fault::Note(NoteError::NotSigned));
}
