//! Codes in Chinese, as patients and staff read them. One table: the same words on every page, in every sentence.

use yiqiao_node_core::audit;
use yiqiao_node_core::remark::Remark;
use yiqiao_proto::codes::{AccessAct, AccessOutcome, DocumentClass, PersonRole, Purpose};

/// A class of documents.
pub(super) const fn class(class: DocumentClass) -> &'static str {
    match class {
        DocumentClass::Summary => "病历概要",
        DocumentClass::Outpatient => "门急诊病历",
        DocumentClass::Inpatient => "住院病历",
        DocumentClass::Laboratory => "检验报告",
        DocumentClass::Examination => "检查报告",
        DocumentClass::Imaging => "影像",
        DocumentClass::Medication => "处方与用药",
        DocumentClass::Procedure => "手术与治疗",
        DocumentClass::Nursing => "护理记录",
        DocumentClass::ConsentForm => "知情同意书",
        DocumentClass::Referral => "转诊与会诊",
        DocumentClass::HealthCheck => "体检与公卫",
        DocumentClass::Immunisation => "预防接种",
        DocumentClass::Certificate => "出生与死亡证明",
        DocumentClass::Finance => "费用",
        DocumentClass::Other => "其他",
    }
}

/// Classes in a row; none means all.
pub(super) fn classes<'a>(of: impl IntoIterator<Item = &'a DocumentClass>) -> String {
    let names: Vec<_> = of.into_iter().map(|one| class(*one)).collect();
    if names.is_empty() { "全部类别".to_owned() } else { names.join("、") }
}

/// A purpose.
pub(super) const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Treatment => "诊疗",
        Purpose::Emergency => "紧急救治",
        Purpose::PatientRequest => "本人查阅",
        Purpose::Payment => "费用结算",
        Purpose::PublicHealth => "公共卫生",
        Purpose::Quality => "质量与互认",
        Purpose::Research => "科研",
        Purpose::Operations => "运营管理",
    }
}

/// Who somebody is.
pub(super) const fn role(role: PersonRole) -> &'static str {
    match role {
        PersonRole::Physician => "医生",
        PersonRole::Nurse => "护士",
        PersonRole::ReferralOffice => "转诊办",
        PersonRole::DepartmentHead => "科主任",
        PersonRole::Pharmacist => "药师",
        PersonRole::Technician => "技师",
        PersonRole::Desk => "服务窗口",
        PersonRole::Patient => "患者本人",
        PersonRole::Guardian => "监护人",
        PersonRole::System => "系统",
        PersonRole::MedicalAffairs => "医务科",
    }
}

/// Who did something that an access event tells, and with whose documents.
pub(super) struct Did<'a> {
    /// How the patient is called: the patient reads 您.
    pub(super) patient: &'a str,
    /// The hospital.
    pub(super) who: &'a str,
    /// The other side, if there is one.
    pub(super) other: Option<&'a str>,
    pub(super) role: PersonRole,
    /// How many.
    pub(super) documents: u32,
}

impl Did<'_> {
    /// What happened, in one sentence; what was denied is never told as if it had been done.
    pub(super) fn sentence(&self, act: AccessAct, outcome: AccessOutcome) -> String {
        match outcome {
            AccessOutcome::Permitted => self.done(act) + "。",
            AccessOutcome::Denied => self.tried(act) + "，没有被允许。",
            AccessOutcome::Failed => self.tried(act) + "，没有成功。",
        }
    }

    fn done(&self, act: AccessAct) -> String {
        let (who, patient, other, count) = (self.who, self.patient, self.other(), self.count());
        match act {
            AccessAct::Release => format!("{who}把{patient}的{count}病历提供给了{other}"),
            AccessAct::Delivery => format!("{who}收到了{other}提供的{count}病历"),
            AccessAct::Opening => format!("{who}的{}打开了{patient}在{other}的{count}病历", role(self.role)),
            AccessAct::Consent => format!("{who}登记了{patient}的授权或限制"),
            AccessAct::Revocation => format!("{who}登记了{patient}撤回或取消的授权"),
            AccessAct::ReferralStep => format!("{who}办理了与{other}之间的转诊"),
            AccessAct::BreakGlass => format!("{who}为抢救紧急查阅了{patient}的病历"),
            AccessAct::Erasure => format!("{who}清除了没有打开过的、来自{other}的{count}病历"),
            AccessAct::Retention => format!("{who}保留了授权期内已打开的、来自{other}的{count}病历"),
            AccessAct::LogView => format!("{who}查阅了{patient}的授权或访问记录"),
            AccessAct::Search => format!("{who}检索了{patient}在其他医院的病历目录"),
            AccessAct::FirstFiling => format!("{who}第一次为{patient}登记了病历目录"),
            AccessAct::Withdrawal => format!("{who}撤销了一份病历的登记"),
            AccessAct::Export => format!("{who}导出了与{other}之间一次病历调阅的证据"),
        }
    }

    fn tried(&self, act: AccessAct) -> String {
        let (who, patient, other, count) = (self.who, self.patient, self.other(), self.count());
        match act {
            AccessAct::Release => format!("{other}请求{who}提供{patient}的{count}病历"),
            AccessAct::Delivery => format!("{who}请求接收{other}提供的{count}病历"),
            AccessAct::Opening => {
                format!("{who}的{}请求打开{patient}在{other}的{count}病历", role(self.role))
            }
            AccessAct::Consent => format!("{who}请求登记{patient}的授权或限制"),
            AccessAct::Revocation => format!("{who}请求登记{patient}撤回或取消的授权"),
            AccessAct::ReferralStep => format!("{who}请求办理与{other}之间的转诊"),
            AccessAct::BreakGlass => format!("{who}请求紧急查阅{patient}的病历"),
            AccessAct::Erasure => format!("{who}要清除来自{other}的{count}病历"),
            AccessAct::Retention => format!("{who}要保留来自{other}的{count}病历"),
            AccessAct::LogView => format!("{who}请求查阅{patient}的授权或访问记录"),
            AccessAct::Search => format!("{who}请求检索{patient}在其他医院的病历目录"),
            AccessAct::FirstFiling => format!("{who}请求为{patient}登记病历目录"),
            AccessAct::Withdrawal => format!("{who}请求撤销一份病历的登记"),
            AccessAct::Export => format!("{who}请求导出与{other}之间一次病历调阅的证据"),
        }
    }

    fn other(&self) -> &str {
        self.other.unwrap_or("其他机构")
    }

    fn count(&self) -> String {
        if self.documents > 1 { format!("{} 份", self.documents) } else { String::new() }
    }
}

