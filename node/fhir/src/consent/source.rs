//! What the hospital that recorded a Consent knows beside what was said: the paper that was signed, and who the guardian is. No directive says
//! either (W-9), so both stand in the evidence that the hospital keeps (C-8), which is the resource as it came.

use serde_json::{Value, json};
use yiqiao_proto::hash;
use yiqiao_proto::id::EntryId;
use yiqiao_proto::phi::Phi;

use crate::element::Element;
use crate::limits::GUARDIAN_BYTES_MAX;
use crate::outcome::Problem;
use crate::resource::{Site, reference};

/// What a Consent rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The document of this hospital that is the signed paper.
    pub document: Option<EntryId>,
    /// The guardian's name.
    pub guardian: Option<Phi<String>>,
}

impl Source {
    /// Reads it out of evidence; nothing if that is no Consent.
    pub fn of_evidence(evidence: &[u8]) -> Self {
        let text = evidence.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(evidence);
        let resource: Value = serde_json::from_slice(text).unwrap_or_default();
        let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str);
        let document = text("/sourceReference/reference").and_then(|url| url.rsplit('/').next());
        let is_guardians = kind_of(text("/performer/0/type"), text("/performer/0/reference")) == GUARDIAN;
        let guardian = text("/performer/0/display").filter(|name| is_guardians && *name != UNNAMED);
        Self {
            document: document.and_then(EntryId::from_hex),
            guardian: guardian.map(|name| Phi::new(name.to_owned())),
        }
    }

    /// Evidence for a resource that is too long to be kept: its hash, and this.
    pub fn evidence(&self, resource: &[u8]) -> Vec<u8> {
        let guardian =
            self.guardian.as_ref().map(|name| json!([{"type": GUARDIAN, "display": name.expose()}]));
        let evidence = json!({
            "sha256": hash::sha256_plain(&[resource]).map(|byte| format!("{byte:02x}")).concat(),
            "sourceReference": self.document.as_ref().map(written),
            "performer": guardian,
        });
        evidence.to_string().into_bytes()
    }
}

/// A performer who speaks for the patient.
pub(super) const GUARDIAN: &str = "RelatedPerson";
/// What stands for the name of a guardian whom another hospital knows.
pub(super) const UNNAMED: &str = "监护人";

/// The type of whom a reference names.
pub(super) fn kind_of<'t>(kind: Option<&'t str>, literal: Option<&'t str>) -> &'t str {
    let named = literal.unwrap_or_default().rsplit('/').nth(1).filter(|kind| !kind.is_empty());
    kind.or(named).unwrap_or_default()
}

/// A document of this hospital.
pub(super) fn written(document: &EntryId) -> Value {
    reference("DocumentReference", &document.to_string())
}

/// The paper that was signed.
pub(super) fn document(source: &Element<'_>, site: &Site) -> Result<EntryId, Problem> {
    let source = source.clone().only(&["reference", "type", "display"])?;
    let url = source.need_text("reference")?;
    let id = site.relative(url).strip_prefix("DocumentReference/").and_then(EntryId::from_hex);
    id.ok_or_else(|| {
        source.invalid("reference", "DocumentReference/ and the id of a document of this hospital")
    })
}

/// The name of a guardian, as far as it is said.
pub(super) fn guardian(performer: &Element<'_>) -> Result<Option<Phi<String>>, Problem> {
    match performer.text("display")?.filter(|name| *name != UNNAMED) {
        Some(name) if name.len() > GUARDIAN_BYTES_MAX => {
            Err(performer.invalid("display", "the guardian's name, of at most 256 bytes"))
        }
        name => Ok(name.map(|name| Phi::new(name.to_owned()))),
    }
}
