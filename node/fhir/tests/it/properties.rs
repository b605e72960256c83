//! Whatever is sent, the readers answer: with what they read, or with a problem that is itself a valid resource.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use yiqiao_fhir::consent::read_new;
use yiqiao_fhir::date::{Comparison, Stretch};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::patient::lookups;
use yiqiao_fhir::provide;
use yiqiao_fhir::query::Request;
use yiqiao_fhir::referral::read_change;
use yiqiao_fhir::search::{Asked, ConsentFilter, DocumentFilter, PatientFilter, TaskFilter, read};
use yiqiao_proto::referral::State;

use crate::{rules, scenes};

/// Names and words that the readers look for, and some that they do not.
const WORDS: [&str; 40] = [
    "resourceType",
    "Consent",
    "Task",
    "Bundle",
    "status",
    "active",
    "current",
    "type",
    "permit",
    "deny",
    "entry",
    "resource",
    "request",
    "fullUrl",
    "reference",
    "identifier",
    "system",
    "value",
    "coding",
    "code",
    "extension",
    "url",
    "provision",
    "actor",
    "role",
    "purpose",
    "class",
    "data",
    "period",
    "start",
    "end",
    "patient",
    "performer",
    "scope",
    "category",
    "contained",
    "2026-11-22",
    "urn:yiqiao:member",
    "医",
    "",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((word(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Where each value of a tree stands.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| pointers(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| pointers(value, &format!("{at}/{n}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_answered<T>(read: Result<T, Problem>) {
    if let Err(problem) = read {
        assert!((400..500).contains(&problem.status()), "{problem}");
        rules::check(&problem.outcome());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        is_answered(read_new(&bytes, &scenes::site(), &scenes::everybody()));
        is_answered(provide::read(&bytes, &scenes::site()));
        is_answered(read_change(&bytes, &scenes::referral(State::Sent), &scenes::code("hospital-b")));
    }

    #[test]
    fn any_tree_is_answered(tree in tree(), kind in proptest::sample::select(vec!["Consent", "Task", "Bundle"])) {
        let mut tree = tree;
        if let Value::Object(members) = &mut tree {
            members.insert("resourceType".to_owned(), json!(kind));
        }
        let bytes = tree.to_string().into_bytes();
        is_answered(read_new(&bytes, &scenes::site(), &scenes::everybody()));
        is_answered(provide::read(&bytes, &scenes::site()));
        is_answered(read_change(&bytes, &scenes::referral(State::Sent), &scenes::code("hospital-b")));
    }

    #[test]
    fn a_consent_with_one_value_replaced_is_answered(place in any::<proptest::sample::Index>(), value in tree()) {
        let written = scenes::consent(scenes::permit()).write(&scenes::patient(), &scenes::site());
        let mut json = written.json().expose().clone();
        let mut places = Vec::new();
        pointers(&json, "", &mut places);
        let place: &String = place.get(&places);
        *json.pointer_mut(place).unwrap() = value;
        is_answered(read_new(json.to_string().as_bytes(), &scenes::site(), &scenes::everybody()));
    }

    #[test]
    fn any_search_is_answered(pairs in vec((word(), any::<String>()), 0..6), prefer in any::<String>()) {
        let query = form(&pairs);
        let request = Request { query: &query, form: "", prefer: &prefer };
        is_answered(read::<DocumentFilter>(&request));
        is_answered(read::<ConsentFilter>(&request));
        is_answered(read::<TaskFilter>(&request));
        if let Ok(Asked::First(search)) = read::<PatientFilter>(&request) {
            prop_assert!(search.filter.identifiers.iter().all(|token| lookups(token).len() <= 16));
        }
    }

    #[test]
    fn any_value_of_a_known_parameter_is_answered(at in any::<proptest::sample::Index>(), value in any::<String>()) {
        use yiqiao_fhir::search::Filter;
        let name = at.get(DocumentFilter::PARAMETERS).name.to_owned();
        let pairs = [("patient.identifier".to_owned(), "a|b".to_owned()), (name, value)];
        let query = form(&pairs);
        let read = read::<DocumentFilter>(&Request { query: &query, ..Request::default() });
        if let Ok(Asked::First(search)) = &read {
            search.filter.admits(&scenes::listing());
        }
        is_answered(read);
    }

    #[test]
    fn any_text_is_a_date_or_none(text in "[0-9T:.Z+-]{0,30}") {
        if let Some(stretch) = Stretch::parse(&text) {
            prop_assert!(stretch.from < stretch.until);
        }
        let _ = Comparison::parse(&text);
    }
}

/// Percent-encoded, so that every text comes through.
fn form(pairs: &[(String, String)]) -> String {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect::<Vec<_>>()
        .join("&")
}
