//! FHIR XML as the JSON that means the same, as far as it is read.

use roxmltree::Node;
use serde_json::{Map, Value};

const FHIR: &str = "http://hl7.org/fhir";

/// A resource element as an object. Elements that repeat become lists; a list of one stays single.
pub(super) fn to_json(resource: Node<'_, '_>) -> Value {
    let mut object = fields(resource);
    object.insert("resourceType".to_owned(), Value::String(resource.tag_name().name().to_owned()));
    Value::Object(object)
}

/// The depth of XML is bounded, and so is this recursion.
fn fields(element: Node<'_, '_>) -> Map<String, Value> {
    let mut object = Map::new();
    if let Some(id) = element.attribute("id") {
        object.insert("id".to_owned(), Value::String(id.to_owned()));
    }
    for child in
        element.children().filter(|child| child.is_element() && child.tag_name().namespace() == Some(FHIR))
    {
        let name = child.tag_name().name();
        let value = value(child);
        match object.get_mut(name) {
            None => _ = object.insert(name.to_owned(), value),
            Some(Value::Array(items)) => items.push(value),
            Some(single) => *single = Value::Array(vec![single.take(), value]),
        }
    }
    object
}

fn value(element: Node<'_, '_>) -> Value {
    if let Some(primitive) = element.attribute("value") {
        return Value::String(primitive.to_owned());
    }
    let resource = element.first_element_child().filter(|child| is_fhir(*child));
    match resource {
        Some(resource) => to_json(resource),
        None => Value::Object(fields(element)),
    }
}

/// Whether an element is a FHIR resource.
fn is_fhir(root: Node<'_, '_>) -> bool {
    root.tag_name().namespace() == Some(FHIR) && begins_upper(root.tag_name().name())
}

fn begins_upper(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}
