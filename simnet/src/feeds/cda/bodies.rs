//! The bodies: sections by LOINC code, and in them entries by data element.

use crate::feeds::cda::header::stamp;
use crate::feeds::xml::Xml;
use crate::feeds::{Case, Document};
use crate::hospitals::Specialty;
use crate::labs::{Finding, Flag, Value};
use crate::visits::{ImageReport, Kind, LabReport, Referral};

/// A section's LOINC code and the name these documents give it.
type Section = (&'static str, &'static str);

const ALLERGIES: Section = ("48765-2", "Allergies, adverse reactions, alerts");
const COMPLAINT: Section = ("10154-3", "CHIEF COMPLAINT");
const PRESENT: Section = ("10164-2", "HISTORY OF PRESENT ILLNESS");
const PAST: Section = ("11348-0", "HISTORY OF PAST ILLNESS");
const STUDIES: Section = ("30954-2", "STUDIES SUMMARY");
const DIAGNOSIS: Section = ("29548-5", "Diagnosis");
const ORDERS: Section = ("46209-3", "Provider Orders");
const MEDICATION: Section = ("10160-0", "HISTORY OF MEDICATION USE");
const PHYSICAL: Section = ("29545-1", "PHYSICAL EXAMINATION");
const ADMISSION: Section = ("46241-6", "HOSPITAL ADMISSION DX");
const DISCHARGE: Section = ("11535-2", "Discharge Diagnosis");
const COURSE: Section = ("8648-8", "Hospital Course");
const REASON: Section = ("42349-1", "REASON FOR REFERRAL");

/// Writes the sections of a document.
pub(super) fn write(xml: &mut Xml, case: &Case<'_>, document: Document) {
    match document {
        Document::Consultation => consultation(xml, case),
        Document::Prescription => prescription(xml, case),
        Document::Image(at) => case.image(at).into_iter().for_each(|report| image(xml, case, report)),
        Document::Labs(at) => case.lab(at).into_iter().for_each(|report| labs(xml, case, report)),
        Document::Discharge => discharge(xml, case),
        Document::Referral => case.visit.referral.iter().for_each(|to| referral(xml, case, to)),
    }
}

fn consultation(xml: &mut Xml, case: &Case<'_>) {
    allergies(xml, case);
    history(xml, case);
    section(xml, STUDIES, |xml| {
        entry(xml, |xml| {
            nested(xml, "DE04.30.010.00", "辅助检查项目", &orders(case), |xml| {
                inner(xml, "DE04.30.009.00", "辅助检查结果", &case.visit.examinations());
            });
        });
    });
    diagnoses(xml, case, DIAGNOSIS);
    section(xml, ORDERS, |xml| fact(xml, "DE06.00.288.00", "医嘱项目内容", &case.visit.treatment));
}

fn prescription(xml: &mut Xml, case: &Case<'_>) {
    diagnoses(xml, case, DIAGNOSIS);
    medicines(xml, case);
    section(xml, ORDERS, |xml| {
        entry(xml, |xml| {
            observation(xml, "DE06.00.294.00", "处方有效天数", |xml| {
                xml.empty("value", &[("xsi:type", "PQ"), ("value", "3"), ("unit", "天")]);
            });
        });
    });
}

fn image(xml: &mut Xml, case: &Case<'_>, report: &ImageReport) {
    diagnoses(xml, case, DIAGNOSIS);
    section(xml, COMPLAINT, |xml| fact(xml, "DE04.01.119.00", "主诉", case.visit.complaint));
    section(xml, PHYSICAL, |xml| {
        fact(xml, "DE02.10.027.00", "检查方法名称", report.image.item);
        fact(xml, "DE04.30.018.00", "检查类别", report.image.modality);
        entry(xml, |xml| {
            observation(xml, "DE04.30.019.00", "检查项目代码", |xml| {
                xml.empty("effectiveTime", &[("value", &stamp(report.taken))]);
                xml.text("value", &[("xsi:type", "ST")], report.image.item);
            });
        });
        fact(xml, "DE06.00.093.00", "检查部位", report.image.site);
    });
    report_section(xml, "检查报告", |xml| {
        fact(xml, "DE04.50.131.00", "检查报告结果-客观所见", report.image.findings);
        fact(xml, "DE04.50.131.00", "检查报告结果-主观提示", report.image.impression);
        reporter(xml, case, "检查", Specialty::Imaging);
    });
}

