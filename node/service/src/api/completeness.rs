//! What a list of documents is and what it may lack, in one sentence or a few: no more than the facts say.

use serde::Serialize;
use yiqiao_proto::id::Code;
use yiqiao_proto::time::Timestamp;

use crate::api::front::Front;
use crate::api::limits::OWN_DOCUMENTS_MAX;
use crate::api::words;

/// What is said about a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Completeness {
    kind: &'static str,
    text: String,
    as_of: String,
    members: Vec<String>,
    unreachable: Vec<String>,
}

/// What it rests on.
#[derive(Clone, Default)]
pub(super) struct Facts {
    /// The patient has an identifier under which the region can find anything.
    pub(super) has_token: bool,
    /// Consent is known to be complete, and the registry answers.
    pub(super) has_lease: bool,
    /// Something lets this hospital have documents of others.
    pub(super) is_permitted: bool,
    /// The reader has broken the glass: what others have is asked for without consent.
    pub(super) is_emergency: bool,
    /// When the reader last searched.
    pub(super) searched: Option<Timestamp>,
    /// Documents that are on their way.
    pub(super) wanted: usize,
    /// Documents that ended with the patient's consent.
    pub(super) ended: usize,
    /// Clauses by which holders do not let documents go.
    pub(super) refused: Vec<String>,
    /// There are documents of others here.
    pub(super) has_copies: bool,
    /// Older own documents are not listed.
    pub(super) is_cut: bool,
    /// Holders of wanted documents who cannot be reached.
    pub(super) unreachable: Vec<Code>,
}

impl Front {
    pub(super) fn completeness(&self, facts: &Facts, members: Vec<String>) -> Completeness {
        let is_whole = facts.is_whole();
        let as_of = facts.searched.filter(|_| is_whole).unwrap_or_else(|| self.now());
        Completeness {
            kind: if is_whole { "consented" } else { "local" },
            text: facts.text(),
            as_of: self.time(as_of),
            members,
            unreachable: facts.unreachable.iter().map(Code::to_string).collect(),
        }
    }
}

impl Facts {
    /// Whether the list holds all that the patient's consent covers, as of the last search.
    const fn is_whole(&self) -> bool {
        self.has_token
            && self.has_lease
            && (self.is_permitted || self.is_emergency)
            && self.searched.is_some()
    }

    fn text(&self) -> String {
        let mut text = self.scope().to_owned();
        if self.wanted > 0 {
            text += &format!("其中 {} 份正在传送，尚未到达。", self.wanted);
        }
        if let Some(clause) = self.refused.first() {
            text += &format!("{} 份未能取得：{}", self.refused.len(), words::clause(clause));
        }
        if self.ended > 0 {
            text += &format!("{} 份因患者的同意已结束，不再更新。", self.ended);
        }
        if self.is_cut {
            text += &format!("本院资料较多，只列出最近登记的 {OWN_DOCUMENTS_MAX} 份。");
        }
        text
    }

    const fn scope(&self) -> &'static str {
        if !self.has_token {
            return "只列出本院资料：患者没有有效的身份证号或电子健康卡号，在区域内无法检索。";
        }
        if self.has_lease && self.is_emergency {
            return match self.searched {
                None => "紧急查阅中，还没有检索外院：只列出本院资料和已取得的外院资料。",
                Some(_) => {
                    "列出本院资料，以及检索时区域内已登记的外院资料；患者声明抢救时也不提供的不在其中。"
                }
            };
        }
        match (self.has_lease, self.is_permitted, self.searched, self.has_copies) {
            (false, ..) => {
                "区域登记平台暂时连接不上：只列出本院资料和已取得的外院资料，外院是否还有其他资料现在无法得知。"
            }
            (true, false, _, false) => "没有查到患者同意本院查阅外院资料的有效授权：只列出本院资料。",
            (true, false, _, true) => {
                "没有查到患者同意本院查阅外院资料的有效授权：只列出本院资料和以前取得的外院资料。"
            }
            (true, true, None, _) => {
                "患者已同意本院查阅外院资料，但没有您最近的检索结果：只列出本院资料和已取得的外院资料，外院可能还有其他资料，请检索。"
            }
            (true, true, Some(_), _) => {
                "列出本院资料，以及检索时区域内已登记、患者同意本院查阅的外院资料；同意范围以外的资料不在其中。"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Facts {
        Facts {
            has_token: true,
            has_lease: true,
            is_permitted: true,
            searched: Some(Timestamp::default()),
            ..Facts::default()
        }
    }

    #[test]
    fn only_a_search_under_consent_and_lease_makes_a_list_whole() {
        assert!(whole().is_whole());
        for lacks in [
            Facts { has_token: false, ..whole() },
            Facts { has_lease: false, ..whole() },
            Facts { is_permitted: false, ..whole() },
            Facts { searched: None, ..whole() },
        ] {
            assert!(!lacks.is_whole());
            assert!(lacks.text().contains("只列出本院资料"), "{}", lacks.text());
        }
    }

    #[test]
    fn what_is_missing_is_said_with_its_reason() {
        let facts = Facts { wanted: 2, ended: 1, refused: vec!["P-4".to_owned()], is_cut: true, ..whole() };
        let text = facts.text();
        for part in ["2 份正在传送", "1 份未能取得：原医院没有提供", "不再更新", "最近登记的 4096 份"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn in_an_emergency_nobody_is_said_to_have_consented() {
        let emergency = Facts { is_permitted: false, is_emergency: true, ..whole() };
        assert!(emergency.is_whole() && !emergency.text().contains("同意"), "{}", emergency.text());
        let before = Facts { searched: None, ..emergency };
        assert!(!before.is_whole() && before.text().contains("只列出本院资料"), "{}", before.text());
    }

    #[test]
    fn without_consent_it_is_not_said_that_there_is_nothing_elsewhere() {
        let text = Facts { is_permitted: false, ..whole() }.text();
        assert!(!text.contains("没有外院资料") && text.contains("没有查到"), "{text}");
    }
}
