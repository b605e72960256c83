//! Document types: WS/T 500 (1 to 53), WS/T 483 (101 to 120), and kinds that other formats bring (from 201).

use super::DocumentClass as Class;

/// A document type: a row of [`DocumentType::TABLE`]. Field `type` of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentType(u32);

/// What a document type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number that words carry.
    pub number: u32,
    /// The code: of WS/T 500 or WS/T 483 (code system 2.16.156.10011.2.4), else one of this project.
    pub code: &'static str,
    /// The title in Chinese, as the standard has it.
    pub title: &'static str,
    /// The class to which a document of this type belongs.
    pub class: Class,
}

impl DocumentType {
    /// Any document that has no type of its own here.
    pub const OTHER: Self = Self(299);

    /// Every type, ascending by number.
    pub const TABLE: &'static [Row] = TABLE;

    /// The number that words carry.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The type with this code, such as `C0007` or `LAB`.
    pub fn from_code(code: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.code == code).map(|row| Self(row.number))
    }

    /// What the type stands for.
    pub fn row(self) -> &'static Row {
        let at = TABLE.binary_search_by_key(&self.0, |row| row.number);
        at.ok().and_then(|at| TABLE.get(at)).expect("only numbers of the table become a type")
    }
}

impl TryFrom<u32> for DocumentType {
    /// The number that is not a type.
    type Error = u32;

    fn try_from(number: u32) -> Result<Self, u32> {
        match TABLE.binary_search_by_key(&number, |row| row.number) {
            Ok(_) => Ok(Self(number)),
            Err(_) => Err(number),
        }
    }
}

