//! The header of a document: what it is, whom it is about, who wrote, keeps and signed it, and during which stay.

use jiff::civil::DateTime;

use crate::feeds::cda::template;
use crate::feeds::xml::Xml;
use crate::feeds::{Case, Document};
use crate::hospitals::{Department, Specialty, Staff};
use crate::visits::Kind;

/// Roots of identifiers below 2.16.156.10011.1.
mod root {
    pub(super) const DOCUMENT: &str = "2.16.156.10011.1.1";
    pub(super) const RESIDENT: &str = "2.16.156.10011.1.3";
    pub(super) const STAFF: &str = "2.16.156.10011.1.4";
    pub(super) const INSTITUTION: &str = "2.16.156.10011.1.5";
    pub(super) const AUTHOR: &str = "2.16.156.10011.1.7";
    pub(super) const OUTPATIENT: &str = "2.16.156.10011.1.11";
    pub(super) const INPATIENT: &str = "2.16.156.10011.1.12";
    pub(super) const SPECIMEN: &str = "2.16.156.10011.1.14";
    pub(super) const HEALTH_CARD: &str = "2.16.156.10011.1.19";
    pub(super) const PRESCRIPTION: &str = "2.16.156.10011.1.20";
    pub(super) const DEPARTMENT: &str = "2.16.156.10011.1.26";
    pub(super) const EXAM_REPORT: &str = "2.16.156.10011.1.32";
    pub(super) const LAB_REPORT: &str = "2.16.156.10011.1.33";
}

/// A time as documents write it: fourteen digits.
pub(super) fn stamp(at: DateTime) -> String {
    at.strftime("%Y%m%d%H%M%S").to_string()
}

/// Writes everything before the body.
pub(super) fn write(xml: &mut Xml, case: &Case<'_>, document: Document) {
    what(xml, case, document);
    patient(xml, case, document);
    author(xml, case, document);
    custodian(xml, case);
    signatures(xml, case, document);
    xml.element("relatedDocument", &[("typeCode", "RPLC")], |xml| {
        xml.element("parentDocument", &[], |xml| {
            xml.empty("id", &[]);
            xml.empty("setId", &[]);
            xml.empty("versionNumber", &[]);
        });
    });
    if case.visit.kind == Kind::Inpatient {
        stay(xml, case);
    }
}

fn what(xml: &mut Xml, case: &Case<'_>, document: Document) {
    xml.empty("realmCode", &[("code", "CN")]);
    xml.empty("typeId", &[("root", "2.16.840.1.113883.1.3"), ("extension", "POCD_MT000040")]);
    xml.empty("templateId", &[("root", template(document))]);
    xml.comment("文档流水号");
    xml.empty("id", &[("root", root::DOCUMENT), ("extension", case.id)]);
    let system = [("codeSystem", "2.16.156.10011.2.4"), ("codeSystemName", "卫生信息共享文档规范编码体系")];
    xml.empty("code", &[&[("code", document.code())], &system[..]].concat());
    xml.text("title", &[], document.title());
    xml.comment("文档机器生成时间");
    xml.empty("effectiveTime", &[("value", &stamp(case.at))]);
    xml.empty(
        "confidentialityCode",
        &[
            ("code", "N"),
            ("codeSystem", "2.16.840.1.113883.5.25"),
            ("codeSystemName", "Confidentiality"),
            ("displayName", "正常访问保密级别"),
        ],
    );
    xml.empty("languageCode", &[("code", "zh-CN")]);
    xml.empty("setId", &[]);
    xml.empty("versionNumber", &[]);
}