fn labs(xml: &mut Xml, case: &Case<'_>, report: &LabReport) {
    diagnoses(xml, case, DIAGNOSIS);
    section(xml, STUDIES, |xml| {
        fact(xml, "DE02.10.027.00", "检验方法名称", report.panel.name);
        fact(xml, "DE04.30.018.00", "检验类别", report.panel.group);
        for finding in &report.findings {
            entry(xml, |xml| result(xml, report, finding));
        }
    });
    report_section(xml, "检验报告", |xml| {
        fact(xml, "DE04.50.130.00", "检验报告结果", &summary(report));
        reporter(xml, case, "检验", Specialty::Laboratory);
        fact(xml, "DE06.00.179.00", "检验报告备注", "项目名称前标*者为桥州市检验结果互认项目。");
    });
}

fn discharge(xml: &mut Xml, case: &Case<'_>) {
    diagnoses(xml, case, ADMISSION);
    diagnoses(xml, case, DISCHARGE);
    allergies(xml, case);
    history(xml, case);
    section(xml, STUDIES, |xml| fact(xml, "DE04.30.009.00", "辅助检查结果", &case.visit.examinations()));
    section(xml, COURSE, |xml| {
        fact(xml, "DE06.00.296.00", "诊疗过程描述", &case.visit.treatment);
        fact(xml, "DE06.00.193.00", "出院情况", "患者一般情况可，生命体征平稳，饮食、睡眠可。");
        fact(xml, "DE06.00.287.00", "出院医嘱", "按时服药，低盐低脂饮食，1～2周后门诊复查，不适随诊。");
        coded(
            xml,
            "DE05.10.113.00",
            "病情转归代码",
            ("2", "好转"),
            ("2.16.156.10011.2.3.1.148", "病情转归代码表"),
        );
    });
    medicines(xml, case);
}

fn referral(xml: &mut Xml, case: &Case<'_>, to: &Referral) {
    allergies(xml, case);
    history(xml, case);
    diagnoses(xml, case, DIAGNOSIS);
    section(xml, STUDIES, |xml| fact(xml, "DE04.30.009.00", "主要检查结果", &case.visit.examinations()));
    section(xml, COURSE, |xml| fact(xml, "DE06.00.296.00", "治疗经过", &case.visit.treatment));
    section(xml, REASON, |xml| {
        fact(xml, "DE06.00.315.00", "转诊原因", to.reason);
        fact(xml, "DE08.10.013.00", "转入医疗机构名称", to.to.name);
        fact(xml, "DE08.10.052.00", "转入医疗机构代码", to.to.code);
        fact(xml, "DE08.10.026.00", "转入医疗机构科室名称", to.to.department(to.specialty).name);
        fact(xml, "DE08.10.013.00", "转出医疗机构名称", case.visit.hospital.name);
        fact(xml, "DE08.10.026.00", "转出医疗机构科室名称", case.visit.department.name);
        fact(xml, "DE02.01.039.00", "转诊医师姓名", case.visit.doctor.name);
    });
    medicines(xml, case);
}

fn allergies(xml: &mut Xml, case: &Case<'_>) {
    let names: Vec<String> = case
        .patient
        .allergies
        .iter()
        .map(|allergy| format!("{}（{}）", allergy.name, allergy.reaction))
        .collect();
    section(xml, ALLERGIES, |xml| {
        entry(xml, |xml| {
            observation(xml, "DE02.10.023.00", "过敏史标志", |xml| {
                let marked = if names.is_empty() { "false" } else { "true" };
                xml.empty("value", &[("xsi:type", "BL"), ("value", marked)]);
                if !names.is_empty() {
                    inner(xml, "DE02.10.022.00", "过敏史", &names.join("；"));
                }
            });
        });
    });
}

fn history(xml: &mut Xml, case: &Case<'_>) {
    section(xml, COMPLAINT, |xml| fact(xml, "DE04.01.119.00", "主诉", case.visit.complaint));
    section(xml, PRESENT, |xml| fact(xml, "DE02.10.071.00", "现病史", case.visit.course));
    section(xml, PAST, |xml| fact(xml, "DE02.10.099.00", "既往史", &case.visit.past));
}

