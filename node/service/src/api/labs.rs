//! Results over time: of this hospital's laboratory reports, and of those of others that were opened here before. Summaries
//! of a visit or a stay in FHIR hold results of laboratories too.
//!
//! Nothing is opened for a trend: a copy that nobody has opened yet is not in it, so that no figure is an opening that the
//! patient would see. Values stand as their reports say them; those in other units are other items.

use std::collections::BTreeMap;

use serde::Serialize;
use yiqiao_host::http::Problem;
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::{DocumentClass, DocumentFormat};
use yiqiao_proto::id::{Code, DocumentId, EntryId};
use yiqiao_proto::time::Timestamp;

use crate::api::front::Front;
use crate::api::limits::{TREND_BYTES_MAX, TREND_DOCUMENTS_MAX, TREND_ITEMS_MAX, TREND_POINTS_MAX};
use crate::api::record::{Kept, own_listed};
use crate::api::rendering::{Observation, observations};

/// One item over time.
#[derive(Serialize)]
pub(super) struct Trend {
    code: String,
    name: String,
    unit: String,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    #[serde(skip)]
    when: Timestamp,
    at: String,
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
    holder: String,
    entry: String,
}

/// A report that trends are made of.
struct Report {
    holder: Code,
    entry: EntryId,
    document: DocumentId,
    wrapped_key: Vec<u8>,
    format: DocumentFormat,
    at: Timestamp,
}

impl Front {
    /// The trends of the reports among documents that the actor sees.
    pub(super) async fn labs(&self, actor: &Actor, kept: &Kept) -> Result<Vec<Trend>, Problem> {
        let mut reports = own_reports(&self.app.member.code, kept);
        reports.extend(self.opened_reports(actor, kept).await?);
        reports.sort_by_key(|report| std::cmp::Reverse(report.at));
        reports.truncate(TREND_DOCUMENTS_MAX);
        let front = self.clone();
        let made = tokio::task::spawn_blocking(move || front.trends(&reports)).await;
        made.map_err(|error| Problem::internal(&error))
    }

    async fn opened_reports(&self, actor: &Actor, kept: &Kept) -> Result<Vec<Report>, Problem> {
        let opened = kept.copies.iter().filter(|copy| {
            matches!(copy.stage, Stage::Opened | Stage::Retained)
                && has_results(copy.listed.class, copy.listed.format)
                && copy.listed.size <= TREND_BYTES_MAX
        });
        let listed: Vec<_> = opened.map(|copy| copy.listed.clone()).collect();
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let (actor, now) = (actor.clone(), self.now());
        let readable = move |machine: &Machine, view: &View| {
            let mut reports = Vec::new();
            for one in listed.iter().rev().take(TREND_DOCUMENTS_MAX) {
                let found = machine.readable(&actor, &one.holder, &one.entry_id, now, view)?;
                reports.extend(found.map(|opened| Report {
                    holder: one.holder.clone(),
                    entry: one.entry_id,
                    document: opened.document,
                    wrapped_key: opened.wrapped_key,
                    format: opened.format,
                    at: one.service_start.unwrap_or(one.created_at),
                }));
            }
            Ok(reports)
        };
        Ok(self.app.inbox.ask(readable).await?)
    }

    /// A report that cannot be read is left out: opening it says why.
    fn trends(&self, reports: &[Report]) -> Vec<Trend> {
        let zone = self.app.reception.zone();
        let mut items: BTreeMap<String, Trend> = BTreeMap::new();
        for report in reports {
            let read = self.app.vault.document(report.document, &report.wrapped_key);
            let Ok(bytes) = read.and_then(|document| document.whole()) else { continue };
            for observation in observations(&bytes, report.format, zone) {
                self.add(&mut items, report, &observation);
            }
        }
        finish(items)
    }

    fn add(&self, items: &mut BTreeMap<String, Trend>, report: &Report, observation: &Observation) {
        let Some(value) = observation.number().filter(|_| !observation.name.is_empty()) else { return };
        let code = code_of(observation);
        if !items.contains_key(&code) && items.len() == TREND_ITEMS_MAX {
            return;
        }
        let (name, unit) = (observation.name.clone(), observation.unit.clone());
        let trend = items.entry(code.clone()).or_insert(Trend { code, name, unit, points: Vec::new() });
        if trend.points.len() == TREND_POINTS_MAX {
            return;
        }
        let when = observation.at.unwrap_or(report.at);
        let (low, high) = observation.bounds();
        let (holder, entry) = (report.holder.to_string(), report.entry.to_string());
        trend.points.push(Point { when, at: self.time(when), value, low, high, holder, entry });
    }
}

fn own_reports(own: &Code, kept: &Kept) -> Vec<Report> {
    let current = kept.own.iter().filter(|document| !document.replaced);
    let reports = current.filter_map(|document| {
        let listed = own_listed(own, document)?;
        let is_read = has_results(listed.class, listed.format) && listed.size <= TREND_BYTES_MAX;
        is_read.then(|| Report {
            holder: listed.holder,
            entry: listed.entry_id,
            document: listed.document,
            wrapped_key: document.wrapped_key.clone(),
            format: listed.format,
            at: listed.service_start.unwrap_or(listed.created_at),
        })
    });
    reports.collect()
}

/// Whether results are looked for: in laboratory reports, and in FHIR, where they are told from everything else, in summaries.
const fn has_results(class: DocumentClass, format: DocumentFormat) -> bool {
    let is_fhir = matches!(format, DocumentFormat::FhirJson | DocumentFormat::FhirXml);
    let is_summary =
        matches!(class, DocumentClass::Summary | DocumentClass::Outpatient | DocumentClass::Inpatient);
    matches!(class, DocumentClass::Laboratory) || is_fhir && is_summary
}

/// What makes two results one item: the LOINC code, or the name where there is none, and the unit. Codes of hospitals' own
/// mean something else at each.
fn code_of(observation: &Observation) -> String {
    let name = observation.loinc.as_ref().unwrap_or(&observation.name);
    format!("{name} {}", observation.unit).trim().to_owned()
}

/// Points by time, items by how much there is of them.
fn finish(items: BTreeMap<String, Trend>) -> Vec<Trend> {
    let mut trends: Vec<Trend> = items.into_values().collect();
    for trend in &mut trends {
        trend.points.sort_by_key(|point| point.when);
    }
    trends.sort_by_key(|trend| std::cmp::Reverse(trend.points.len()));
    trends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_read_for_results_where_their_format_tells_results_from_the_rest() {
        assert!(has_results(DocumentClass::Laboratory, DocumentFormat::CdaWst));
        for class in [DocumentClass::Summary, DocumentClass::Outpatient] {
            assert!(has_results(class, DocumentFormat::FhirJson), "{class:?}");
            assert!(!has_results(class, DocumentFormat::CdaWst), "{class:?}");
        }
        assert!(!has_results(DocumentClass::Imaging, DocumentFormat::FhirJson));
    }

    #[test]
    fn results_are_one_item_by_loinc_or_name_and_by_unit() {
        let of = |loinc: Option<&str>, name: &str, unit: &str| {
            code_of(&Observation {
                loinc: loinc.map(str::to_owned),
                name: name.to_owned(),
                value: "1".to_owned(),
                unit: unit.to_owned(),
                range: String::new(),
                flag: String::new(),
                at: None,
            })
        };
        assert_eq!(of(Some("2823-3"), "钾", "mmol/L"), of(Some("2823-3"), "血钾", "mmol/L"));
        assert_ne!(of(None, "血糖", "mmol/L"), of(None, "血糖", "mg/dL"));
    }
}