/// What a line of the audit says was done; `other` is the other hospital, if there is one.
pub(super) fn line(act: audit::Act, other: Option<&str>) -> String {
    let with = |text: &str| other.map_or_else(|| text.to_owned(), |other| format!("{text}（{other}）"));
    match act {
        audit::Act::Open => with("打开资料"),
        audit::Act::Search => with("检索外院资料"),
        audit::Act::Want => with("请求获取外院资料"),
        audit::Act::Permit => with("登记患者的同意"),
        audit::Act::Forbid => with("登记患者的不同意"),
        audit::Act::Revoke => with("登记患者的撤回"),
        audit::Act::LookUp => with("查阅患者的授权或访问记录"),
        audit::Act::Draft => with("填写转诊单草稿"),
        audit::Act::Step => with("办理转诊"),
        audit::Act::File => with("核对身份并归档转诊患者"),
        audit::Act::Assign => with("分派转诊"),
        audit::Act::Release => with("向外院提供资料"),
        audit::Act::Deliver => with("收到外院资料"),
        audit::Act::Erase => with("清除外院资料"),
        audit::Act::Retain => with("留存已打开的外院资料"),
        audit::Act::Find => with("按号码查找患者"),
        audit::Act::View => with("查看患者页面"),
        audit::Act::Reveal => with("查看完整号码"),
        audit::Act::Account => with("开通患者账号或重置其密码"),
        audit::Act::Vouch => with("为患者登记通行密钥"),
        audit::Act::Enrol => with("给患者一次性码，登记通行密钥"),
        audit::Act::Retire => with("停用患者的通行密钥"),
        audit::Act::Export => with("导出病历调阅的证据"),
        audit::Act::Bent => "这一行记录已被改动，无法读取；请保留数据目录原状，并联系信息科".to_owned(),
        audit::Act::Died => with("登记患者死亡"),
        audit::Act::Lives => with("更正：患者在世"),
        audit::Act::Paper => with("扫描患者签署的书面材料"),
        audit::Act::ReadPaper => with("查看书面材料的扫描件"),
        audit::Act::Identify => with("核对是否为同一位患者"),
        audit::Act::BreakGlass => with("紧急查阅：说明理由后打开患者病历"),
        audit::Act::JudgeGlass => with("审核紧急查阅"),
        audit::Act::Seal => with("封存病历"),
        audit::Act::LiftSeal => with("解除病历封存"),
        audit::Act::Map => with("对照本院检验项目"),
        audit::Act::Sample => with("下载不符合质量规则的消息编号"),
        audit::Act::SignIn => with("登录（口令不对或账号已停用）"),
        audit::Act::Tell => with("向患者说明是谁经手"),
    }
}

