//! The structure of FHIR R4 (4.0.1), for the types that this door writes: elements, cardinalities, required codes, forms
//! of primitives, references into the resource. Written down from the standard; not here: profiles.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a rule that is broken fails the test")]

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use yiqiao_fhir::date::Stretch;
use yiqiao_fhir::resource::Resource;

/// Each type with its elements: `name:Type`, then `!` for one, `*` for a list, `+` for a list that is there. A type in
/// lower case is a primitive; codes that are allowed stand in parentheses.
const TYPES: &[(&str, &str)] = &[
    (
        "Patient",
        "identifier:Identifier* active:boolean name:HumanName* telecom:ContactPoint* \
         gender:code(male|female|other|unknown) birthDate:date deceasedDateTime:dateTime address:Address* \
         managingOrganization:Reference link:PatientLink*",
    ),
    ("PatientLink", "other:Reference! type:code(replaced-by|replaces|refer|seealso)!"),
    (
        "DocumentReference",
        "masterIdentifier:Identifier identifier:Identifier* status:code(current|superseded|entered-in-error)! \
         docStatus:code(preliminary|final|amended|entered-in-error) type:CodeableConcept category:CodeableConcept* \
         subject:Reference date:instant author:Reference* authenticator:Reference custodian:Reference \
         relatesTo:RelatesTo* description:string securityLabel:CodeableConcept* content:Content+ context:Context",
    ),
    ("RelatesTo", "code:code(replaces|transforms|signs|appends)! target:Reference!"),
    ("Content", "attachment:Attachment! format:Coding"),
    (
        "Context",
        "encounter:Reference* event:CodeableConcept* period:Period facilityType:CodeableConcept \
         practiceSetting:CodeableConcept sourcePatientInfo:Reference related:Reference*",
    ),
    (
        "Consent",
        "identifier:Identifier* status:code(draft|proposed|active|rejected|inactive|entered-in-error)! \
         scope:CodeableConcept! category:CodeableConcept+ patient:Reference dateTime:dateTime performer:Reference* \
         organization:Reference* sourceAttachment:Attachment sourceReference:Reference policy:Policy* policyRule:CodeableConcept \
         provision:Provision",
    ),
    (
        "Provision",
        "type:code(deny|permit) period:Period actor:Actor* action:CodeableConcept* securityLabel:Coding* \
         purpose:Coding* class:Coding* code:CodeableConcept* dataPeriod:Period data:ProvisionData* provision:Provision*",
    ),
    ("Policy", "authority:uri uri:uri"),
    ("Actor", "role:CodeableConcept! reference:Reference!"),
    ("ProvisionData", "meaning:code(instance|related|dependents|authoredby)! reference:Reference!"),
    (
        "PractitionerRole",
        "identifier:Identifier* practitioner:Reference organization:Reference code:CodeableConcept* \
         healthcareService:Reference*",
    ),
    (
        "ServiceRequest",
        "identifier:Identifier* basedOn:Reference* \
         status:code(draft|active|on-hold|revoked|completed|entered-in-error|unknown)! \
         intent:code(proposal|plan|directive|order|original-order|reflex-order|filler-order|instance-order|option)! \
         category:CodeableConcept* priority:code(routine|urgent|asap|stat) code:CodeableConcept subject:Reference! \
         authoredOn:dateTime requester:Reference performerType:CodeableConcept performer:Reference* \
         reasonCode:CodeableConcept* supportingInfo:Reference* note:Annotation*",
    ),
    (
        "Task",
        "identifier:Identifier* basedOn:Reference* \
         status:code(draft|requested|received|accepted|rejected|ready|cancelled|in-progress|on-hold|failed|completed|entered-in-error)! \
         statusReason:CodeableConcept businessStatus:CodeableConcept \
         intent:code(unknown|proposal|plan|order|original-order|reflex-order|filler-order|instance-order|option)! \
         priority:code(routine|urgent|asap|stat) code:CodeableConcept description:string focus:Reference for:Reference \
         authoredOn:dateTime lastModified:dateTime requester:Reference owner:Reference",
    ),
    (
        "Bundle",
        "type:code(searchset|transaction-response)! total:unsignedInt link:BundleLink* entry:BundleEntry*",
    ),
    ("BundleLink", "relation:string! url:uri!"),
    ("BundleEntry", "fullUrl:uri resource:Resource search:EntrySearch response:EntryResponse"),
    ("EntrySearch", "mode:code(match|include|outcome)"),
    ("EntryResponse", "status:string! location:uri etag:string lastModified:instant outcome:Resource"),
    ("OperationOutcome", "issue:Issue+"),
    (
        "Issue",
        "severity:code(fatal|error|warning|information)! \
         code:code(invalid|structure|required|value|invariant|security|login|unknown|expired|forbidden|suppressed|processing|not-supported|duplicate|multiple-matches|not-found|deleted|too-long|code-invalid|extension|too-costly|business-rule|conflict|transient|lock-error|no-store|exception|timeout|incomplete|throttled|informational)! \
         details:CodeableConcept diagnostics:string expression:string*",
    ),
    (
        "CapabilityStatement",
        "status:code(draft|active|retired|unknown)! date:dateTime! publisher:string \
         kind:code(instance|capability|requirements)! software:Software implementation:Implementation \
         fhirVersion:code(4.0.1)! format:code+ rest:Rest*",
    ),
    ("Software", "name:string! version:string"),
    ("Implementation", "description:string! url:uri"),
    (
        "Rest",
        "mode:code(client|server)! security:Security resource:RestResource* interaction:RestInteraction*",
    ),
    ("Security", "cors:boolean service:CodeableConcept* description:string"),
    (
        "RestResource",
        "type:code! documentation:string interaction:TypeInteraction* \
         versioning:code(no-version|versioned|versioned-update) conditionalCreate:boolean conditionalUpdate:boolean \
         searchRevInclude:string* searchParam:SearchParam* operation:Operation*",
    ),
    ("Operation", "name:string! definition:uri! documentation:string"),
    (
        "TypeInteraction",
        "code:code(read|vread|update|patch|delete|history-instance|history-type|create|search-type)! documentation:string",
    ),
    ("RestInteraction", "code:code(transaction|batch|search-system|history-system)! documentation:string"),
    (
        "SearchParam",
        "name:string! definition:uri \
         type:code(number|date|string|token|reference|composite|quantity|uri|special)! documentation:string",
    ),
    (
        "Identifier",
        "use:code(usual|official|temp|secondary|old) type:CodeableConcept system:uri value:string",
    ),
    ("HumanName", "use:code(usual|official|temp|nickname|anonymous|old|maiden) text:string"),
    ("ContactPoint", "system:code(phone|fax|email|pager|url|sms|other) value:string"),
    ("Address", "text:string"),
    ("CodeableConcept", "coding:Coding* text:string"),
    ("Coding", "system:uri version:string code:code display:string"),
    ("Reference", "reference:string type:uri identifier:Identifier display:string"),
    ("Period", "start:dateTime end:dateTime"),
    (
        "Attachment",
        "contentType:code language:code data:base64Binary url:uri size:unsignedInt hash:base64Binary title:string \
         creation:dateTime",
    ),
    ("Annotation", "text:string!"),
    (
        "Extension",
        "url:uri! valueString:string valueBoolean:boolean valueUri:uri valueCode:code valueReference:Reference",
    ),
    ("Meta", "versionId:id lastUpdated:instant profile:uri*"),
];

