//! What sections and data elements are called in Chinese: documents of Chinese hospitals name many of them in English, after
//! LOINC (WS/T 500, WS/T 483).
//!
//! A name that is Chinese already is the document's own and stays; so does one that is in no table.

/// Sections: LOINC code, the English name that documents give it, and the Chinese one.
const SECTIONS: &[(&str, &str, &str)] = &[
    ("8648-8", "Hospital Course", "诊疗过程"),
    ("8653-8", "Hospital Discharge Instructions", "出院医嘱"),
    ("8716-3", "VITAL SIGNS", "生命体征"),
    ("10154-3", "CHIEF COMPLAINT", "主诉"),
    ("10157-6", "HISTORY OF FAMILY MEMBER DISEASES", "家族史"),
    ("10160-0", "HISTORY OF MEDICATION USE", "用药"),
    ("10164-2", "HISTORY OF PRESENT ILLNESS", "现病史"),
    ("10183-2", "HOSPITAL DISCHARGE MEDICATIONS", "出院用药"),
    ("10187-3", "REVIEW OF SYSTEMS", "系统回顾"),
    ("10218-6", "Postoperative Diagnosis", "术后诊断"),
    ("10219-4", "Preoperative Diagnosis", "术前诊断"),
    ("11348-0", "HISTORY OF PAST ILLNESS", "既往史"),
    ("11369-6", "HISTORY OF IMMUNIZATIONS", "预防接种史"),
    ("11450-4", "PROBLEM LIST", "健康问题"),
    ("11493-4", "HOSPITAL DISCHARGE STUDIES SUMMARY", "出院时辅助检查"),
    ("11535-2", "Discharge Diagnosis", "出院诊断"),
    ("18776-5", "TREATMENT PLAN", "诊疗计划"),
    ("29545-1", "PHYSICAL EXAMINATION", "体格检查"),
    ("29548-5", "Diagnosis", "诊断"),
    ("29762-2", "Social history", "个人史"),
    ("30954-2", "STUDIES SUMMARY", "辅助检查"),
    ("42346-7", "MEDICATIONS ON ADMISSION", "入院前用药"),
    ("42349-1", "REASON FOR REFERRAL", "转诊原因"),
    ("46209-3", "Provider Orders", "医嘱"),
    ("46240-8", "HISTORY OF ENCOUNTERS", "就诊史"),
    ("46241-6", "HOSPITAL ADMISSION DX", "入院诊断"),
    ("46264-8", "MEDICAL EQUIPMENT", "医疗器械"),
    ("47420-5", "FUNCTIONAL STATUS", "功能状态"),
    ("47519-4", "HISTORY OF PROCEDURES", "手术与操作"),
    ("48765-2", "Allergies, adverse reactions, alerts", "过敏史"),
    ("48768-6", "PAYMENT SOURCES", "费用"),
    ("51848-0", "ASSESSMENT", "评估"),
    ("55109-3", "COMPLICATIONS", "并发症"),
];

/// Data elements of WS 363 that documents give without a Chinese name.
const ELEMENTS: &[(&str, &str)] = &[
    ("DE02.10.022.00", "过敏史"),
    ("DE02.10.023.00", "过敏史标志"),
    ("DE02.10.071.00", "现病史"),
    ("DE02.10.099.00", "既往史"),
    ("DE04.01.119.00", "主诉"),
    ("DE04.30.009.00", "检查（检验）结果"),
    ("DE04.30.010.00", "辅助检查项目"),
    ("DE04.30.015.00", "检查（检验）定量结果"),
    ("DE04.30.016.00", "计量单位"),
    ("DE04.30.019.00", "检查（检验）项目"),
    ("DE04.50.134.00", "标本类别"),
    ("DE05.01.024.00", "诊断代码"),
    ("DE05.01.025.00", "诊断名称"),
    ("DE05.10.113.00", "病情转归"),
    ("DE06.00.133.00", "药物使用频率"),
    ("DE06.00.193.00", "出院情况"),
    ("DE06.00.287.00", "出院医嘱"),
    ("DE06.00.288.00", "医嘱项目内容"),
    ("DE06.00.296.00", "诊疗过程描述"),
    ("DE08.50.043.00", "药物规格"),
];

/// The heading of a section with this code, if it has one, and these words.
pub(super) fn section(code: Option<&str>, written: String) -> String {
    if is_chinese(&written) {
        return written;
    }
    let of_code = SECTIONS.iter().find(|(known, ..)| Some(*known) == code);
    let of_words = || SECTIONS.iter().find(|(_, english, _)| english.eq_ignore_ascii_case(written.trim()));
    of_code.or_else(of_words).map_or(written, |(.., chinese)| (*chinese).to_owned())
}

/// The label of an entry, likewise.
pub(super) fn element(code: Option<&str>, written: String) -> String {
    if is_chinese(&written) {
        return written;
    }
    let known = ELEMENTS.iter().find(|(known, _)| Some(*known) == code);
    known.map_or(written, |(_, chinese)| (*chinese).to_owned())
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_named_by_its_code_or_by_its_english_words() {
        let named = |code, written: &str| section(code, written.to_owned());
        assert_eq!(named(Some("10154-3"), "CC"), "主诉");
        assert_eq!(named(None, "chief complaint "), "主诉");
        assert_eq!(named(Some("10154-3"), "主诉（家属代述）"), "主诉（家属代述）");
        assert_eq!(named(Some("99999-9"), "Other"), "Other");
    }

    #[test]
    fn a_data_element_without_a_chinese_name_is_given_one() {
        let named = |code, written: &str| element(code, written.to_owned());
        assert_eq!(named(Some("DE05.01.024.00"), "DE05.01.024.00"), "诊断代码");
        assert_eq!(named(Some("DE04.30.019.00"), "检验项目代码"), "检验项目代码");
        assert_eq!(named(None, "Heart rate"), "Heart rate");
    }
}
