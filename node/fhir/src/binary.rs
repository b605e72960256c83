//! A document's bytes as a resource, for a client that asks for FHIR and not for the bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use yiqiao_proto::id::EntryId;

use crate::resource::Resource;

/// The resource; its id is that of the DocumentReference.
pub fn write(entry: &EntryId, media_type: &str, plain: &[u8]) -> Resource {
    let body = json!({
        "contentType": media_type,
        "securityContext": {"reference": format!("DocumentReference/{entry}")},
        "data": STANDARD.encode(plain),
    });
    Resource::new("Binary", Some(entry.to_string()), body)
}