const OF_RESOURCES: &str = "resourceType:code! id:id meta:Meta language:code contained:Resource*";
const OF_ALL: &str = "extension:Extension* modifierExtension:Extension*";

/// Fails unless the resource has the structure of its type.
pub(crate) fn check(resource: &Resource) {
    let json = resource.json().expose();
    check_resource(json, resource.kind());
    let own: BTreeSet<String> = contained_ids(json);
    let mut local = BTreeSet::new();
    local_references(json, &mut local);
    assert_eq!(
        own, local,
        "each contained resource is referred to, and each local reference is contained (dom-3)"
    );
}

fn check_resource(value: &Value, path: &str) {
    let kind = value["resourceType"].as_str().unwrap_or_else(|| panic!("{path} has no resourceType"));
    check_type(value, kind, true, path);
}

fn check_type(value: &Value, kind: &str, is_resource: bool, path: &str) {
    let rules = TYPES.iter().find(|(name, _)| *name == kind);
    let (_, rules) = rules.unwrap_or_else(|| panic!("{path}: no rules for {kind}"));
    let members = value.as_object().unwrap_or_else(|| panic!("{path} is not an object"));
    assert!(!members.is_empty(), "{path} is empty");
    let common = if is_resource { OF_RESOURCES } else { "" };
    let mut known = BTreeSet::new();
    for rule in rules.split_whitespace().chain(common.split_whitespace()).chain(OF_ALL.split_whitespace()) {
        let (name, rest) = rule.split_once(':').unwrap();
        known.insert(name);
        check_element(members, name, rest, path);
    }
    for name in members.keys() {
        assert!(known.contains(name.as_str()), "{path}.{name} is not an element of {kind}");
    }
    if kind == "Extension" {
        let values = members.keys().filter(|name| name.starts_with("value")).count();
        assert_eq!(values + usize::from(members.contains_key("extension")), 1, "{path} (ext-1)");
    }
    if kind == "Consent" {
        let sources = members.keys().filter(|name| name.starts_with("source")).count();
        assert!(sources <= 1, "{path}.source[x] is one");
        assert!(members.contains_key("policyRule") || members.contains_key("policy"), "{path} (ppc-1)");
    }
}

