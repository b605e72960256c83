//! Reading JSON with a path for every complaint.

use serde_json::Value;

use crate::refusal::Refusal;

/// A value and its FHIR path.
#[derive(Clone)]
pub(super) struct Node<'v> {
    value: &'v Value,
    path: String,
    /// From XML, where a list of one cannot be told from a single element.
    lenient: bool,
}

impl<'v> Node<'v> {
    pub(super) const fn root(value: &'v Value, path: String, lenient: bool) -> Self {
        Self { value, path, lenient }
    }

    /// As it came.
    pub(super) const fn value(&self) -> &'v Value {
        self.value
    }

    /// Itself, if it is an object.
    pub(super) fn object(self) -> Result<Self, Refusal> {
        if self.value.is_object() { Ok(self) } else { Err(self.shape("an object")) }
    }

    /// A field that is there and not null.
    pub(super) fn field(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self { value, path: format!("{}.{name}", self.path), lenient: self.lenient })
    }

    /// A field that must be an object.
    pub(super) fn one(&self, name: &str) -> Result<Option<Self>, Refusal> {
        self.field(name).map(Self::object).transpose()
    }

    /// A field that must be a string.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        self.field(name).map(|field| field.string()).transpose().map(Option::flatten)
    }

    /// A field that must be a list of objects.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        self.items(name)?.into_iter().map(Self::object).collect()
    }

    /// A field that must be a list of strings.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let items = self.items(name)?;
        let texts = items.into_iter().filter(|item| !item.value.is_null()).map(|item| item.string());
        Ok(texts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// A field that is an object or a list of objects, as different resources have it.
    pub(super) fn any(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        match self.field(name) {
            Some(field) if field.value.is_object() => Ok(vec![field]),
            Some(_) => self.list(name),
            None => Ok(Vec::new()),
        }
    }

    /// A field that is a concept or a list of concepts; some resources have a plain code there, which has no words.
    pub(super) fn concepts(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        if self.field(name).is_some_and(|field| field.value.is_string()) {
            Ok(Vec::new())
        } else {
            self.any(name)
        }
    }

    /// The resource type of an object.
    pub(super) fn kind(&self) -> Result<String, Refusal> {
        let kind = self.text("resourceType")?.ok_or_else(|| self.shape("a resource with resourceType"))?;
        let formed = kind.len() <= 64 && kind.bytes().all(|b| b.is_ascii_alphabetic());
        if formed { Ok(kind) } else { Err(self.shape("a resource of a FHIR type")) }
    }

    /// A number, if it is one.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let value = self.field(name)?.value;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    fn items(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        let Some(field) = self.field(name) else { return Ok(Vec::new()) };
        match field.value {
            Value::Array(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(at, value)| Self {
                    value,
                    path: format!("{}[{at}]", field.path),
                    lenient: field.lenient,
                })
                .collect()),
            Value::Object(_) | Value::String(_) if self.lenient => Ok(vec![field]),
            Value::Object(_) | Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                Err(field.shape("a list"))
            }
        }
    }

    fn string(&self) -> Result<Option<String>, Refusal> {
        match self.value {
            Value::String(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            // An element of XML with an extension instead of a value.
            Value::Object(_) if self.lenient => Ok(None),
            Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                Err(self.shape("a string"))
            }
        }
    }

    fn shape(&self, expected: &'static str) -> Refusal {
        Refusal::Shape { path: self.path.clone(), expected }
    }
}
