//! Reading a resource that was sent: strictly, with the path of every complaint.
//!
//! Elements that a reader does not name are refused, not passed over: one of them could be a restriction.

use serde_json::{Map, Value};

use crate::limits::ITEMS_MAX;
use crate::outcome::{Name, Problem};

/// An object of a resource and its FHIR path.
#[derive(Clone)]
pub(crate) struct Element<'v> {
    members: &'v Map<String, Value>,
    path: String,
}

/// Reads bytes of at most so many as JSON.
pub(crate) fn parse(bytes: &[u8], what: &'static str, limit: usize) -> Result<Value, Problem> {
    if bytes.len() > limit {
        return Err(Problem::TooLarge { what, limit });
    }
    // Some systems begin with a byte order mark, which a reader may pass over (RFC 8259, 8.1).
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // The parser bounds the depth at 128.
    serde_json::from_slice(text).map_err(|error| Problem::Json { line: error.line(), column: error.column() })
}

impl<'v> Element<'v> {
    /// A resource of a type, with no other elements than these beside those that every resource may have.
    pub(crate) fn resource(value: &'v Value, kind: &'static str, known: &[&str]) -> Result<Self, Problem> {
        let root = Self::any(value, kind.to_owned())?;
        if root.text("resourceType")? != Some(kind) {
            return Err(root.invalid("resourceType", "the type that this address is for"));
        }
        root.only(&[known, &["resourceType", "id", "meta", "text", "language"]].concat())
    }

    /// An object with any elements.
    pub(crate) fn any(value: &'v Value, path: String) -> Result<Self, Problem> {
        match value.as_object() {
            Some(members) => Ok(Self { members, path }),
            None => Err(Problem::Invalid { path, expected: "an object" }),
        }
    }

    /// The same, if it has no other elements than these.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, Problem> {
        match self.members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Problem::NotCarriedOut { path: format!("{}.{}", self.path, Name::new(name)) }),
            None => Ok(self),
        }
    }

    /// The path of an element in this one.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    pub(crate) fn missing(&self, name: &str) -> Problem {
        Problem::Missing { path: self.path(name) }
    }

    pub(crate) fn invalid(&self, name: &str, expected: &'static str) -> Problem {
        Problem::Invalid { path: self.path(name), expected }
    }

    pub(crate) fn not_carried_out(&self, name: &str) -> Problem {
        Problem::NotCarriedOut { path: self.path(name) }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A string that is not blank.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'v str>, Problem> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(_) => Err(self.invalid(name, "a string that is not blank")),
        }
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(self.invalid(name, "true or false")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        match self.members.get(name) {
            None => Ok(None),
            Some(value) => {
                value.as_u64().map(Some).ok_or_else(|| self.invalid(name, "a whole number, not negative"))
            }
        }
    }

    /// An object with any elements.
    pub(crate) fn one(&self, name: &str) -> Result<Option<Self>, Problem> {
        self.members.get(name).map(|value| Self::any(value, self.path(name))).transpose()
    }

    /// An object that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<Self, Problem> {
        self.one(name)?.ok_or_else(|| self.missing(name))
    }

    /// A string that must be there.
    pub(crate) fn need_text(&self, name: &str) -> Result<&'v str, Problem> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// Objects with any elements; no list is an empty one.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<Self>, Problem> {
        let Some(value) = self.members.get(name) else { return Ok(Vec::new()) };
        let items = value.as_array().filter(|items| !items.is_empty());
        let items = items.ok_or_else(|| self.invalid(name, "a list that is not empty"))?;
        if items.len() > ITEMS_MAX {
            return Err(Problem::TooLarge { what: "a list of the resource", limit: ITEMS_MAX });
        }
        let item = |(at, value)| Self::any(value, format!("{}[{at}]", self.path(name)));
        items.iter().enumerate().map(item).collect()
    }

    /// The one object of a list of at most one.
    pub(crate) fn at_most_one(&self, name: &str) -> Result<Option<Self>, Problem> {
        let mut items = self.list(name)?;
        if items.len() > 1 { Err(self.invalid(name, "a list of one")) } else { Ok(items.pop()) }
    }

    /// The codings of a CodeableConcept: system, empty if it has none, and code.
    pub(crate) fn codings(&self) -> Result<Vec<(&'v str, &'v str)>, Problem> {
        self.list("coding")?.iter().map(Self::coding).collect()
    }

    /// System, empty if it has none, and code of a Coding.
    pub(crate) fn coding(&self) -> Result<(&'v str, &'v str), Problem> {
        Ok((self.text("system")?.unwrap_or_default(), self.need_text("code")?))
    }
}
