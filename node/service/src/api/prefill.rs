//! `GET /api/patients/{subject}/referral-prefill`: what the own record says about the fields of a referral form, each with the
//! documents that say it, for a doctor to take over.
//!
//! Reading a document for it is opening it, and is written down as such. Documents of others are left alone, for each opening
//! of them is an event that the patient sees; so are preliminary, replaced and sensitive ones, which a doctor hands over on
//! purpose or not at all. Not here: what a note says: [`told`]; what a laboratory found: [`results`].

mod results;
mod told;

use std::cmp::Reverse;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::ask;
use yiqiao_proto::codes::{DocumentClass, DocumentStatus, Sensitivity};
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::limits::{FORM_IMPRESSIONS_MAX, FORM_LINE_BYTES_MAX, FORM_TEXT_BYTES_MAX};

use crate::api::front::{Acting, Front, subject};
use crate::api::limits::{PREFILL_BYTES_MAX, PREFILL_NOTES_MAX, PREFILL_REPORTS_MAX, PREFILL_RESULTS_MAX};
use crate::api::reading::blocking;
use crate::api::record::own_listed;
use crate::api::referral_form::text;
use crate::api::rendering::passages;
use crate::vault::VaultError;
use results::{Finding, findings};
use told::Told;

/// What ends a text that was longer.
const CUT: &str = "……（以下略，见原文）";

pub(super) fn router() -> Router<Front> {
    let prefill = get(prefill).fallback(method_not_allowed);
    Router::new().route("/api/patients/{subject}/referral-prefill", prefill)
}

/// The fields that a record speaks of. It describes a patient, and cannot be printed.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Prefill {
    impression: Field,
    present_illness: Field,
    past_history: Field,
    course: Field,
}

/// A field and who says so; empty if nobody does.
#[derive(Default, Serialize)]
struct Field {
    text: String,
    clipped: bool,
    sources: Vec<Source>,
}

/// A document that says something, so that somebody can look it up.
#[derive(Clone, PartialEq, Eq, Serialize)]
struct Source {
    holder: String,
    entry: String,
    title: String,
}

async fn prefill(
    State(front): State<Front>,
    acting: Acting,
    Path(name): Path<String>,
) -> Result<Json<Prefill>, Problem> {
    let (patient, _) = front.reader(&acting.actor, subject(&name)?).await?;
    front.view(&acting.actor, patient.subject).await?;
    let kept = front.kept(&patient).await?;
    let mut own: Vec<_> = kept.own.iter().filter_map(|document| front.quoted(document)).collect();
    own.sort_by_key(|listed| Reverse(listed.created_at));
    let mut found = front.notes(&acting, &own).await?;
    found.course.add_findings(front.reports(&acting, &own).await?);
    found.clip();
    Ok(Json(found))
}

impl Front {
    /// A document of this hospital that may be quoted in a form without being named.
    fn quoted(&self, document: &ask::Document) -> Option<ListedDocument> {
        let is_settled = DocumentStatus::try_from(document.index.status) != Ok(DocumentStatus::Preliminary);
        let listed = own_listed(&self.app.member.code, document)?;
        let is_plain = listed.sensitivity == Sensitivity::Normal && listed.size <= PREFILL_BYTES_MAX;
        (is_settled && is_plain && !document.replaced).then_some(listed)
    }

    /// Each field from the newest note that has it; no note is opened once all have something.
    async fn notes(&self, acting: &Acting, own: &[ListedDocument]) -> Result<Prefill, Problem> {
        let mut found = Prefill::default();
        for note in own.iter().filter(|listed| is_note(listed)).take(PREFILL_NOTES_MAX) {
            if found.is_whole() {
                break;
            }
            let format = note.format;
            let told = self.read(acting, note, move |bytes| Told::by(&passages(bytes, format))).await?;
            found.take(&told.unwrap_or_default(), &self.source(note));
        }
        Ok(found)
    }

    /// What the newest laboratory reports found, as far as it is told; none is opened once nothing of it would be told.
    async fn reports(
        &self,
        acting: &Acting,
        own: &[ListedDocument],
    ) -> Result<Vec<(Finding, Source)>, Problem> {
        let mut found: Vec<(Finding, Source)> = Vec::new();
        let reports = own.iter().filter(|listed| listed.class == DocumentClass::Laboratory);
        for report in reports.take(PREFILL_REPORTS_MAX) {
            if found.iter().filter(|(finding, _)| finding.is_marked).count() >= PREFILL_RESULTS_MAX {
                break;
            }
            let (format, reported) = (report.format, report.service_start.unwrap_or(report.created_at));
            let zone = self.app.reception.zone().clone();
            let read = move |bytes: &[u8]| findings(bytes, format, reported, &zone);
            let rows = self.read(acting, report, read).await?.unwrap_or_default();
            found.extend(rows.into_iter().map(|finding| (finding, self.source(report))));
            found = results::told(found);
        }
        found.truncate(PREFILL_RESULTS_MAX);
        Ok(found)
    }