fn check_element(members: &Map<String, Value>, name: &str, rule: &str, path: &str) {
    let path = format!("{path}.{name}");
    let (kind, count) = match rule.strip_suffix(['!', '*', '+']) {
        Some(kind) => (kind, rule.chars().last().unwrap()),
        None => (rule, '?'),
    };
    let Some(value) = members.get(name) else {
        assert!(matches!(count, '?' | '*'), "{path} is missing");
        return;
    };
    if matches!(count, '*' | '+') {
        let items = value.as_array().unwrap_or_else(|| panic!("{path} is not a list"));
        assert!(!items.is_empty(), "{path} is empty");
        for (at, item) in items.iter().enumerate() {
            check_value(item, kind, &format!("{path}[{at}]"));
        }
    } else {
        check_value(value, kind, &path);
    }
}

fn check_value(value: &Value, kind: &str, path: &str) {
    if kind == "Resource" {
        check_resource(value, path);
    } else if kind.starts_with(|c: char| c.is_ascii_uppercase()) {
        check_type(value, kind, false, path);
    } else {
        check_primitive(value, kind, path);
    }
}

fn check_primitive(value: &Value, kind: &str, path: &str) {
    let (kind, codes) =
        kind.split_once('(').map_or((kind, None), |(kind, codes)| (kind, codes.strip_suffix(')')));
    let text = value.as_str().unwrap_or_default();
    let has_time = text.contains('T') && (text.ends_with('Z') || text.contains('+'));
    let good = match kind {
        "boolean" => value.is_boolean(),
        "unsignedInt" => value.as_u64().is_some_and(|number| number <= 2_147_483_647),
        "string" => !text.trim().is_empty(),
        "uri" => !text.is_empty() && !text.contains(char::is_whitespace),
        "code" => {
            !text.is_empty()
                && text.trim() == text
                && codes.is_none_or(|codes| codes.split('|').any(|c| c == text))
        }
        "id" => {
            (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        }
        "instant" => has_time && Stretch::parse(text).is_some(),
        "dateTime" => (has_time || !text.contains('T')) && Stretch::parse(text).is_some(),
        "date" => !text.contains('T') && Stretch::parse(text).is_some(),
        other => panic!("{path}: no rule for {other}"),
    };
    assert!(good, "{path} is no {kind}: {value}");
}

fn contained_ids(value: &Value) -> BTreeSet<String> {
    let contained = value["contained"].as_array().into_iter().flatten();
    contained.map(|resource| format!("#{}", resource["id"].as_str().unwrap())).collect()
}

fn local_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let local = members.get("reference").and_then(Value::as_str).filter(|url| url.starts_with('#'));
            found.extend(local.map(str::to_owned));
            members.values().for_each(|value| local_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| local_references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
