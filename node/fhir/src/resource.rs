//! A FHIR resource on its way out, and the parts that all resources are made of.

use serde_json::{Map, Value, json};
use yiqiao_proto::id::Code;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::date;
use crate::terms::MEMBER;

/// Where the door is, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The address of the door, without a slash at its end, such as `https://node.example/fhir`.
    pub base: String,
    /// The hospital's code in the region.
    pub organisation: Code,
    /// The hospital's name.
    pub name: String,
}

/// A resource. It may describe a patient, so its body does not print.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    kind: &'static str,
    id: Option<String>,
    version: Option<u32>,
    body: Phi<Value>,
}

impl Site {
    /// The whole address of a resource.
    pub fn url(&self, kind: &str, id: &str) -> String {
        format!("{}/{kind}/{id}", self.base)
    }

    /// `Type/id` of an address, be it relative or of this door.
    pub(crate) fn relative<'u>(&self, url: &'u str) -> &'u str {
        url.strip_prefix(self.base.as_str()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(url)
    }
}

impl Resource {
    /// Empty elements are left out: FHIR has none.
    pub(crate) fn new(kind: &'static str, id: Option<String>, body: Value) -> Self {
        let mut body = pruned(body).unwrap_or_else(|| Value::Object(Map::new()));
        if let Value::Object(members) = &mut body {
            members.insert("resourceType".to_owned(), kind.into());
            if let Some(id) = &id {
                members.insert("id".to_owned(), id.as_str().into());
            }
        }
        Self { kind, id, version: None, body: Phi::new(body) }
    }

    /// The same with `meta.versionId`, which its ETag repeats.
    pub(crate) fn with_version(self, version: u32) -> Self {
        let body = self.body.map(|mut body| {
            if let Value::Object(members) = &mut body {
                let meta = members.entry("meta").or_insert_with(|| json!({}));
                if let Value::Object(meta) = meta {
                    meta.insert("versionId".to_owned(), version.to_string().into());
                }
            }
            body
        });
        Self { version: Some(version), body, ..self }
    }

    /// Its type, such as `Patient`.
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Its id, if it is one that can be read again.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its weak entity tag, if it has versions.
    pub fn etag(&self) -> Option<String> {
        self.version.map(etag)
    }

    /// The JSON.
    pub const fn json(&self) -> &Phi<Value> {
        &self.body
    }

    /// The JSON as bytes in UTF-8.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.body.expose().to_string().into_bytes()
    }
}

/// A weak entity tag (RFC 7232; FHIR R4, http.html#versioning).
pub(crate) fn etag(version: u32) -> String {
    format!("W/\"{version}\"")
}

/// A reference to a resource of this door.
pub(crate) fn reference(kind: &str, id: &str) -> Value {
    json!({"reference": format!("{kind}/{id}"), "type": kind})
}

/// A reference to a member of the region, which no door serves as a resource.
pub(crate) fn member(code: &Code, name: &str) -> Value {
    logical("Organization", MEMBER, code.as_str(), name)
}

/// A reference by identifier.
pub(crate) fn logical(kind: &str, system: &str, value: &str, display: &str) -> Value {
    json!({"type": kind, "identifier": {"system": system, "value": value}, "display": display})
}

/// From when to when, the end excluded; FHIR includes it.
pub(crate) fn period(from: Option<Timestamp>, until: Option<Timestamp>) -> Value {
    json!({"start": from.map(date::instant), "end": until.map(date::last_before)})
}

/// Without nulls, empty texts, empty lists and empty objects. The depth is that of what this crate writes.
fn pruned(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text).filter(|text| !text.trim().is_empty()).map(Value::String),
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(pruned).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.into_iter().filter_map(|(name, value)| Some((name, pruned(value)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        Value::Bool(_) | Value::Number(_) => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_empty_is_written_and_nothing_prints() {
        let resource =
            Resource::new("Patient", Some("a".to_owned()), json!({"name": [{"text": " "}], "x": 0}));
        assert_eq!(*resource.json().expose(), json!({"resourceType": "Patient", "id": "a", "x": 0}));
        assert!(format!("{resource:?}").contains("body: <phi>"));
    }

    #[test]
    fn a_version_is_in_the_meta_and_in_the_tag() {
        let resource = Resource::new("Task", None, json!({})).with_version(2);
        assert_eq!(resource.json().expose()["meta"]["versionId"], "2");
        assert_eq!(resource.etag().as_deref(), Some("W/\"2\""));
    }
}
