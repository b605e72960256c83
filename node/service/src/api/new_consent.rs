//! A consent as pages write it, read into what the machine takes: each refusal names the field.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use yiqiao_host::http::Problem;
use yiqiao_node_core::desk::{NewForbid, NewPermit};
use yiqiao_proto::codes::{DocumentClass, LegalBasis, PersonRole, Purpose, Sensitivity};
use yiqiao_proto::directive::{Grantee, What};
use yiqiao_proto::id::{Code, ReferralId};
use yiqiao_proto::time::Timestamp;

use crate::api::faults::unfit;
use crate::api::front::Front;
use crate::api::limits::EVIDENCE_TEXT_BYTES_MAX;
use crate::api::parse;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewConsent {
    pub(super) stance: String,
    organisation: Option<String>,
    department: Option<String>,
    referral: Option<String>,
    custodian: Option<String>,
    classes: Vec<String>,
    sensitivities: Vec<String>,
    purposes: Vec<String>,
    valid_until: Option<String>,
    basis: String,
    pub(super) notice: NoticeName,
    pub(super) evidence: Evidence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticeName {
    pub(super) version: String,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Evidence {
    sheet: String,
    identified_by: String,
    /// The scan of the paper: its id, and, where it is kept, the hash of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scan: Option<String>,
}

impl Evidence {
    /// A desk says which paper was signed and how the patient was identified.
    pub(super) fn check(&self) -> Result<(), Problem> {
        for (field, text) in [("evidence.sheet", &self.sheet), ("evidence.identifiedBy", &self.identified_by)]
        {
            if text.trim().is_empty() || text.len() > EVIDENCE_TEXT_BYTES_MAX {
                return Err(unfit(field, "not empty, at most 512 bytes"));
            }
        }
        Ok(())
    }
}

/// What is to be recorded, read.
pub(super) struct Terms {
    grantee: Grantee,
    custodian: Option<Code>,
    what: What,
    purposes: BTreeSet<Purpose>,
    valid_from: Timestamp,
    valid_until: Option<Timestamp>,
    basis: LegalBasis,
}

impl NewConsent {
    pub(super) fn read(&self, now: Timestamp) -> Result<Terms, Problem> {
        let referral = self.referral.as_deref().filter(|id| !id.is_empty());
        let referral = referral.map(|id| ReferralId::from_hex(id).ok_or_else(|| unfit("referral", "an id")));
        let until = self.valid_until.as_deref().map(|text| parse::time("validUntil", text)).transpose()?;
        if until.is_some_and(|until| until <= now) {
            return Err(unfit("validUntil", "a time that is to come"));
        }
        Ok(Terms {
            grantee: Grantee {
                organisation: parse::optional_code("organisation", self.organisation.as_deref())?,
                department: parse::optional_code("department", self.department.as_deref())?,
                practitioner: None,
                role: None::<PersonRole>,
                referral: referral.transpose()?,
            },
            custodian: parse::optional_code("custodian", self.custodian.as_deref())?,
            what: What {
                classes: parse::codes("classes", DocumentClass::ALL, &self.classes)?,
                sensitivities: parse::codes("sensitivities", Sensitivity::ALL, &self.sensitivities)?,
                ..What::default()
            },
            purposes: parse::codes("purposes", Purpose::ALL, &self.purposes)?,
            valid_from: now,
            valid_until: until,
            basis: parse::code("basis", LegalBasis::ALL, &self.basis)?,
        })
    }
}

impl Terms {
    pub(super) fn permit(self, front: &Front) -> Result<NewPermit, Problem> {
        let by_guardian = match self.basis {
            LegalBasis::SeparateConsent => false,
            LegalBasis::GuardianConsent => true,
            LegalBasis::Emergency
            | LegalBasis::StatutoryDuty
            | LegalBasis::Objection
            | LegalBasis::RegionDefault
            | LegalBasis::GuardianObjection => {
                return Err(unfit("basis", "separate-consent or guardian-consent for a permit"));
            }
        };
        if self.grantee.organisation.is_none() {
            return Err(unfit("organisation", "one organisation for a permit (C-7)"));
        }
        if self.purposes.is_empty() {
            return Err(unfit("purposes", "at least one for a permit (C-7)"));
        }
        let notice = self.notice(front, &self.purposes)?;
        Ok(NewPermit {
            grantee: self.grantee,
            custodian: self.custodian,
            what: self.what,
            purposes: self.purposes,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            notice,
            existence_visible: false,
            by_guardian,
            exceptions: Vec::new(),
        })
    }

    pub(super) fn forbid(self, front: &Front) -> Result<NewForbid, Problem> {
        let by_guardian = self.basis == LegalBasis::GuardianObjection;
        if !by_guardian && self.basis != LegalBasis::Objection {
            return Err(unfit("basis", "objection for a forbid"));
        }
        // The text of an objection has no purposes, whichever it is limited to.
        let notice = self.notice(front, &BTreeSet::new())?;
        Ok(NewForbid {
            grantee: self.grantee,
            custodian: self.custodian,
            what: self.what,
            purposes: self.purposes,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            notice,
            by_guardian,
        })
    }

    /// The same text as was shown, from the same choices.
    fn notice(
        &self,
        front: &Front,
        purposes: &BTreeSet<Purpose>,
    ) -> Result<yiqiao_proto::directive::Notice, Problem> {
        let organisation = self.grantee.organisation.as_ref();
        let sensitivities = &self.what.sensitivities;
        let sensitive =
            sensitivities.is_empty() || sensitivities.iter().any(|one| *one != Sensitivity::Normal);
        Ok(front.notice(organisation, (&self.what.classes, sensitive), purposes, self.valid_until)?.named())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desk_names_paper_and_identification() {
        let evidence = |sheet: &str| Evidence {
            sheet: sheet.to_owned(),
            identified_by: "身份证原件".to_owned(),
            scan: None,
        };
        assert!(evidence("2026-1").check().is_ok());
        assert!(evidence(" ").check().is_err() && evidence(&"x".repeat(513)).check().is_err());
    }

    fn permit() -> NewConsent {
        NewConsent {
            stance: "permit".to_owned(),
            organisation: Some("qzdx".to_owned()),
            department: None,
            referral: None,
            custodian: None,
            classes: vec!["laboratory".to_owned()],
            sensitivities: vec!["normal".to_owned()],
            purposes: vec!["treatment".to_owned()],
            valid_until: Some("2026-12-01T00:00:00+08:00".to_owned()),
            basis: "separate-consent".to_owned(),
            notice: NoticeName { version: "1".to_owned() },
            evidence: Evidence {
                sheet: "1".to_owned(), identified_by: "身份证原件".to_owned(), scan: None
            },
        }
    }

    fn refused(new: &NewConsent) -> String {
        let now = Timestamp::from_unix_ms(1_790_000_000_000).unwrap();
        new.read(now).err().map(|problem| format!("{problem:?}")).unwrap_or_default()
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_field() {
        assert_eq!(refused(&permit()), "");
        for (field, new) in [
            (
                "validUntil",
                NewConsent { valid_until: Some("2020-01-01T00:00:00+08:00".to_owned()), ..permit() },
            ),
            ("classes", NewConsent { classes: vec!["everything".to_owned()], ..permit() }),
            ("referral", NewConsent { referral: Some("x".to_owned()), ..permit() }),
            ("organisation", NewConsent { organisation: Some("医院".to_owned()), ..permit() }),
            ("basis", NewConsent { basis: "because".to_owned(), ..permit() }),
        ] {
            assert!(refused(&new).contains(field), "{field}");
        }
    }
}