fn patient(xml: &mut Xml, case: &Case<'_>, document: Document) {
    xml.element("recordTarget", &[("typeCode", "RCT"), ("contextControlCode", "OP")], |xml| {
        xml.element("patientRole", &[("classCode", "PAT")], |xml| {
            identifiers(xml, case, document);
            let kind = case.visit.kind;
            xml.element("patientType", &[], |xml| {
                xml.empty(
                    "patienttypeCode",
                    &[
                        ("code", kind.code()),
                        ("codeSystem", "2.16.156.10011.2.3.1.271"),
                        ("codeSystemName", "患者类型代码表"),
                        ("displayName", kind.name()),
                    ],
                );
            });
            xml.element("addr", &[("use", "H")], |xml| {
                let address = &case.patient.person.address;
                xml.text("city", &[], crate::people::TOWN);
                xml.text("county", &[], address.district);
                xml.text("township", &[], address.subdistrict);
                xml.text("streetName", &[], &address.line);
            });
            xml.empty("telecom", &[("value", &case.patient.person.phone)]);
            person(xml, case);
            organization(xml, "providerOrganization", case, case.visit.department);
        });
    });
}

fn identifiers(xml: &mut Xml, case: &Case<'_>, document: Document) {
    match case.visit.kind {
        Kind::Outpatient | Kind::Emergency => {
            xml.comment("门（急）诊号标识");
            xml.empty("id", &[("root", root::OUTPATIENT), ("extension", &case.registration.number)]);
        }
        Kind::Inpatient => {
            xml.comment("住院号标识");
            xml.empty("id", &[("root", root::INPATIENT), ("extension", &case.visit.number)]);
        }
    }
    xml.empty("id", &[("root", root::HEALTH_CARD), ("extension", &case.patient.person.health_card)]);
    match document {
        Document::Labs(at) => {
            if let Some(lab) = case.lab(at) {
                xml.comment("检验报告单号、标本编号标识");
                xml.empty("id", &[("root", root::LAB_REPORT), ("extension", &lab.number)]);
                xml.empty("id", &[("root", root::SPECIMEN), ("extension", &lab.specimen)]);
            }
        }
        Document::Image(at) => {
            if let Some(image) = case.image(at) {
                xml.comment("检查报告单号标识");
                xml.empty("id", &[("root", root::EXAM_REPORT), ("extension", &image.number)]);
            }
        }
        Document::Prescription => {
            xml.comment("处方编号标识");
            let number = case.visit.number.replacen("MZ", "CF", 1);
            xml.empty("id", &[("root", root::PRESCRIPTION), ("extension", &number)]);
        }
        Document::Consultation | Document::Discharge | Document::Referral => {}
    }
}

fn person(xml: &mut Xml, case: &Case<'_>) {
    let person = &case.patient.person;
    xml.element("patient", &[("classCode", "PSN"), ("determinerCode", "INSTANCE")], |xml| {
        xml.comment("患者身份证号标识");
        let id = case.resident_id().unwrap_or_default();
        xml.empty("id", &[("root", root::RESIDENT), ("extension", id)]);
        xml.text("name", &[], &person.name.text);
        xml.empty(
            "administrativeGenderCode",
            &[
                ("code", person.sex.code()),
                ("codeSystem", "2.16.156.10011.2.3.3.4"),
                ("codeSystemName", "生理性别代码表(GB/T 2261.1)"),
                ("displayName", person.sex.name()),
            ],
        );
        xml.empty("birthTime", &[("value", &person.birth.strftime("%Y%m%d").to_string())]);
        xml.empty(
            "ethnicGroupCode",
            &[
                ("code", person.ethnicity.code),
                ("codeSystem", "2.16.156.10011.2.3.3.3"),
                ("codeSystemName", "民族类别代码表(GB 3304)"),
                ("displayName", person.ethnicity.name),
            ],
        );
        let age = person.age(case.at.date()).to_string();
        xml.empty("age", &[("unit", "岁"), ("value", &age)]);
    });
}

fn organization(xml: &mut Xml, name: &str, case: &Case<'_>, department: &Department) {
    xml.element(name, &[], |xml| {
        xml.empty("id", &[("root", root::DEPARTMENT), ("extension", department.code)]);
        xml.text("name", &[], department.name);
        xml.element("asOrganizationPartOf", &[], |xml| {
            xml.element("wholeOrganization", &[], |xml| institution(xml, case));
        });
    });
}