const fn row(number: u32, code: &'static str, title: &'static str, class: Class) -> Row {
    Row { number, code, title, class }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    row(1, "C0001", "病历概要", Class::Summary),
    row(2, "C0002", "门(急)诊病历", Class::Outpatient),
    row(3, "C0003", "急诊留观病历", Class::Outpatient),
    row(4, "C0004", "西药处方", Class::Medication),
    row(5, "C0005", "中药处方", Class::Medication),
    row(6, "C0006", "检查报告", Class::Examination),
    row(7, "C0007", "检验报告", Class::Laboratory),
    row(8, "C0008", "治疗记录", Class::Procedure),
    row(9, "C0009", "一般手术记录", Class::Procedure),
    row(10, "C0010", "麻醉术前访视记录", Class::Procedure),
    row(11, "C0011", "麻醉记录", Class::Procedure),
    row(12, "C0012", "麻醉术后访视记录", Class::Procedure),
    row(13, "C0013", "输血记录", Class::Procedure),
    row(14, "C0014", "待产记录", Class::Procedure),
    row(15, "C0015", "阴道分娩记录", Class::Procedure),
    row(16, "C0016", "剖宫产记录", Class::Procedure),
    row(17, "C0017", "一般护理记录", Class::Nursing),
    row(18, "C0018", "病重(病危)护理记录", Class::Nursing),
    row(19, "C0019", "手术护理记录", Class::Nursing),
    row(20, "C0020", "生命体征测量记录", Class::Nursing),
    row(21, "C0021", "出入量记录", Class::Nursing),
    row(22, "C0022", "高值耗材使用记录", Class::Nursing),
    row(23, "C0023", "入院评估", Class::Nursing),
    row(24, "C0024", "护理计划", Class::Nursing),
    row(25, "C0025", "出院评估与指导", Class::Nursing),
    row(26, "C0026", "手术知情告知书", Class::ConsentForm),
    row(27, "C0027", "麻醉知情同意书", Class::ConsentForm),
    row(28, "C0028", "输血治疗同意书", Class::ConsentForm),
    row(29, "C0029", "特殊检查及特殊治疗同意书", Class::ConsentForm),
    row(30, "C0030", "病危(重)通知书", Class::ConsentForm),
    row(31, "C0031", "其他知情告知同意书", Class::ConsentForm),
    row(32, "C0032", "住院病案首页", Class::Summary),
    row(33, "C0033", "中医住院病案首页", Class::Summary),
    row(34, "C0034", "入院记录", Class::Inpatient),
    row(35, "C0035", "24小时内入出院记录", Class::Inpatient),
    row(36, "C0036", "24小时内入院死亡记录", Class::Inpatient),
    row(37, "C0037", "首次病程记录", Class::Inpatient),
    row(38, "C0038", "日常病程记录", Class::Inpatient),
    row(39, "C0039", "上级医师查房记录", Class::Inpatient),
    row(40, "C0040", "疑难病例讨论记录", Class::Inpatient),
    row(41, "C0041", "交接班记录", Class::Inpatient),
    row(42, "C0042", "转科记录", Class::Inpatient),
    row(43, "C0043", "阶段小结", Class::Inpatient),
    row(44, "C0044", "抢救记录", Class::Inpatient),
    row(45, "C0045", "会诊记录", Class::Referral),
    row(46, "C0046", "术前小结", Class::Inpatient),
    row(47, "C0047", "术前讨论", Class::Inpatient),
    row(48, "C0048", "术后首次病程记录", Class::Inpatient),
    row(49, "C0049", "出院记录", Class::Summary),
    row(50, "C0050", "死亡记录", Class::Inpatient),
    row(51, "C0051", "死亡病例讨论记录", Class::Inpatient),
    row(52, "C0052", "住院医嘱", Class::Medication),
    row(53, "C0053", "出院小结", Class::Summary),
    row(101, "HSDA00.01", "个人基本健康信息登记", Class::HealthCheck),
    row(102, "HSDB01.01", "出生医学证明", Class::Certificate),
    row(103, "HSDB01.02", "新生儿家庭访视", Class::HealthCheck),
    row(104, "HSDB01.03", "儿童健康体检", Class::HealthCheck),
    row(105, "HSDB02.01", "首次产前随访服务", Class::HealthCheck),
    row(106, "HSDB02.02", "产前随访服务", Class::HealthCheck),
    row(107, "HSDB02.03", "产后访视", Class::HealthCheck),
    row(108, "HSDB02.04", "产后42天健康检查", Class::HealthCheck),
    row(109, "HSDB03.01", "预防接种报告", Class::Immunisation),
    row(110, "HSDB03.02", "传染病报告", Class::HealthCheck),
    row(111, "HSDB03.03", "死亡医学证明", Class::Certificate),
    row(112, "HSDB04.01", "高血压患者随访服务", Class::HealthCheck),
    row(113, "HSDB04.02", "2型糖尿病患者随访服务", Class::HealthCheck),
    row(114, "HSDB04.03", "重性精神疾病患者个人信息登记", Class::HealthCheck),
    row(115, "HSDB04.04", "重性精神疾病患者随访服务", Class::HealthCheck),
    row(116, "HSDC00.01", "成人健康体检", Class::HealthCheck),
    row(117, "HSDC00.02", "门诊摘要", Class::Summary),
    row(118, "HSDC00.03", "住院摘要", Class::Summary),
    row(119, "HSDC00.04", "会诊记录", Class::Referral),
    row(120, "HSDC00.05", "转诊(院)记录", Class::Referral),
    row(201, "LAB", "检验报告", Class::Laboratory),
    row(202, "EXAM", "检查报告", Class::Examination),
    row(203, "IMAGING", "影像检查", Class::Imaging),
    row(204, "NOTE", "病历文书", Class::Inpatient),
    row(205, "OUTPATIENT", "门诊记录", Class::Outpatient),
    row(206, "DISCHARGE", "出院小结", Class::Summary),
    row(207, "SUMMARY", "病历摘要", Class::Summary),
    row(208, "REFERRAL", "转诊单", Class::Referral),
    row(209, "CONSULTATION", "会诊记录", Class::Referral),
    row(210, "PRESCRIPTION", "处方", Class::Medication),
    row(211, "ORDER", "医嘱或申请单", Class::Medication),
    row(212, "DISPENSE", "发药记录", Class::Medication),
    row(213, "OPERATION", "手术记录", Class::Procedure),
    row(214, "NURSING", "护理记录", Class::Nursing),
    row(215, "IMMUNISATION", "预防接种记录", Class::Immunisation),
    row(216, "CHECKUP", "健康体检", Class::HealthCheck),
    row(217, "CHARGE", "费用明细", Class::Finance),
    row(218, "SETTLEMENT", "医保结算", Class::Finance),
    row(219, "SCHEDULE", "预约记录", Class::Other),
    row(220, "PATHOLOGY", "病理报告", Class::Examination),
    row(221, "VITALS", "生命体征", Class::Nursing),
    row(222, "CONSENT", "知情同意书", Class::ConsentForm),
    row(299, "OTHER", "其他", Class::Other),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ascends_and_no_code_stands_twice() {
        assert!(TABLE.is_sorted_by(|a, b| a.number < b.number));
        let codes: std::collections::BTreeSet<_> = TABLE.iter().map(|row| row.code).collect();
        assert_eq!(codes.len(), TABLE.len());
    }

    #[test]
    fn a_type_is_found_by_its_code() {
        let report = DocumentType::from_code("C0007").unwrap();
        assert_eq!((report.number(), report.row().title), (7, "检验报告"));
        assert_eq!(report.row().class, Class::Laboratory);
        assert_eq!(DocumentType::try_from(54), Err(54));
    }
}