fn diagnoses(xml: &mut Xml, case: &Case<'_>, under: Section) {
    section(xml, under, |xml| {
        if case.visit.kind != Kind::Inpatient && under == DIAGNOSIS {
            coded(
                xml,
                "DE06.00.196.00",
                "初诊标志代码",
                ("1", "初诊"),
                ("2.16.156.10011.2.3.2.39", "初诊标志代码表"),
            );
        }
        for condition in &case.visit.conditions {
            fact(xml, "DE05.01.025.00", "诊断名称", condition.name);
            coded(
                xml,
                "DE05.01.024.00",
                "诊断代码",
                (condition.code, condition.name),
                ("2.16.156.10011.2.3.3.11.3", "诊断代码表(ICD-10)"),
            );
        }
    });
}

fn medicines(xml: &mut Xml, case: &Case<'_>) {
    section(xml, MEDICATION, |xml| {
        for medicine in &case.visit.medicines {
            entry(xml, |xml| {
                let attributes = [("classCode", "SBADM"), ("moodCode", "EVN")];
                xml.element("substanceAdministration", &attributes, |xml| administration(xml, medicine));
            });
        }
    });
}

fn administration(xml: &mut Xml, medicine: &crate::conditions::Medicine) {
    xml.text("text", &[], &medicine.instruction());
    xml.empty(
        "routeCode",
        &[
            ("code", medicine.route_code),
            ("displayName", medicine.route),
            ("codeSystem", "2.16.156.10011.2.3.1.158"),
            ("codeSystemName", "用药途径代码表"),
        ],
    );
    xml.empty("doseQuantity", &[("value", medicine.dose), ("unit", medicine.dose_unit)]);
    xml.empty("rateQuantity", &[("value", &medicine.times.to_string()), ("unit", "次/日")]);
    xml.empty(
        "administrationUnitCode",
        &[
            ("code", medicine.form_code),
            ("displayName", medicine.form),
            ("codeSystem", "2.16.156.10011.2.3.1.211"),
            ("codeSystemName", "药物剂型代码表"),
        ],
    );
    xml.element("consumable", &[], |xml| {
        xml.element("manufacturedProduct", &[], |xml| {
            xml.element("manufacturedLabeledDrug", &[], |xml| {
                xml.empty("code", &[("code", medicine.code)]);
                xml.text("name", &[], medicine.name);
            });
        });
    });
    inner(xml, "DE08.50.043.00", "药物规格", medicine.specification);
    inner(xml, "DE06.00.133.00", "药物使用频率", medicine.frequency);
}

fn result(xml: &mut Xml, report: &LabReport, finding: &Finding) {
    let star = if finding.analyte.recognised { "*" } else { "" };
    observation(xml, "DE04.30.019.00", "检验项目代码", |xml| {
        xml.empty("effectiveTime", &[("value", &stamp(report.reported))]);
        xml.text("value", &[("xsi:type", "ST")], &format!("{star}{}", finding.analyte.name));
        related(xml, |xml| {
            observation(xml, "DE04.50.134.00", "标本类别", |xml| {
                xml.element("effectiveTime", &[], |xml| {
                    xml.empty("low", &[("value", &stamp(report.collected))]);
                });
                xml.text("value", &[("xsi:type", "ST")], report.panel.specimen);
            });
        });
        let (code, name) = match finding.flag {
            Flag::Normal => ("1", "正常"),
            Flag::Low | Flag::High => ("2", "异常"),
        };
        related(xml, |xml| {
            code_of(
                xml,
                "DE04.30.017.00",
                "检验结果代码",
                (code, name),
                ("2.16.156.10011.2.3.2.38", "检查(检验)结果代码表"),
            );
        });
        related(xml, |xml| quantity(xml, finding));
    });
}

