//! Results over time: of this hospital's laboratory reports, and of those of others that were opened here before. Summaries
//! of a visit or a stay in CDA and FHIR hold results of laboratories too.
//!
//! Nothing is opened for a trend: a copy that nobody has opened yet is not in it, so that no figure is an opening that the
//! patient would see. Values of one item stand in one unit, each with what its report says and how it was converted; what
//! must not be converted is a trend of its own (docs/terms.md).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use yiqiao_host::http::Problem;
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::{DocumentClass, DocumentFormat};
use yiqiao_proto::id::{Code, DocumentId, EntryId};
use yiqiao_proto::time::Timestamp;
use yiqiao_terms::decimal::Decimal;
use yiqiao_terms::dictionary::Local;
use yiqiao_terms::harmonise::{Compared, Comparison};
use yiqiao_terms::item::Comparable;
use yiqiao_terms::value::{Lies, Step};

use crate::api::front::Front;
use crate::api::limits::{TREND_BYTES_MAX, TREND_DOCUMENTS_MAX, TREND_ITEMS_MAX, TREND_POINTS_MAX};
use crate::api::record::{Kept, own_listed};
use crate::api::rendering::{Observation, observations};

/// One item over time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trend {
    code: String,
    name: String,
    unit: String,
    /// The steps of its values, the least first, if it is not measured in numbers.
    steps: Vec<&'static str>,
    /// The one hospital whose results these are, if those of others are not comparable.
    only: Option<String>,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    #[serde(skip)]
    when: Timestamp,
    at: String,
    /// Where it stands: the value, or the place of its step.
    value: f64,
    /// The value as text, with no more digits than the report has.
    text: String,
    low: Option<f64>,
    high: Option<f64>,
    range: String,
    flag: &'static str,
    /// The mark of mutual recognition that the report has.
    recognition: Option<Recognition>,
    /// What the report says, if that is in another unit.
    reported: Option<Reported>,
    holder: String,
    entry: String,
}

/// A mark of mutual recognition, and the table in which the item stood that day.
#[derive(Serialize)]
struct Recognition {
    mark: String,
    region: Option<String>,
    /// The version of the region's table; none if no table that is loaded has the item.
    version: Option<String>,
}

/// A value before it was converted, and how it was.
#[derive(Serialize)]
struct Reported {
    value: String,
    unit: String,
    range: String,
    times: String,
    plus: Option<String>,
    source: String,
}

/// A report that trends are made of.
struct Report {
    holder: Code,
    entry: EntryId,
    document: DocumentId,
    wrapped_key: Vec<u8>,
    format: DocumentFormat,
    at: Timestamp,
    /// The system of this hospital that sent it.
    system: Option<Code>,
}

/// What items of this hospital's systems are, by the system and by what names an item.
type Meanings = BTreeMap<Code, BTreeMap<String, String>>;

impl Front {
    /// The trends of the reports among documents that the actor sees.
    pub(super) async fn labs(&self, actor: &Actor, kept: &Kept) -> Result<Vec<Trend>, Problem> {
        let mut reports = own_reports(&self.app.member.code, kept);
        reports.extend(self.opened_reports(actor, kept).await?);
        reports.sort_by_key(|report| std::cmp::Reverse(report.at));
        reports.truncate(TREND_DOCUMENTS_MAX);
        let meanings = self.meanings(&reports).await?;
        let front = self.clone();
        let made = tokio::task::spawn_blocking(move || front.trends(&reports, &meanings)).await;
        made.map_err(|error| Problem::internal(&error))
    }

