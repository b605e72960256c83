//! Member lists: what stands in one, and what may follow it (M-2 to M-12, S-2).

use std::collections::BTreeSet;

use yiqiao_proto::codes::{KeyUse, MemberRole};
use yiqiao_proto::directory::{Directory, ListError};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::{MEMBERS_MAX, PAYLOAD_BYTES_MAX};
use yiqiao_proto::member::{KeyState, Member, MemberList, SealingKey, SigningKey, Transport};
use yiqiao_proto::suite::{SecretKey, Suite};

use crate::region::{
    AUTHORITY, BUREAU, CLINIC, CLINIC_SEALING, HOSPITAL, HOSPITAL_SEALING, REGISTRY_LEASE, at, code,
    directory, directory_with, key, list, member_of, next_list, region, sealing, signed, signing,
};
use crate::samples;

#[test]
fn m4_a_sealing_key_is_countersigned_by_a_words_key_of_its_own_member() {
    let refused = "member.sealing_keys is not valid: countersigned by a signing key of the same member (M-4)";
    let with = |sealing: SealingKey| {
        let mut list = list();
        member_of(&mut list, "clinic").sealing_keys = vec![sealing];
        MemberList::decode(&list.encode()).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(with(sealing("clinic", CLINIC_SEALING, CLINIC)), Ok(()));
    let by_another = sealing("clinic", CLINIC_SEALING, HOSPITAL);
    assert_eq!(with(by_another), Err(refused.to_owned()));
    let of_another = sealing("hospital", CLINIC_SEALING, CLINIC);
    assert_eq!(with(of_another), Err(refused.to_owned()));
    let elsewhere = SealingKey::countersigned(&code("elsewhere"), &code("clinic"), [9; 32], &key(CLINIC));
    assert_eq!(with(elsewhere), Err(refused.to_owned()));
    let other_key = SealingKey { public_key: [9; 32], ..sealing("clinic", CLINIC_SEALING, CLINIC) };
    assert_eq!(with(other_key), Err(refused.to_owned()));
    let nobody = SealingKey { countersignature: Vec::new(), ..sealing("clinic", CLINIC_SEALING, CLINIC) };
    assert_eq!(with(nobody), Err(refused.to_owned()));
}

#[test]
fn m4_a_sealing_key_is_not_countersigned_by_a_key_of_another_use() {
    let mut list = list();
    let registry = member_of(&mut list, "registry");
    // Its signer is named as a words key; the member has the key for leases only.
    registry.sealing_keys = vec![sealing("registry", 99, REGISTRY_LEASE)];
    assert!(MemberList::decode(&list.encode()).is_err());
}

#[test]
fn m4_documents_are_sealed_to_the_last_valid_key() {
    let known = directory();
    let second = next_list(&known, |list| {
        member_of(list, "clinic").sealing_keys.push(sealing("clinic", 42, CLINIC));
    });
    let second = known.next(&signed(&second, AUTHORITY)).unwrap();
    let sealed_to = |directory: &Directory| directory.sealing_key(&code("clinic")).map(SealingKey::id);
    assert_eq!(sealed_to(&known), Some(sealing("clinic", CLINIC_SEALING, CLINIC).id()));
    assert_eq!(sealed_to(&second), Some(sealing("clinic", 42, CLINIC).id()));
    let third = next_list(&second, |list| {
        member_of(list, "clinic").sealing_keys[1].state = KeyState::CompromisedSince(0);
    });
    let third = second.next(&signed(&third, AUTHORITY)).unwrap();
    assert_eq!(sealed_to(&third), sealed_to(&known));
    assert_eq!(third.sealing_key(&code("bureau")), None);
}

#[test]
fn m4_no_key_and_no_peer_stands_twice() {
    let twice = "member_list.members is not valid: no key and no peer id twice";
    let with = |change: &dyn Fn(&mut MemberList)| {
        let mut list = list();
        change(&mut list);
        MemberList::decode(&list.encode()).unwrap_err().to_string()
    };
    let shared = with(&|list| member_of(list, "bureau").signing_keys.push(signing(CLINIC, KeyUse::Words)));
    assert_eq!(shared, twice);
    let two_uses = with(&|list| member_of(list, "bureau").signing_keys.push(signing(BUREAU, KeyUse::Lease)));
    assert_eq!(two_uses, twice);
    let sealing_twice = with(&|list| {
        member_of(list, "clinic").sealing_keys.push(sealing("clinic", HOSPITAL_SEALING, CLINIC));
    });
    assert_eq!(sealing_twice, twice);
    let one_peer = with(&|list| {
        let transport = member_of(list, "portal").transports[0].clone();
        member_of(list, "clinic").transports.push(transport);
    });
    assert_eq!(one_peer, twice);
    let authority =
        with(&|list| member_of(list, "bureau").signing_keys.push(signing(AUTHORITY, KeyUse::Words)));
    assert_eq!(authority, twice, "the authority's key is no member's");
}

#[test]
fn m9_one_member_is_the_registry_and_is_nothing_else() {
    let refused = "member_list.members is not valid: one keeps the index, and is nothing else (M-9)";
    let with = |change: &dyn Fn(&mut MemberList)| {
        let mut list = list();
        change(&mut list);
        MemberList::decode(&list.encode()).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(with(&|_| ()), Ok(()));
    let also = |name: &str, role| with(&|list| assert!(member_of(list, name).roles.insert(role)));
    assert_eq!(also("registry", MemberRole::Custodian), Err(refused.to_owned()));
    assert_eq!(also("bureau", MemberRole::Registry), Err(refused.to_owned()), "two of them");
    let none = with(&|list| member_of(list, "registry").roles = BTreeSet::from([MemberRole::Bureau]));
    assert_eq!(none, Err(refused.to_owned()));
    assert_eq!(with(&|list| member_of(list, "registry").suspended = true), Ok(()));
}

/// Years of a region: a member's names, a transport identity, and keys that were exchanged once a year.
fn old_member(region: &Code, number: u32, years: u8) -> Member {
    let secret = |year: u8| {
        let mut seed = [year; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        SecretKey::new(Suite::Simulation, &seed)
    };
    let code = code(&format!("hospital-{number:05}"));
    let state = |year| if year == years { KeyState::Valid } else { KeyState::Retired };
    let signing =
        |year| SigningKey { key: secret(year).public(), for_use: KeyUse::Words, state: state(year) };
    let sealing = |year: u8| {
        let key =
            SealingKey::countersigned(region, &code, *secret(100 + year).public().as_bytes(), &secret(year));
        SealingKey {
            state: state(year),
            countersignature: [key.countersignature, vec![0; 32]].concat(),
            ..key
        }
    };
    let peer_id = [[0, 36, 8, 1, 18, 32].as_slice(), secret(99).public().as_bytes()].concat();
    Member {
        name: "示范市第一人民医院滨江院区".to_owned(),
        contact: "0571-00000000 隐私保护办公室".to_owned(),
        roles: BTreeSet::from([MemberRole::Custodian]),
        suspended: false,
        transports: vec![Transport { peer_id, addresses: vec![format!("/dns4/{code}.example.cn/tcp/7400")] }],
        signing_keys: (1..=years).map(signing).collect(),
        sealing_keys: (1..=years).map(sealing).collect(),
        code,
    }
}

#[test]
fn m12_w3_a_region_of_2000_members_has_room_for_eleven_years_of_keys() {
    let mut list = list();
    let region = list.region.clone();
    list.members.extend((0..1_995).map(|number| old_member(&region, number, 11)));
    list.members.sort_by(|a, b| a.code.cmp(&b.code));
    assert_eq!(list.members.len(), MEMBERS_MAX);
    let bytes = list.encode().len();
    assert!(bytes <= PAYLOAD_BYTES_MAX, "{bytes} bytes");
    assert!(bytes > PAYLOAD_BYTES_MAX * 9 / 10, "{bytes} bytes: there is room for more years");
}

// ---- One list after another ----

#[test]
fn m2_the_next_list_names_the_one_before() {
    let known = directory();
    let next = next_list(&known, |list| list.issued_at = at(1));
    assert_eq!(known.next(&signed(&next, AUTHORITY)).unwrap().list(), &next);
    let skipping = MemberList { version: 3, ..next.clone() };
    let refused = known.next(&signed(&skipping, AUTHORITY)).unwrap_err();
    assert_eq!(refused, ListError::NotNext { known: 1, found: 3 });
    let forked = MemberList { previous: Some(samples::digest(1)), ..next };
    let refused = known.next(&signed(&forked, AUTHORITY)).unwrap_err();
    assert_eq!(refused, ListError::OtherHistory { found: 2 });
}

#[test]
fn m2_of_two_lists_of_one_version_the_second_is_refused() {
    let known = directory();
    let [one, other] = [1, 2].map(|ms| signed(&next_list(&known, |list| list.issued_at = at(ms)), AUTHORITY));
    let second = known.next(&one).unwrap();
    assert_eq!(second.next(&other).unwrap_err(), ListError::NotNext { known: 2, found: 2 });
    // A list that follows the other one does not follow here.
    let fork = known.next(&other).unwrap();
    let third = signed(&next_list(&fork, |_| ()), AUTHORITY);
    assert_eq!(second.next(&third).unwrap_err(), ListError::OtherHistory { found: 3 });
}

#[test]
fn m3_nothing_goes_back_and_nothing_begins_in_the_middle() {
    let first = directory();
    let second_envelope = signed(&next_list(&first, |_| ()), AUTHORITY);
    let second = first.next(&second_envelope).unwrap();
    let first_envelope = signed(&list(), AUTHORITY);
    assert_eq!(second.next(&first_envelope).unwrap_err(), ListError::NotNext { known: 2, found: 1 });
    let authority = key(AUTHORITY).public();
    let late = Directory::first(&region(), &authority, &second_envelope).unwrap_err();
    assert_eq!(late, ListError::NotNext { known: 0, found: 2 });
    let pinned = Directory::pinned(&region(), second.payload_hash(), &second_envelope).unwrap();
    assert_eq!(pinned.list(), second.list());
    assert!(Directory::pinned(&region(), first.payload_hash(), &second_envelope).is_err());
    assert!(Directory::pinned(&code("elsewhere"), second.payload_hash(), &second_envelope).is_err());
}

#[test]
fn m3_the_first_list_is_of_this_region_and_this_authority() {
    let envelope = signed(&list(), AUTHORITY);
    assert!(Directory::first(&region(), &key(BUREAU).public(), &envelope).is_err());
    assert!(Directory::first(&code("elsewhere"), &key(AUTHORITY).public(), &envelope).is_err());
    let mut of_elsewhere = list();
    of_elsewhere.region = code("elsewhere");
    of_elsewhere.members.iter_mut().for_each(|member| member.sealing_keys.clear());
    let refused = Directory::first(&region(), &key(AUTHORITY).public(), &signed(&of_elsewhere, AUTHORITY));
    assert_eq!(refused.unwrap_err(), ListError::OtherRegion { found: code("elsewhere") });
}

#[test]
fn m8_the_authority_rotates_signed_by_its_previous_key() {
    const NEXT: u8 = 2;
    let first = directory();
    let handing_over = next_list(&first, |list| list.authority = key(NEXT).public());
    assert!(first.next(&signed(&handing_over, NEXT)).is_err(), "the new key does not introduce itself");
    let second = first.next(&signed(&handing_over, AUTHORITY)).unwrap();
    let third = next_list(&second, |_| ());
    assert!(second.next(&signed(&third, AUTHORITY)).is_err(), "the old key signs nothing more");
    second.next(&signed(&third, NEXT)).unwrap();
}

#[test]
fn m12_a_next_list_takes_nothing_back() {
    let first = directory_with(|list| {
        member_of(list, "portal").signing_keys.push(signing(51, KeyUse::Words));
        member_of(list, "portal").signing_keys[1].state = KeyState::Retired;
    });
    let refused = |change: &dyn Fn(&mut MemberList)| {
        let next = next_list(&first, change);
        match first.next(&signed(&next, AUTHORITY)) {
            Ok(_) => "taken",
            Err(ListError::TakesBack { what }) => what,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(refused(&|list| drop(list.members.remove(0))), "a member: suspend it instead");
    assert_eq!(refused(&|list| member_of(list, "bureau").suspended = true), "taken");
    let key_or_state = "a signing key or its state";
    assert_eq!(refused(&|list| member_of(list, "portal").signing_keys.truncate(1)), key_or_state);
    let mended = refused(&|list| member_of(list, "portal").signing_keys[1].state = KeyState::Valid);
    assert_eq!(mended, key_or_state);
    let worse =
        refused(&|list| member_of(list, "portal").signing_keys[1].state = KeyState::CompromisedSince(9));
    assert_eq!(worse, "taken");
    let sealing = refused(&|list| member_of(list, "clinic").sealing_keys.clear());
    assert_eq!(sealing, "a sealing key or its state");
    let token_key = refused(&|list| list.token_keys[0].public_key = [9; 32]);
    assert_eq!(token_key, "the token key of an epoch");
}

/// The authority must be able to say at once that a key is in other hands, without waiting for the member.
#[test]
fn m5_a_key_that_vouched_for_a_sealing_key_can_be_called_compromised() {
    let known = directory();
    let in_other_hands = |with_sealing_key: bool| {
        next_list(&known, |list| {
            let clinic = member_of(list, "clinic");
            clinic.signing_keys[0].state = KeyState::CompromisedSince(7);
            if with_sealing_key {
                clinic.sealing_keys[0].state = KeyState::CompromisedSince(7);
            }
        })
    };
    // Nobody seals to a key for which only a compromised key vouches.
    assert!(known.next(&signed(&in_other_hands(false), AUTHORITY)).is_err());
    let second = known.next(&signed(&in_other_hands(true), AUTHORITY)).unwrap();
    assert_eq!(second.sealing_key(&code("clinic")), None);
}

#[test]
fn s2_the_simulators_suite_stands_alone() {
    let simulated = |seed: u8| SecretKey::new(Suite::Simulation, &[seed; 32]);
    let mut mixed = list();
    mixed.policy.suites.insert(Suite::Simulation);
    let refused = Directory::first(&region(), &key(AUTHORITY).public(), &signed(&mixed, AUTHORITY));
    assert_eq!(refused.unwrap_err(), ListError::SimulationSuite);
    // An authority that would hand over to a key that anybody can sign with.
    let mut handing_over = list();
    handing_over.authority = simulated(1).public();
    let refused = MemberList::decode(&handing_over.encode()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "member_list.authority is not valid: of a suite that the policy allows (S-2)"
    );
    let mut member_alone = list();
    member_of(&mut member_alone, "bureau").signing_keys[0].key = simulated(1).public();
    let refused = MemberList::decode(&member_alone.encode()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "member_list.members is not valid: keys of the suites that the policy allows (S-2)"
    );
    // A whole region of the simulator holds together.
    let mut all = list();
    all.policy.suites = BTreeSet::from([Suite::Simulation]);
    all.authority = simulated(AUTHORITY).public();
    for member in &mut all.members {
        member.sealing_keys.clear();
        member.signing_keys.clear();
    }
    let envelope = Envelope::sign(&region(), &all, &simulated(AUTHORITY));
    Directory::first(&region(), &simulated(AUTHORITY).public(), &envelope).unwrap();
}