fn quantity(xml: &mut Xml, finding: &Finding) {
    match finding.value {
        Value::Word(word) => {
            observation(xml, "DE04.30.009.00", "检验定性结果", |xml| {
                xml.text("value", &[("xsi:type", "ST")], word);
            });
        }
        Value::Number(number) => observation(xml, "DE04.30.015.00", "检验定量结果", |xml| {
            xml.empty("value", &[("xsi:type", "REAL"), ("value", &number.to_string())]);
            inner(xml, "DE04.30.016.00", "检验定量结果计量单位", finding.analyte.unit);
            if let Some(span) = finding.range {
                xml.element("referenceRange", &[], |xml| {
                    xml.element("observationRange", &[], |xml| {
                        xml.text("value", &[("xsi:type", "ST")], &format!("{}-{}", span.low, span.high));
                    });
                });
            }
        }),
    }
}

fn reporter(xml: &mut Xml, case: &Case<'_>, what: &str, specialty: Specialty) {
    fact(xml, "DE08.10.026.00", &format!("{what}报告科室"), case.visit.hospital.department(specialty).name);
    fact(xml, "DE08.10.013.00", &format!("{what}报告机构名称"), case.visit.hospital.name);
}

fn orders(case: &Case<'_>) -> String {
    let labs = case.visit.labs.iter().map(|lab| lab.panel.name);
    let names: Vec<&str> = labs.chain(case.visit.images.iter().map(|report| report.image.item)).collect();
    names.join("、")
}

fn summary(report: &LabReport) -> String {
    report.findings.iter().map(Finding::text).collect::<Vec<_>>().join("；")
}

fn section(xml: &mut Xml, (code, name): Section, entries: impl FnOnce(&mut Xml)) {
    xml.element("component", &[], |xml| {
        xml.element("section", &[], |xml| {
            let system = [("codeSystem", "2.16.840.1.113883.6.1"), ("codeSystemName", "LOINC")];
            xml.empty("code", &[&[("code", code), ("displayName", name)], &system[..]].concat());
            xml.empty("text", &[]);
            entries(xml);
        });
    });
}

/// The section of a report itself, for which the standard has a name and no code.
fn report_section(xml: &mut Xml, name: &str, entries: impl FnOnce(&mut Xml)) {
    xml.element("component", &[], |xml| {
        xml.element("section", &[], |xml| {
            xml.empty("code", &[("displayName", name)]);
            xml.empty("text", &[]);
            entries(xml);
        });
    });
}

fn entry(xml: &mut Xml, content: impl FnOnce(&mut Xml)) {
    xml.element("entry", &[], content);
}

fn related(xml: &mut Xml, content: impl FnOnce(&mut Xml)) {
    xml.element("entryRelationship", &[("typeCode", "COMP")], content);
}

fn observation(xml: &mut Xml, element: &str, name: &str, content: impl FnOnce(&mut Xml)) {
    xml.element("observation", &[("classCode", "OBS"), ("moodCode", "EVN")], |xml| {
        xml.empty(
            "code",
            &[
                ("code", element),
                ("codeSystem", "2.16.156.10011.2.2.1"),
                ("codeSystemName", "卫生信息数据元目录"),
                ("displayName", name),
            ],
        );
        content(xml);
    });
}

/// An entry with one data element and its text.
fn fact(xml: &mut Xml, element: &str, name: &str, value: &str) {
    entry(xml, |xml| nested(xml, element, name, value, |_| ()));
}

/// A data element with its text and what belongs to it.
fn nested(xml: &mut Xml, element: &str, name: &str, value: &str, content: impl FnOnce(&mut Xml)) {
    observation(xml, element, name, |xml| {
        xml.text("value", &[("xsi:type", "ST")], value);
        content(xml);
    });
}

/// A data element that belongs to another.
fn inner(xml: &mut Xml, element: &str, name: &str, value: &str) {
    related(xml, |xml| nested(xml, element, name, value, |_| ()));
}

/// An entry with one data element and its code in a code system (its OID and name).
fn coded(xml: &mut Xml, element: &str, name: &str, code: (&str, &str), system: (&str, &str)) {
    entry(xml, |xml| code_of(xml, element, name, code, system));
}

fn code_of(xml: &mut Xml, element: &str, name: &str, code: (&str, &str), system: (&str, &str)) {
    observation(xml, element, name, |xml| {
        xml.empty(
            "value",
            &[
                ("xsi:type", "CD"),
                ("code", code.0),
                ("displayName", code.1),
                ("codeSystem", system.0),
                ("codeSystemName", system.1),
            ],
        );
    });
}