    /// What people have accepted of the systems that sent these reports.
    async fn meanings(&self, reports: &[Report]) -> Result<Meanings, Problem> {
        let systems: BTreeSet<Code> = reports.iter().filter_map(|report| report.system.clone()).collect();
        let mut meanings = Meanings::new();
        for system in systems {
            let asked = system.clone();
            let of = self.app.inbox.ask(move |machine, view| machine.meanings(&asked, view)).await?;
            meanings.insert(system, of);
        }
        Ok(meanings)
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
                    system: None,
                }));
            }
            Ok(reports)
        };
        Ok(self.app.inbox.ask(readable).await?)
    }

    /// A report that cannot be read is left out: opening it says why.
    fn trends(&self, reports: &[Report], meanings: &Meanings) -> Vec<Trend> {
        let zone = self.app.reception.zone();
        let mut items: BTreeMap<String, Trend> = BTreeMap::new();
        for report in reports {
            let read = self.app.vault.document(report.document, &report.wrapped_key);
            let Ok(bytes) = read.and_then(|document| document.whole()) else { continue };
            let meant = report.system.as_ref().and_then(|system| meanings.get(system));
            for mut observation in observations(&bytes, report.format, zone) {
                mean(&mut observation, meant);
                self.add(&mut items, report, &observation);
            }
        }
        finish(items)
    }

    fn add(&self, items: &mut BTreeMap<String, Trend>, report: &Report, observation: &Observation) {
        let Some(compared) = self.terms.compare(observation.said()) else { return };
        let only = (compared.comparable == Comparable::InLaboratory).then(|| report.holder.to_string());
        let code = [Some(compared.series.as_str()), only.as_deref()];
        let code = code.into_iter().flatten().collect::<Vec<_>>().join(" ");
        if !items.contains_key(&code) && items.len() == TREND_ITEMS_MAX {
            return;
        }
        let trend = items.entry(code.clone()).or_insert_with(|| Trend {
            code,
            name: compared.name.clone().unwrap_or_else(|| observation.name.clone()),
            unit: compared.unit.clone(),
            steps: Vec::new(),
            only,
            points: Vec::new(),
        });
        if let Compared::Step(_) = compared.value {
            trend.steps = steps();
        }
        if trend.points.len() < TREND_POINTS_MAX {
            let when = observation.at.unwrap_or(report.at);
            let recognition = self.recognition(observation, when);
            trend.points.push(point(report, observation, compared, when, self.time(when), recognition));
        }
    }

    fn recognition(&self, observation: &Observation, when: Timestamp) -> Option<Recognition> {
        let mark = observation.recognition.as_ref()?;
        let day: String = self.time(when).chars().take(10).filter(char::is_ascii_digit).collect();
        let (loinc, name) = (observation.loinc.as_deref(), &observation.name);
        let tables = &self.app.member.recognised;
        let listed = day.parse().ok().and_then(|day| tables.listed(mark, loinc, name, day));
        Some(Recognition {
            mark: mark.shown(),
            region: listed.as_ref().map(|listed| listed.region.to_owned()).or_else(|| mark.region.clone()),
            version: listed.map(|listed| listed.version.to_owned()),
        })
    }
}

fn point(
    report: &Report,
    observation: &Observation,
    compared: Comparison,
    when: Timestamp,
    at: String,
    recognition: Option<Recognition>,
) -> Point {
    let (value, text) = match compared.value {
        Compared::Number(number) => (number.to_f64(), number.to_string()),
        Compared::Step(step) => (f64::from(step.rank()), step.name().to_owned()),
    };
    Point {
        when,
        at,
        value,
        text,
        low: compared.low.map(Decimal::to_f64),
        high: compared.high.map(Decimal::to_f64),
        range: range(compared.low, compared.high, observation),
        flag: flag(compared.lies),
        recognition,
        reported: compared.converted.map(|converted| Reported {
            value: observation.value.clone(),
            unit: observation.unit.clone(),
            range: observation.range.clone(),
            times: converted.times,
            plus: converted.plus,
            source: converted.source,
        }),
        holder: report.holder.to_string(),
        entry: report.entry.to_string(),
    }
}

/// A range in the unit of the trend; one that is not written in numbers stands as it is.
fn range(low: Option<Decimal>, high: Option<Decimal>, observation: &Observation) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{low}–{high}"),
        (Some(low), None) => format!("≥{low}"),
        (None, Some(high)) => format!("≤{high}"),
        (None, None) => observation.range.trim().to_owned(),
    }
}

const fn flag(lies: Lies) -> &'static str {
    match lies {
        Lies::High => "high",
        Lies::Low => "low",
        Lies::Within => "normal",
        Lies::Outside => "abnormal",
        Lies::Unknown => "unknown",
    }
}

/// The names of all steps by their places.
fn steps() -> Vec<&'static str> {
    Step::all().map(Step::name).collect()
}

/// Gives a result without a LOINC code the one that people have accepted for its item. The report stays as it is.
fn mean(observation: &mut Observation, meant: Option<&BTreeMap<String, String>>) {
    let Some(meant) = meant.filter(|meant| observation.loinc.is_none() && !meant.is_empty()) else { return };
    let Observation { code, name, sampled, unit, .. } = &*observation;
    let local = Local::new(code, name, sampled, unit);
    observation.loinc = local.and_then(|local| meant.get(&local.key()).cloned());
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
            system: Code::new(document.system.as_str()).ok(),
        })
    });
    reports.collect()
}

/// Whether results are looked for: in laboratory reports, and in CDA and FHIR, where they are told from everything else, in summaries.
const fn has_results(class: DocumentClass, format: DocumentFormat) -> bool {
    let is_told_apart = matches!(
        format,
        DocumentFormat::Cda | DocumentFormat::CdaWst | DocumentFormat::FhirJson | DocumentFormat::FhirXml
    );
    let is_summary =
        matches!(class, DocumentClass::Summary | DocumentClass::Outpatient | DocumentClass::Inpatient);
    matches!(class, DocumentClass::Laboratory) || is_told_apart && is_summary
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
        assert!(has_results(DocumentClass::Laboratory, DocumentFormat::Hl7V2));
        for class in [DocumentClass::Summary, DocumentClass::Outpatient] {
            assert!(has_results(class, DocumentFormat::FhirJson), "{class:?}");
            assert!(has_results(class, DocumentFormat::CdaWst), "{class:?}");
            assert!(!has_results(class, DocumentFormat::Hl7V2), "{class:?}");
        }
        assert!(!has_results(DocumentClass::Imaging, DocumentFormat::FhirJson));
    }
}