/// Why something does not flow, by the clause that decided, for a reader at a hospital.
pub(super) fn clause(clause: &str) -> &'static str {
    match clause {
        "C-6" | "D-3" => "患者已限制或撤回这类资料的提供。",
        "D-7" => "没有查到允许提供这份资料的患者同意。",
        "D-8" => "患者不同意为抢救提供这类资料，或者抢救期限已过，或者本地区没有开通紧急查阅。",
        "D-12" => "这份病历已封存，只有指定的复核人员可以打开。",
        "D-13" => "费用与结算资料只在费用结算和患者本人查阅时提供。",
        "F-5" | "F-6" | "F-7" => "区域登记平台暂时连接不上，现在无法确认患者的同意是否仍然有效。",
        "N-7" => "原医院已撤销这份资料。",
        "M-1" | "M-7" => "原医院目前不在本区域的成员之中。",
        "P-2" | "P-3" | "P-8" | "Z-5" => "原医院提供的内容没有通过校验，未被采用。请联系信息科。",
        "P-4" => "原医院没有提供这份资料：可能没有患者同意，也可能资料已不存在。",
        _ => "按区域规则不能提供。",
    }
}

/// Why something flows or not, for the patient: in Chinese and in English.
pub(super) fn explained(permits: bool, clause: &str) -> (&'static str, &'static str) {
    match (permits, clause) {
        (true, "D-3") => ("您同意过", "You have permitted it."),
        (false, "D-3") => ("您不允许，或者撤回了同意", "You have forbidden it."),
        (true, "D-7") => (
            "您没有另外说明，按本地区的规则可以",
            "You have said nothing about it, and the region's rule lets it.",
        ),
        (false, "D-7") => ("您没有同意过", "You have not permitted it."),
        (true, "D-8") => (
            "只在抢救时：要说明理由、通知您，并由医院审核",
            "In an emergency only: with a reason, told to you, and judged afterwards.",
        ),
        (false, "D-8") => (
            "您声明抢救时也不提供，或者本地区没有开通紧急查阅",
            "You have forbidden it even in an emergency, or the region knows none.",
        ),
        (_, "D-12") => ("病历已封存", "The record is sealed."),
        (_, "D-13") => (
            "费用与结算资料只用于费用结算，或者由您本人查阅",
            "Fees and settlements are for payment, and for yourself, only.",
        ),
        (_, "D-1") => (
            "您在本院没有有效的身份证号或健康卡号，外院查不到您",
            "This hospital has no valid identifier of yours, so others do not find you.",
        ),
        (_, "F-5" | "F-7") => {
            ("暂时连接不上区域平台，现在一律不提供", "The registry is away: nothing is let go now.")
        }
        (true, _) => ("按区域规则可以", "The region's rules let it."),
        (false, _) => ("按区域规则不可以", "The region's rules do not let it."),
    }
}

/// A remark about a patient that a person should know; none of others.
pub(super) const fn remark(remark: Remark) -> Option<&'static str> {
    match remark {
        Remark::NumberOfAnother => {
            Some("登记的身份证号与出生日期不符，可能是家属的证件；此号码不用于区域检索。")
        }
        Remark::IdentifierContradicts => Some("有资料写着另一个证件号码，请核对是否为同一人。"),
        Remark::MergeContradicts => Some("被合并的档案证件号码不同，请信息科核实后确认。"),
        Remark::NumberDisputed => {
            Some("此证件号码在本院另有登记，姓名或出生日期不符；核对之前不用于区域检索。请核对证件原件。")
        }
        Remark::MergeTooMany => Some("合并到此患者的档案过多，有一次合并没有执行，请联系信息科。"),
        Remark::PersonDeleted => Some("来源系统已声明此患者的登记信息作废。"),
        Remark::VisitMoved => Some("有就诊被移到了另一位患者名下，资料仍在原处，请核对。"),
        Remark::NoToken
        | Remark::Read(_)
        | Remark::ControlIdReused
        | Remark::ReplacesNothing
        | Remark::ReplacesAnothers
        | Remark::Late
        | Remark::CancelsNothing
        | Remark::VisitUnnumbered => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_sentence_that_names_both_sides() {
        let did = |patient, who, other, documents| Did {
            patient,
            who,
            other: Some(other),
            role: PersonRole::Physician,
            documents,
        };
        let released = did("您", "乙医院", "甲医院", 3);
        let of = |outcome| released.sentence(AccessAct::Release, outcome);
        assert_eq!(of(AccessOutcome::Permitted), "乙医院把您的3 份病历提供给了甲医院。");
        assert_eq!(of(AccessOutcome::Denied), "甲医院请求乙医院提供您的3 份病历，没有被允许。");
        let opened = did("患者", "甲医院", "乙医院", 1).sentence(AccessAct::Opening, AccessOutcome::Denied);
        assert_eq!(opened, "甲医院的医生请求打开患者在乙医院的病历，没有被允许。");
    }

    #[test]
    fn no_classes_are_all_classes() {
        assert_eq!(classes([]), "全部类别");
        assert_eq!(classes(&[DocumentClass::Laboratory, DocumentClass::Imaging]), "检验报告、影像");
    }
}
