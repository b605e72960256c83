//! The rules of what patients say, each broken in an otherwise valid act, and refused by its name (C-2 to C-8, W-9).

use prost::Message;
use yiqiao_proto::codes::Purpose;
use yiqiao_proto::directive::Act;
use yiqiao_proto::id::Digest;
use yiqiao_proto::proof::{PasskeyAssertion, Proof, challenge_of};
use yiqiao_proto::wire::words as wire;

use crate::rules::{refusal, refused};
use crate::{region, samples};

/// What is said when the directive inside of an act is changed.
fn directive_refusal(change: impl FnOnce(&mut wire::Directive)) -> String {
    refusal(&samples::permit(), |act| {
        let mut said = wire::Directive::decode(act.act.as_slice()).unwrap_or_default();
        change(&mut said);
        act.act = said.encode_to_vec();
    })
}

fn grantee(wire: &mut wire::Directive) -> &mut wire::Grantee {
    wire.grantee.get_or_insert_default()
}

#[test]
fn c2_an_act_of_a_newer_version_is_refused() {
    let newer = "version 1: a newer one needs a newer program";
    assert_eq!(
        directive_refusal(|wire| wire.version = 2),
        format!("directive.version is not valid: {newer}")
    );
    let said = refusal(&samples::revocation(), |act| {
        let mut said = wire::Revocation::decode(act.act.as_slice()).unwrap_or_default();
        said.version = 2;
        act.act = said.encode_to_vec();
    });
    assert_eq!(said, format!("revocation.version is not valid: {newer}"));
}

#[test]
fn c2_a_dimension_that_this_version_does_not_know_is_not_read_over() {
    let unknown = [0xf8, 0x7f, 0x01];
    let said = refusal(&samples::permit(), |act| act.act.extend_from_slice(&unknown));
    assert_eq!(said, "directive has unknown, trailing, repeated or reordered fields (W-2)");
    let said = refusal(&samples::revocation(), |act| act.act.extend_from_slice(&unknown));
    assert_eq!(said, "revocation has unknown, trailing, repeated or reordered fields (W-2)");
}

#[test]
fn c4_a_department_or_practitioner_needs_the_organisation() {
    let needs = "grantee.organisation is not valid: given with a department or practitioner";
    assert_eq!(directive_refusal(|wire| grantee(wire).organisation.clear()), needs);
    let only_practitioner = |wire: &mut wire::Directive| {
        grantee(wire).organisation.clear();
        grantee(wire).department.clear();
    };
    assert_eq!(directive_refusal(only_practitioner), needs);
}

#[test]
fn c7_a_permit_names_one_organisation_and_only_a_forbid_is_an_objection() {
    let everybody = |wire: &mut wire::Directive| *grantee(wire) = wire::Grantee::default();
    let names_one = "directive.grantee is not valid: a permit names one organisation (C-7)";
    assert_eq!(directive_refusal(everybody), names_one);
    let purposes = "directive.purposes is not valid: a permit names its purposes (C-7)";
    assert_eq!(directive_refusal(|wire| wire.purposes.clear()), purposes);
    for basis in [3, 4, 5, 6] {
        let said = directive_refusal(|wire| wire.basis = basis);
        assert_eq!(said, "directive.basis is not valid: a permit rests on consent (C-7)");
    }
    let objection = "directive.basis is not valid: a forbid is an objection (C-7)";
    assert_eq!(directive_refusal(|wire| wire.stance = 2), objection);
    let forbid = |wire: &mut wire::Directive| {
        everybody(wire);
        (wire.stance, wire.basis, wire.existence_visible) = (2, 5, false);
    };
    assert_eq!(directive_refusal(forbid), "taken");
}

#[test]
fn c7_q6_only_a_permit_makes_existence_visible() {
    assert_eq!(directive_refusal(|wire| wire.existence_visible = true), "taken");
    let forbid = |wire: &mut wire::Directive| (wire.stance, wire.basis) = (2, 5);
    let visible = "directive.existence_visible is not valid: a forbid makes nothing visible (C-7)";
    assert_eq!(directive_refusal(forbid), visible);
}

#[test]
fn c7_d8_only_a_forbid_names_an_emergency() {
    let emergency = Purpose::Emergency.number();
    let treatment = Purpose::Treatment.number();
    let ordinary = "directive.purposes is not valid: no permit is for an emergency (C-7, D-8)";
    assert_eq!(directive_refusal(|wire| wire.purposes = vec![emergency]), ordinary);
    assert_eq!(directive_refusal(|wire| wire.purposes = vec![treatment, emergency]), ordinary);
    let forbid = |wire: &mut wire::Directive| {
        (wire.stance, wire.basis, wire.existence_visible) = (2, 5, false);
        wire.purposes = vec![emergency];
    };
    assert_eq!(directive_refusal(forbid), "taken");
}

