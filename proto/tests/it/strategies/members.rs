//! Member lists.

#![expect(clippy::unwrap_used, reason = "strategies make only what is valid")]

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::subsequence;
use yiqiao_proto::codes::{DefaultRule, KeyUse, MemberRole};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits;
use yiqiao_proto::member::{
    KeyState, Member, MemberList, Policy, SealingKey, SigningKey, TokenKey, Transport,
};
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::Millis;

use super::parts::{code, digest, label, number, one, ordinal, text, time};

pub(crate) fn member_list() -> impl Strategy<Value = MemberList> {
    let suite = one(&[Suite::Simulation, Suite::International]);
    let members = btree_map(code(), member_plan(), 1..4);
    let passkeys = (option::of(label()), vec(text(limits::NAME_BYTES_MAX), 0..3), btree_set(code(), 0..3));
    (
        (code(), code(), ordinal(), digest(), time(), suite),
        (
            number(),
            1_000..=limits::LEASE_MS_MAX,
            one(DefaultRule::ALL),
            any::<[bool; 2]>(),
            1..8_u32,
            passkeys,
        ),
        members,
        btree_set(1..=u32::MAX, 0..4),
    )
        .prop_map(|((region, log_id, version, previous, issued_at, suite), policy, plans, epochs)| {
            let (evaluations, lease, default_rule, [break_glass, open_without_lease], proofs, passkeys) =
                policy;
            let (rp_id, origins, vouchers) = passkeys;
            let members = (0_u8..).zip(plans).map(|(at, (code, plan))| {
                // M-9: the first is the registry, and nothing else.
                let roles = if at == 0 { BTreeSet::from([MemberRole::Registry]) } else { plan.roles };
                member(&region, code, at, suite, MemberPlan { roles, ..plan })
            });
            MemberList {
                version,
                previous: (version > 1).then_some(previous),
                issued_at,
                authority: signing_secret(suite, 250, 0).public(),
                policy: Policy {
                    suites: BTreeSet::from([suite]),
                    lease: Millis::new(lease),
                    default_rule,
                    break_glass,
                    proofs,
                    open_without_lease,
                    evaluations_per_day: evaluations,
                    evaluations_backfill: evaluations / 2,
                    rp_id,
                    origins,
                    vouchers: vouchers.into_iter().collect(),
                },
                members: members.collect(),
                token_keys: (1_u8..)
                    .zip(epochs)
                    .map(|(seed, epoch)| TokenKey { epoch, public_key: [seed; 32] })
                    .collect(),
                log_id,
                region,
            }
        })
}

/// What a member is, before it has keys.
#[derive(Clone, Debug)]
struct MemberPlan {
    name: String,
    contact: String,
    roles: BTreeSet<MemberRole>,
    suspended: bool,
    addresses: Vec<Vec<String>>,
    signing: Vec<(KeyUse, KeyState)>,
    sealing: Vec<KeyState>,
}

fn member_plan() -> impl Strategy<Value = MemberPlan> {
    let others: Vec<_> =
        MemberRole::ALL.iter().copied().filter(|role| *role != MemberRole::Registry).collect();
    let roles = subsequence(others, 1..=3).prop_map(|roles| roles.into_iter().collect());
    (
        (text(limits::NAME_BYTES_MAX), text(limits::NAME_BYTES_MAX), roles, any::<bool>()),
        vec(vec(text(limits::ADDRESS_BYTES_MAX), 0..3), 0..3),
        vec((one(KeyUse::ALL), key_state()), 0..4),
        vec(key_state(), 0..2),
    )
        .prop_map(|((name, contact, roles, suspended), addresses, signing, sealing)| MemberPlan {
            name,
            contact,
            roles,
            suspended,
            addresses,
            signing,
            sealing,
        })
}

fn key_state() -> impl Strategy<Value = KeyState> {
    prop_oneof![Just(KeyState::Valid), Just(KeyState::Retired), number().prop_map(KeyState::CompromisedSince)]
}

fn signing_secret(suite: Suite, member: u8, key: u8) -> SecretKey {
    let mut seed = [1; 32];
    seed[..2].copy_from_slice(&[member, key]);
    SecretKey::new(suite, &seed)
}

fn member(region: &Code, code: Code, at: u8, suite: Suite, plan: MemberPlan) -> Member {
    let signing_key = |(place, (for_use, state))| SigningKey {
        key: signing_secret(suite, at, place).public(),
        for_use,
        state,
    };
    let mut signing_keys: Vec<SigningKey> = (0_u8..).zip(plan.signing).map(signing_key).collect();
    // The key that vouches for the sealing keys.
    let voucher = signing_secret(suite, at, 100);
    signing_keys.push(SigningKey { key: voucher.public(), for_use: KeyUse::Words, state: KeyState::Valid });
    let sealing_key = |(place, state)| {
        let public_key = [200 + place, at].repeat(16).try_into().unwrap();
        SealingKey { state, ..SealingKey::countersigned(region, &code, public_key, &voucher) }
    };
    let sealing_keys = (0_u8..).zip(plan.sealing).map(sealing_key).collect();
    let transport =
        |(place, addresses)| Transport { peer_id: [vec![at; 20], vec![place; 14]].concat(), addresses };
    Member {
        code,
        name: plan.name,
        contact: plan.contact,
        roles: plan.roles,
        suspended: plan.suspended,
        transports: (0_u8..).zip(plan.addresses).map(transport).collect(),
        signing_keys,
        sealing_keys,
    }
}