    /// Opens a document, which is decided and written down, and reads it; nothing if its file cannot be read: opening it by
    /// itself says why.
    async fn read<T: Send + 'static>(
        &self,
        Acting { actor, account }: &Acting,
        listed: &ListedDocument,
        reader: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<Option<T>, Problem> {
        let login = account.login.clone();
        let opened = self.reopened(actor, login, &listed.holder, &listed.entry_id).await?;
        let vault = self.app.vault.clone();
        let read = move || {
            let bytes = vault.document(opened.document, &opened.wrapped_key).and_then(|file| file.whole());
            Ok::<_, VaultError>(bytes.ok().map(|bytes| reader(&bytes)))
        };
        blocking(read).await
    }

    fn source(&self, listed: &ListedDocument) -> Source {
        let title = listed.title.expose();
        Source {
            holder: listed.holder.to_string(),
            entry: listed.entry_id.to_string(),
            title: if title.is_empty() { listed.document_type.row().title.to_owned() } else { title.clone() },
        }
    }
}

/// Notes are what speaks of a whole visit or stay; a report tells its own part only.
const fn is_note(listed: &ListedDocument) -> bool {
    matches!(
        listed.class,
        DocumentClass::Summary
            | DocumentClass::Outpatient
            | DocumentClass::Inpatient
            | DocumentClass::Referral
    )
}

impl Prefill {
    const fn is_whole(&self) -> bool {
        !(self.impression.is_empty()
            || self.present_illness.is_empty()
            || self.past_history.is_empty()
            || self.course.is_empty())
    }

    /// Takes from a note what no newer one has said.
    fn take(&mut self, told: &Told, source: &Source) {
        self.impression.take(&told.impression, source);
        self.present_illness.take(&told.present_illness, source);
        self.past_history.take(&told.past_history, source);
        self.course.take(&told.course, source);
    }

    /// As long as the fields of a form may be.
    fn clip(&mut self) {
        self.impression.clip_to(&impressions(&self.impression.text));
        for field in [&mut self.present_illness, &mut self.past_history, &mut self.course] {
            field.clip_to(&cut(&field.text, FORM_TEXT_BYTES_MAX));
        }
    }
}

impl Field {
    const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn take(&mut self, said: &str, source: &Source) {
        if self.is_empty() && !said.trim().is_empty() {
            self.text = text(said);
            self.sources.push(source.clone());
        }
    }

    fn add_findings(&mut self, findings: Vec<(Finding, Source)>) {
        for (finding, source) in findings {
            let before = if self.is_empty() { "" } else { "\n" };
            self.text = format!("{}{before}{}", self.text, text(&finding.line));
            if !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
    }

    fn clip_to(&mut self, fitting: &str) {
        self.clipped = self.text != fitting;
        fitting.clone_into(&mut self.text);
    }
}

/// Diagnoses as the form takes them: so many lines of a certain length.
fn impressions(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(|line| cut(line, FORM_LINE_BYTES_MAX)).collect();
    if lines.len() > FORM_IMPRESSIONS_MAX {
        lines.truncate(FORM_IMPRESSIONS_MAX - 1);
        lines.push(CUT.to_owned());
    }
    lines.join("\n")
}

/// A text of at most so many bytes; one that was longer says so at its end.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub(CUT.len()));
    text.get(..end).unwrap_or_default().to_owned() + CUT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(entry: &str) -> Source {
        let [holder, title] = ["qzrm", "出院小结"].map(str::to_owned);
        Source { holder, entry: entry.to_owned(), title }
    }

    fn told(impression: &str, course: &str) -> Told {
        Told { impression: impression.to_owned(), course: course.to_owned(), ..Told::default() }
    }

    #[test]
    fn the_newest_note_that_has_a_field_is_its_only_source() {
        let mut found = Prefill::default();
        found.take(&told("", "扩冠。"), &source("new"));
        found.take(&told("心绞痛", "溶栓。"), &source("old"));
        let entries = |field: &Field| field.sources.iter().map(|one| one.entry.clone()).collect::<Vec<_>>();
        assert_eq!((found.course.text.as_str(), entries(&found.course)), ("扩冠。", vec!["new".to_owned()]));
        assert_eq!(
            (found.impression.text.as_str(), entries(&found.impression)),
            ("心绞痛", vec!["old".to_owned()])
        );
        assert!(!found.is_whole() && found.past_history.sources.is_empty());
    }

    #[test]
    fn what_is_too_long_for_the_form_is_cut_and_says_so() {
        let mut found = Prefill::default();
        found.take(&told(&"痛\n".repeat(20), &"长".repeat(FORM_TEXT_BYTES_MAX)), &source("a"));
        found.clip();
        assert!(found.course.clipped && found.course.text.len() <= FORM_TEXT_BYTES_MAX);
        assert!(found.course.text.ends_with(CUT));
        let lines: Vec<_> = found.impression.text.lines().collect();
        assert_eq!((lines.len(), lines.last()), (FORM_IMPRESSIONS_MAX, Some(&CUT)));
        assert!(cut(&"长".repeat(100), FORM_LINE_BYTES_MAX).len() <= FORM_LINE_BYTES_MAX);
        assert!(!found.past_history.clipped);
    }
}
