//! HL7 v2 as hospital and laboratory systems write it: ADT and ORU, in the dialect of each hospital.
//!
//! * A writes 2.4 in UTF-8: identifier types as the interface project numbered them (51 local, 1 identity card, 21
//!   passport, 25 health card), sex `1`/`2`, units in ASCII with the caret escaped, `*` before names of recognised tests.
//! * C writes 2.5.1 in GB18030: HL7's identifier types, the name with its pinyin, sex `M`/`F`, units with μ in the second
//!   component, `M` for a normal result, two blanks inside names of staff of two characters.
//! * D writes 2.3.1 without saying the character set: lines end with CR LF, carets in units are not escaped, ORC comes
//!   after OBR.
//!
//! Not here: MLLP, which is the transport.

use jiff::civil::DateTime;

use crate::feeds::{Case, Trigger};
use crate::hospitals::{Hospital, Staff};
use crate::labs::{Finding, Flag, Panel, Value};
use crate::people::Sex;
use crate::visits::{Kind, LabReport};

struct Dialect {
    version: &'static str,
    charset: &'static str,
    gb18030: bool,
    line_end: &'static str,
    sexes: (&'static str, &'static str),
    hl7_types: bool,
    pinyin: bool,
    normal: &'static str,
    dash: &'static str,
    other_names: bool,
    star: bool,
    unit: fn(&str) -> String,
    obr_first: bool,
    staff: fn(&str) -> String,
}

const A: Dialect = Dialect {
    version: "2.4",
    charset: "UNICODE UTF-8",
    gb18030: false,
    line_end: "\r",
    sexes: ("1", "2"),
    hl7_types: false,
    pinyin: false,
    normal: "N",
    dash: "-",
    other_names: false,
    star: true,
    unit: escape,
    obr_first: false,
    staff: str::to_owned,
};

const C: Dialect = Dialect {
    version: "2.5.1",
    charset: "GB18030",
    gb18030: true,
    line_end: "\r",
    sexes: ("M", "F"),
    hl7_types: true,
    pinyin: true,
    normal: "M",
    dash: "--",
    other_names: true,
    star: true,
    unit: |unit| {
        let unit = unit.replace("umol", "μmol").replace("10^", "10*");
        if unit.is_empty() { unit } else { format!("^{unit}") }
    },
    obr_first: false,
    staff: |name| {
        let mut letters = name.chars();
        match (letters.next(), letters.next(), letters.next()) {
            (Some(first), Some(second), None) => format!("{first}  {second}"),
            _ => name.to_owned(),
        }
    },
};

const D: Dialect = Dialect {
    version: "2.3.1",
    charset: "",
    gb18030: false,
    line_end: "\r\n",
    sexes: ("1", "2"),
    hl7_types: false,
    pinyin: false,
    normal: "",
    dash: "～",
    other_names: true,
    star: false,
    unit: str::to_owned,
    obr_first: true,
    staff: str::to_owned,
};

impl Dialect {
    fn of(hospital: &Hospital) -> &'static Self {
        match hospital.letter {
            'C' => &C,
            'D' => &D,
            _ => &A,
        }
    }
}

/// A message about patient and visit.
pub fn adt(case: &Case<'_>, trigger: Trigger) -> Vec<u8> {
    let dialect = Dialect::of(case.visit.hospital);
    let mut message = Message::new(case, case.visit.hospital.his, trigger.name());
    let event = trigger.name().trim_start_matches("ADT^");
    let at = stamp(case.at);
    message.push("EVN", &[(1, event), (2, &at), (6, &at)]);
    let number = match (trigger, &case.registration.provisional) {
        // Until the merge the hospital knows only the number given in haste.
        (Trigger::Registered | Trigger::Admitted, Some(provisional)) => provisional,
        _ => &case.registration.number,
    };
    message.pid(case, number);
    if let (Trigger::Merged, Some(provisional)) = (trigger, &case.registration.provisional) {
        message.push("MRG", &[(1, &format!("{}{}", escape(provisional), local_type(case, dialect)))]);
        return message.into_bytes();
    }
    message.pv1(case, (trigger == Trigger::Discharged).then_some(case.visit.until));
    message.allergies(case);
    message.diagnoses(case);
    message.into_bytes()
}