fn institution(xml: &mut Xml, case: &Case<'_>) {
    xml.empty("id", &[("root", root::INSTITUTION), ("extension", case.visit.hospital.code)]);
    xml.text("name", &[], case.visit.hospital.name);
}

fn author(xml: &mut Xml, case: &Case<'_>, document: Document) {
    let (at, by) = match document {
        Document::Labs(at) => case.lab(at).map(|lab| (lab.reported, lab.by)),
        Document::Image(at) => case.image(at).map(|image| (image.reported, image.by)),
        Document::Consultation | Document::Prescription | Document::Discharge | Document::Referral => None,
    }
    .unwrap_or((case.at, case.visit.doctor));
    xml.element("author", &[("typeCode", "AUT"), ("contextControlCode", "OP")], |xml| {
        xml.empty("time", &[("value", &stamp(at))]);
        xml.element("assignedAuthor", &[("classCode", "ASSIGNED")], |xml| {
            xml.empty("id", &[("root", root::AUTHOR), ("extension", by.code)]);
            xml.element("assignedPerson", &[], |xml| xml.text("name", &[], by.name));
        });
    });
}

fn custodian(xml: &mut Xml, case: &Case<'_>) {
    xml.element("custodian", &[("typeCode", "CST")], |xml| {
        xml.element("assignedCustodian", &[("classCode", "ASSIGNED")], |xml| {
            let attributes = [("classCode", "ORG"), ("determinerCode", "INSTANCE")];
            xml.element("representedCustodianOrganization", &attributes, |xml| institution(xml, case));
        });
    });
}

fn signatures(xml: &mut Xml, case: &Case<'_>, document: Document) {
    let senior = |specialty| case.visit.hospital.department(specialty).senior();
    let (role, by) = match document {
        Document::Labs(_) => ("审核医师", senior(Specialty::Laboratory)),
        Document::Image(_) => ("审核医师", senior(Specialty::Imaging)),
        Document::Prescription => ("处方审核药剂师", senior(Specialty::Pharmacy)),
        Document::Consultation => ("责任医生", case.visit.doctor),
        Document::Discharge => ("上级医师", case.visit.department.senior()),
        Document::Referral => ("转诊医师", case.visit.doctor),
    };
    signature(xml, "legalAuthenticator", role, by, case.at);
    if document == Document::Discharge {
        signature(xml, "authenticator", "住院医师", case.visit.doctor, case.at);
    }
}

fn signature(xml: &mut Xml, element: &str, role: &str, by: Staff, at: DateTime) {
    xml.element(element, &[], |xml| {
        xml.empty("time", &[("value", &stamp(at))]);
        xml.empty("signatureCode", &[]);
        xml.element("assignedEntity", &[], |xml| {
            xml.empty("id", &[("root", root::STAFF), ("extension", by.code)]);
            xml.empty("code", &[("displayName", role)]);
            let attributes = [("classCode", "PSN"), ("determinerCode", "INSTANCE")];
            xml.element("assignedPerson", &attributes, |xml| xml.text("name", &[], by.name));
        });
    });
}

fn stay(xml: &mut Xml, case: &Case<'_>) {
    xml.element("componentOf", &[], |xml| {
        xml.element("encompassingEncounter", &[], |xml| {
            xml.comment("入院、出院日期时间");
            xml.element("effectiveTime", &[], |xml| {
                xml.empty("low", &[("value", &stamp(case.visit.from))]);
                if case.at >= case.visit.until {
                    xml.empty("high", &[("value", &stamp(case.visit.until))]);
                }
            });
            xml.element("location", &[], |xml| {
                xml.element("healthCareFacility", &[], |xml| {
                    organization(xml, "serviceProviderOrganization", case, case.visit.department);
                });
            });
        });
    });
}
