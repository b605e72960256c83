//! The closed codes of a fact as words, with their names in Chinese and English.

use serde::Serialize;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentClass, Purpose};
use yiqiao_registry_core::state::Fact;

/// A code and what people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Name {
    /// The word that questions and answers carry.
    pub(crate) code: &'static str,
    /// In Chinese.
    pub(crate) zh: &'static str,
    /// In English.
    pub(crate) en: &'static str,
    /// The HL7 v3 code of the same meaning, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hl7: Option<&'static str>,
}

/// What a fact counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    /// A document was published in the index.
    Publication,
    /// An access event.
    Access(AccessAct),
}

impl Act {
    /// What a fact counts.
    pub(crate) fn of(fact: &Fact) -> Self {
        fact.act.map_or(Self::Publication, Self::Access)
    }
}

/// A closed code that has a name.
pub(crate) trait Named: Copy + 'static {
    /// Every code of the set.
    fn all() -> Vec<Self>;

    /// Its name.
    fn name(self) -> Name;

    /// The code of this word.
    fn find(word: &str) -> Option<Self> {
        Self::all().into_iter().find(|code| code.name().code == word)
    }
}

const fn name(code: &'static str, zh: &'static str, en: &'static str) -> Name {
    Name { code, zh, en, hl7: None }
}

impl Named for Act {
    fn all() -> Vec<Self> {
        let acts = AccessAct::ALL.iter().copied().map(Self::Access);
        std::iter::once(Self::Publication).chain(acts).collect()
    }

    fn name(self) -> Name {
        let Self::Access(act) = self else {
            return name("publication", "文档登记", "document published");
        };
        match act {
            AccessAct::Release => name("release", "文档调出", "document released"),
            AccessAct::Delivery => name("delivery", "文档送达", "document delivered"),
            AccessAct::Opening => name("opening", "文档查阅", "document opened"),
            AccessAct::Consent => name("consent", "授权登记", "directive recorded"),
            AccessAct::Revocation => name("revocation", "授权撤回", "directive revoked"),
            AccessAct::ReferralStep => name("referral-step", "转诊步骤", "referral step"),
            AccessAct::BreakGlass => name("break-glass", "紧急访问", "emergency access"),
            AccessAct::Erasure => name("erasure", "撤回后删除", "erased after revocation"),
            AccessAct::Retention => name("retention", "撤回后留存", "kept after revocation"),
            AccessAct::LogView => name("log-view", "患者查看记录", "patient's own view"),
            AccessAct::Search => name("search", "索引检索", "index searched"),
            AccessAct::FirstFiling => name("first-filing", "患者首次建档", "first document of a patient"),
            AccessAct::Withdrawal => name("withdrawal", "文档撤销", "document withdrawn"),
            AccessAct::Export => name("export", "证据导出", "evidence exported"),
        }
    }
}

impl Named for AccessOutcome {
    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    fn name(self) -> Name {
        match self {
            Self::Permitted => name("permitted", "完成", "done"),
            Self::Denied => name("denied", "拒绝", "refused by decision"),
            Self::Failed => name("failed", "失败", "failed before a decision"),
        }
    }
}

impl Named for Purpose {
    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    fn name(self) -> Name {
        let (named, hl7) = match self {
            Self::Treatment => (name("treatment", "诊疗", "treatment"), "TREAT"),
            Self::Emergency => (name("emergency", "急救", "emergency treatment"), "ETREAT"),
            Self::PatientRequest => (name("patient-request", "患者本人", "patient's request"), "PATRQT"),
            Self::Payment => (name("payment", "支付结算", "payment"), "HPAYMT"),
            Self::PublicHealth => (name("public-health", "公共卫生", "public health"), "PUBHLTH"),
            Self::Quality => (name("quality", "质量管理", "quality"), "HQUALIMP"),
            Self::Research => (name("research", "科研", "research"), "HRESCH"),
            Self::Operations => (name("operations", "运营管理", "operations"), "HOPERAT"),
        };
        Name { hl7: Some(hl7), ..named }
    }
}

impl Named for DocumentClass {
    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    fn name(self) -> Name {
        match self {
            Self::Summary => name("summary", "病历摘要", "summaries"),
            Self::Outpatient => name("outpatient", "门急诊病历", "outpatient records"),
            Self::Inpatient => name("inpatient", "住院病历", "inpatient records"),
            Self::Laboratory => name("laboratory", "检验报告", "laboratory reports"),
            Self::Examination => name("examination", "检查报告", "examination reports"),
            Self::Imaging => name("imaging", "影像", "image studies"),
            Self::Medication => name("medication", "处方用药", "medication"),
            Self::Procedure => name("procedure", "手术与治疗", "procedures"),
            Self::Nursing => name("nursing", "护理记录", "nursing records"),
            Self::ConsentForm => name("consent-form", "知情告知", "consent forms"),
            Self::Referral => name("referral", "转诊会诊", "referrals"),
            Self::HealthCheck => name("health-check", "健康体检", "health checks"),
            Self::Immunisation => name("immunisation", "预防接种", "vaccinations"),
            Self::Certificate => name("certificate", "医学证明", "certificates"),
            Self::Finance => name("finance", "费用结算", "bills"),
            Self::Other => name("other", "其他", "other"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_distinct<T: Named + PartialEq + std::fmt::Debug>() {
        for code in T::all() {
            assert_eq!(T::find(code.name().code), Some(code));
            let word = code.name().code;
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{word}");
        }
    }

    #[test]
    fn every_code_is_found_by_its_word() {
        are_distinct::<Act>();
        are_distinct::<AccessOutcome>();
        are_distinct::<Purpose>();
        are_distinct::<DocumentClass>();
        assert_eq!(Act::find("Search"), None);
    }
}