/// A laboratory report.
pub fn oru(case: &Case<'_>, report: &LabReport) -> Vec<u8> {
    let dialect = Dialect::of(case.visit.hospital);
    let mut message = Message::new(case, case.visit.hospital.lis, "ORU^R01");
    message.pid(case, &case.registration.number);
    message.pv1(case, None);
    if dialect.obr_first {
        message.obr(case, report);
        message.orc(case, report);
    } else {
        message.orc(case, report);
        message.obr(case, report);
    }
    for (at, finding) in report.findings.iter().enumerate() {
        message.obx(at + 1, finding, report);
    }
    if dialect.star {
        message.push("NTE", &[(1, "1"), (2, "L"), (3, "注：项目名称前标*者为桥州市检验结果互认项目。")]);
    }
    message.into_bytes()
}

/// Escapes what separates fields, components, repetitions and subcomponents.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\E\\"),
            '|' => escaped.push_str("\\F\\"),
            '^' => escaped.push_str("\\S\\"),
            '&' => escaped.push_str("\\T\\"),
            '~' => escaped.push_str("\\R\\"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Segments already written; fields are given already escaped, with their separators.
struct Message {
    text: String,
    dialect: &'static Dialect,
}

impl Message {
    fn new(case: &Case<'_>, application: &str, kind: &str) -> Self {
        let dialect = Dialect::of(case.visit.hospital);
        let mut message = Self { text: String::new(), dialect };
        let facility = case.visit.hospital.member.to_uppercase();
        let (at, id) = (stamp(case.at), case.id);
        let structure = match (dialect.version, kind) {
            ("2.5.1", "ORU^R01") => "ORU^R01^ORU_R01",
            _ => kind,
        };
        message.text = format!(
            "MSH|^~\\&|{application}|{facility}|YIQIAO|{facility}|{at}||{structure}|{id}|P|{}||||||{}",
            dialect.version, dialect.charset
        );
        message.text = message.text.trim_end_matches('|').to_owned();
        message.text.push_str(dialect.line_end);
        message
    }

    /// A segment with the fields at these places; empty ones between them, none after the last.
    fn push(&mut self, name: &str, fields: &[(usize, &str)]) {
        let last = fields.iter().filter(|(_, value)| !value.is_empty()).map(|(at, _)| *at).max().unwrap_or(0);
        self.text.push_str(name);
        for place in 1..=last {
            self.text.push('|');
            if let Some((_, value)) = fields.iter().find(|(at, _)| *at == place) {
                self.text.push_str(value);
            }
        }
        self.text.push_str(self.dialect.line_end);
    }

    fn pid(&mut self, case: &Case<'_>, number: &str) {
        let dialect = self.dialect;
        let person = &case.patient.person;
        let name = escape(&person.name.text);
        let name = if dialect.pinyin { format!("{name}^{}", person.name.pinyin) } else { name };
        let sex = match person.sex {
            Sex::Male => dialect.sexes.0,
            Sex::Female => dialect.sexes.1,
        };
        let address = escape(&person.address.text());
        let birth = person.birth.strftime("%Y%m%d").to_string();
        let ethnicity = format!("{}^{}", person.ethnicity.code, person.ethnicity.name);
        self.push(
            "PID",
            &[
                (1, "1"),
                (3, &identifiers(case, dialect, number)),
                (5, &name),
                (7, &birth),
                (8, sex),
                (11, &address),
                (13, &person.phone),
                (19, case.resident_id().unwrap_or_default()),
                (22, &ethnicity),
                (26, "156^中国"),
            ],
        );
    }

    fn pv1(&mut self, case: &Case<'_>, discharged: Option<DateTime>) {
        let visit = case.visit;
        let class = match visit.kind {
            Kind::Outpatient => "O",
            Kind::Emergency => "E",
            Kind::Inpatient => "I",
        };
        let department = format!("{}^^^{}", visit.department.code, escape(visit.department.name));
        let doctor = self.staff(visit.doctor, '^');
        let discharged = discharged.map(stamp).unwrap_or_default();
        self.push(
            "PV1",
            &[
                (1, "1"),
                (2, class),
                (3, &department),
                (7, &doctor),
                (10, visit.department.code),
                (19, &visit.number),
                (44, &stamp(visit.from)),
                (45, &discharged),
            ],
        );
    }

    fn allergies(&mut self, case: &Case<'_>) {
        for (at, allergy) in case.patient.allergies.iter().enumerate() {
            let what = format!("{}^{}", allergy.code, escape(allergy.name));
            self.push("AL1", &[(1, &(at + 1).to_string()), (2, "DA"), (3, &what), (5, allergy.reaction)]);
        }
    }

    fn diagnoses(&mut self, case: &Case<'_>) {
        let at = stamp(case.visit.from);
        for (place, condition) in case.visit.conditions.iter().enumerate() {
            let what = format!("{}^{}^ICD-10", condition.code, escape(condition.name));
            self.push("DG1", &[(1, &(place + 1).to_string()), (3, &what), (5, &at), (6, "A")]);
        }
    }

    fn orc(&mut self, case: &Case<'_>, report: &LabReport) {
        let doctor = self.staff(case.visit.doctor, '^');
        let order = order_number(report);
        self.push(
            "ORC",
            &[
                (1, "RE"),
                (2, &order),
                (3, &report.number),
                (5, "CM"),
                (9, &stamp(case.visit.from)),
                (12, &doctor),
            ],
        );
    }

    fn obr(&mut self, case: &Case<'_>, report: &LabReport) {
        let Panel { code, name, specimen, specimen_code, group, .. } = report.panel;
        let doctor = self.staff(case.visit.doctor, '^');
        self.push(
            "OBR",
            &[
                (1, "1"),
                (2, &order_number(report)),
                (3, &report.number),
                (4, &format!("{code}^{name}")),
                (7, &stamp(report.collected)),
                (15, &format!("{specimen_code}&{specimen}")),
                (16, &doctor),
                (20, &report.specimen),
                (22, &stamp(report.reported)),
                (24, group),
                (25, "F"),
                (32, &self.staff(report.by, '&')),
            ],
        );
    }

    fn obx(&mut self, at: usize, finding: &Finding, report: &LabReport) {
        let dialect = self.dialect;
        let analyte = finding.analyte;
        let name = if dialect.other_names { analyte.other_name } else { analyte.name };
        let star = if dialect.star && analyte.recognised { "*" } else { "" };
        let code =
            if dialect.other_names { escape(analyte.abbreviation) } else { format!("L{}", analyte.number()) };
        let kind = match finding.value {
            Value::Number(_) => "NM",
            Value::Word(_) => "ST",
        };
        let flag = match finding.flag {
            Flag::Low => "L",
            Flag::Normal => dialect.normal,
            Flag::High => "H",
        };
        let range = finding
            .range
            .map_or_else(|| "阴性".to_owned(), |span| format!("{}{}{}", span.low, dialect.dash, span.high));
        self.push(
            "OBX",
            &[
                (1, &at.to_string()),
                (2, kind),
                (3, &format!("{code}^{star}{}", escape(name))),
                (5, &finding.value.to_string()),
                (6, &(dialect.unit)(analyte.unit)),
                (7, &range),
                (8, flag),
                (11, "F"),
                (14, &stamp(report.reported)),
            ],
        );
    }

    fn staff(&self, who: Staff, separator: char) -> String {
        format!("{}{separator}{}", who.code, (self.dialect.staff)(who.name))
    }

    fn into_bytes(self) -> Vec<u8> {
        if self.dialect.gb18030 {
            encoding_rs::GB18030.encode(&self.text).0.into_owned()
        } else {
            self.text.into_bytes()
        }
    }
}

/// PID-3: the hospital's number, identity card and health card, in the hospital's way of telling them apart.
fn identifiers(case: &Case<'_>, dialect: &Dialect, number: &str) -> String {
    let local = format!("{}{}", escape(number), local_type(case, dialect));
    let (id, card) = (case.resident_id().unwrap_or_default(), &case.patient.person.health_card);
    if dialect.hl7_types {
        // This HIS keeps the check letter in lower case.
        let id = if id.is_empty() { String::new() } else { format!("~{}^^^MPS^NI", id.to_lowercase()) };
        return format!("{local}{id}~{card}^^^NHC^JHN");
    }
    format!("{local}~{id}^^^^1~^^^^21~{card}^^^^25")
}

fn local_type(case: &Case<'_>, dialect: &Dialect) -> String {
    if dialect.hl7_types {
        format!("^^^{}^PI", case.visit.hospital.member.to_uppercase())
    } else {
        "^^^^51".to_owned()
    }
}

fn order_number(report: &LabReport) -> String {
    report.number.replacen("JY", "SQ", 1)
}

fn stamp(at: DateTime) -> String {
    at.strftime("%Y%m%d%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_text_are_escaped() {
        assert_eq!(escape("10^9/L | A&B ~ \\"), "10\\S\\9/L \\F\\ A\\T\\B \\R\\ \\E\\");
    }

    #[test]
    fn each_dialect_spells_units_in_its_own_way() {
        let spelt = |unit: &str| [A, C, D].map(|dialect| (dialect.unit)(unit));
        assert_eq!(spelt("umol/L"), ["umol/L", "^μmol/L", "umol/L"]);
        assert_eq!(spelt("10^9/L"), ["10\\S\\9/L", "^10*9/L", "10^9/L"]);
        assert_eq!(spelt(""), ["", "", ""]);
    }
}