#[test]
fn c5_what_a_directive_speaks_of_is_in_order() {
    let what = |wire: &mut wire::Directive| wire.what.clone().unwrap_or_default();
    let with = |change: &dyn Fn(&mut wire::What)| {
        directive_refusal(|wire| {
            let mut changed = what(wire);
            change(&mut changed);
            wire.what = Some(changed);
        })
    };
    let set = "ascending, none twice";
    assert_eq!(with(&|what| what.entries.reverse()), format!("what.entries is not valid: {set}"));
    assert_eq!(with(&|what| what.classes.reverse()), format!("what.classes is not valid: {set}"));
    assert_eq!(
        with(&|what| what.sensitivities = vec![1, 1]),
        format!("what.sensitivities is not valid: {set}")
    );
    let many = with(&|what| what.entries = (1..=65_u8).map(|byte| vec![byte; 32]).collect());
    assert_eq!(many, "what.entries has 65 items, more than 64");
    let empty = with(&|what| what.service_from = what.service_until);
    assert_eq!(empty, "what.service_until is not valid: after service_from");
    let everything = "what.classes is not valid: left empty where every code is meant (C-5)";
    assert_eq!(with(&|what| what.classes = (1..=16).collect()), everything);
    assert_eq!(with(&|what| what.sensitivities = vec![1, 2, 3]), everything);
    let until = |wire: &mut wire::Directive| wire.valid_until = Some(wire.valid_from);
    assert_eq!(directive_refusal(until), "directive.valid_until is not valid: after valid_from");
}

#[test]
fn c8_an_act_needs_one_whole_proof() {
    refused! { samples::permit();
        |wire| wire.proof = None => "act.proof is missing",
        |wire| wire.proof = Some(wire::Proof { proof: None }) => "act.proof is missing",
        |wire| wire.act.clear() => "directive.version is not valid: version 1: a newer one needs a newer program",
    }
    let passkey = |signature| {
        refusal(&samples::permit(), |wire| {
            let parts = wire::PasskeyAssertion {
                credential_id: vec![1],
                authenticator_data: vec![1],
                client_data_json: vec![1],
                signature,
                acts: Vec::new(),
            };
            wire.proof = Some(wire::Proof { proof: Some(wire::proof::Proof::Passkey(parts)) });
        })
    };
    assert_eq!(passkey(Vec::new()), "passkey.signature is not valid: not empty");
    assert_eq!(passkey(vec![1; 1_025]), "passkey.signature has 1025 bytes, more than 1024");
}

#[test]
fn c8_acts_that_are_signed_at_once_are_named_in_one_order() {
    let acts = |acts: &[u8]| {
        refusal(&samples::permit(), |wire| {
            let Some(wire::proof::Proof::Passkey(passkey)) = &mut wire.proof.get_or_insert_default().proof
            else {
                unreachable!("a permit that is signed")
            };
            passkey.acts = acts.iter().map(|seed| vec![*seed; 32]).collect();
        })
    };
    assert_eq!(acts(&[1]), "passkey.acts is not valid: none or several");
    for unordered in [[2, 1], [1, 1]] {
        assert_eq!(acts(&unordered), "passkey.acts is not valid: ascending, none twice");
    }
    assert_eq!(acts(&[1; 9]), "passkey.acts has 9 items, more than 8");
}

#[test]
fn c8_an_assertion_over_several_acts_proves_each_of_them_and_no_other() {
    let digest = |seed| Digest::new([seed; 32]).unwrap();
    let Proof::Passkey(alone) = samples::permit().proof else { unreachable!("a permit that is signed") };
    let over = |acts: &[u8]| PasskeyAssertion {
        acts: acts.iter().map(|seed| digest(*seed)).collect(),
        ..alone.clone()
    };
    assert_eq!(over(&[]).challenge_over(&digest(1)), Some(digest(1)));
    let both = challenge_of(&[digest(1), digest(2)]);
    assert_eq!(over(&[1, 2]).challenge_over(&digest(1)), Some(both));
    assert_eq!(over(&[1, 2]).challenge_over(&digest(2)), Some(both));
    assert_eq!(over(&[1, 2]).challenge_over(&digest(3)), None);
    assert_eq!(challenge_of(&[digest(1)]), digest(1));
    assert!([digest(1), digest(2), challenge_of(&[digest(1), digest(3)])].iter().all(|other| *other != both));
}

#[test]
fn c8_a_challenge_is_of_one_region_one_kind_and_these_bytes() {
    let permit = samples::permit();
    let challenge = permit.challenge(&region::region());
    assert_ne!(challenge, permit.challenge(&region::code("elsewhere")));
    let changed = Act { bytes: [&permit.bytes[..], &[0]].concat(), ..permit.clone() };
    assert_ne!(challenge, changed.challenge(&region::region()));
    let revocation = Act { bytes: permit.bytes, ..samples::revocation() };
    assert_ne!(challenge, revocation.challenge(&region::region()));
}

#[test]
fn w9_no_text_hides_in_a_label_or_a_clause() {
    refused! { samples::credential();
        |wire| wire.rp_id = "张三".to_owned() =>
            "credential.rp_id is not valid: letters, digits, dots and hyphens",
        |wire| wire.rp_id = "x".repeat(65) => "credential.rp_id has 65 bytes, more than 64",
    }
    for bad in ["", "D3", "DD-3", "d-3", "D-", "D-123", "D-x", "D-3-4", "张-3"] {
        let said = refusal(&samples::event(), |wire| wire.clause = bad.to_owned());
        assert_eq!(
            said, "access_event.clause is not valid: a letter, a hyphen and one or two digits",
            "{bad}"
        );
    }
    let notice = |wire: &mut wire::Directive| wire.notice.get_or_insert_default().version = "a b".to_owned();
    assert_eq!(directive_refusal(notice), "notice.version is not valid: letters, digits, dots and hyphens");
}
