//! What a note says about the fields of a referral form, by the headings of its sections.
//!
//! Headings are the Chinese names of the sections' LOINC codes (WS/T 500), or what the document writes itself. Text stands
//! as the note has it; nothing is summed up. Not here: which notes are read, and how long a field may be.

use std::collections::BTreeMap;

use crate::api::rendering::Passage;

const PRESENT: &[&str] = &["主诉", "现病史"];
const PAST: &[&str] = &["既往史", "过敏史"];
const COURSE: &[&str] = &["诊疗过程", "诊疗经过", "治疗经过"];
/// Headings of diagnoses; admission records have theirs among the problems.
const DIAGNOSES: &[&str] = &["诊断", "健康问题"];
/// What a data element that holds a diagnosis is called, before `名称`, `代码` or `编码`.
const DIAGNOSED: &[&str] = &["诊断", "疾病", "病名", "证候", "症候"];

/// The fields of a form as one note has them; empty where it is silent.
#[derive(Default)]
pub(super) struct Told {
    /// One diagnosis in each line.
    pub(super) impression: String,
    pub(super) present_illness: String,
    pub(super) past_history: String,
    pub(super) course: String,
}

impl Told {
    pub(super) fn by(note: &[Passage]) -> Self {
        Self {
            impression: diagnoses(note).join("\n"),
            present_illness: written(note, PRESENT),
            past_history: written(note, PAST),
            course: written(note, COURSE),
        }
    }
}

/// What stands under these headings, each row in a line behind its name.
fn written(note: &[Passage], headings: &[&str]) -> String {
    note.iter().filter(|section| is_under(section, headings)).flat_map(lines).collect::<Vec<_>>().join("\n")
}

fn is_under(section: &Passage, headings: &[&str]) -> bool {
    headings.iter().any(|heading| section.title.contains(heading))
}

fn lines(section: &Passage) -> Vec<String> {
    let said = |(name, text): &&(String, String)| !text.trim().is_empty() && !is_said_beside(section, name);
    let rows = section.rows.iter().filter(said).enumerate();
    rows.map(|(at, (name, text))| line(section.title.trim(), at == 0, base(name), text.trim())).collect()
}

/// A mark that something is known says nothing more where it is said in words.
fn is_said_beside(section: &Passage, name: &str) -> bool {
    let stem = name.trim().strip_suffix("标志");
    stem.is_some_and(|stem| {
        section.rows.iter().any(|(other, text)| other.trim() == stem && !text.trim().is_empty())
    })
}

/// A row by its name, or by the heading where the name only says the same again.
fn line(heading: &str, is_first: bool, name: &str, text: &str) -> String {
    let by_heading = name.starts_with(heading) || name.is_empty() && is_first;
    let label = if by_heading { heading } else { name };
    if label.is_empty() || text.starts_with(label) { text.to_owned() } else { format!("{label}：{text}") }
}

/// A name without what says in which form the value is.
fn base(name: &str) -> &str {
    let name = name.trim();
    ["代码", "编码", "名称"].iter().find_map(|form| name.strip_suffix(form)).unwrap_or(name)
}

/// The diagnoses of a note, each once: those at discharge, else those without a time, else those at admission.
fn diagnoses(note: &[Passage]) -> Vec<String> {
    let mut by_rank: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for section in note.iter().filter(|section| is_under(section, DIAGNOSES)) {
        let found = by_rank.entry(rank(&section.title)).or_default();
        for name in diagnosed(section) {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    by_rank.into_values().find(|found| !found.is_empty()).unwrap_or_default()
}

fn rank(title: &str) -> u8 {
    if title.contains("出院") {
        0
    } else if title.contains("入院") {
        2
    } else {
        1
    }
}

/// The diagnoses of a section in words; codes alone only if there are no words.
fn diagnosed(section: &Passage) -> Vec<String> {
    let rows = section.rows.iter().filter(|(name, _)| is_diagnosis(name.trim()));
    let words =
        rows.map(|(name, text)| if name.trim().is_empty() { text.trim() } else { without_code(text.trim()) });
    let (codes, named): (Vec<&str>, Vec<&str>) =
        words.filter(|text| !text.is_empty()).partition(|text| is_code(text));
    let found = if named.is_empty() { codes } else { named };
    found.into_iter().map(str::to_owned).collect()
}

/// Neither what else it might be, nor what it came from.
fn is_diagnosis(name: &str) -> bool {
    let stem = base(name);
    let is_named = stem != name && DIAGNOSED.iter().any(|what| stem.ends_with(what));
    name.is_empty() || is_named && !["鉴别", "原因"].iter().any(|other| stem.contains(other))
}

/// `I20.000 不稳定型心绞痛` without its code.
fn without_code(text: &str) -> &str {
    match text.split_once(' ') {
        Some((code, words)) if is_code(code) && !words.trim().is_empty() => words.trim(),
        _ => text,
    }
}

fn is_code(text: &str) -> bool {
    text.is_ascii() && !text.contains(' ') && text.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(title: &str, rows: &[(&str, &str)]) -> Passage {
        let rows = rows.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Passage { title: title.to_owned(), rows: rows.collect() }
    }

    #[test]
    fn what_a_patient_complains_of_stands_above_how_it_came() {
        let note = [
            section("主诉", &[("主诉", "胸痛3天")]),
            section("现病史", &[("现病史", "活动后发作。")]),
            section("家族史", &[("家族史", "无")]),
        ];
        let told = Told::by(&note);
        assert_eq!(told.present_illness, "主诉：胸痛3天\n现病史：活动后发作。");
        assert_eq!((told.past_history.as_str(), told.impression.as_str()), ("", ""));
    }

    #[test]
    fn a_mark_is_left_out_only_where_it_is_said_in_words() {
        let rows = [("过敏史标志", "是"), ("过敏史", "青霉素（皮疹）")];
        let note = [
            section(
                "既往史",
                &[("疾病史（含外伤）", "糖尿病6年"), ("患者传染性标志", "否"), ("手术史", " ")],
            ),
            section("过敏史", &rows),
        ];
        let past = Told::by(&note).past_history;
        assert_eq!(past, "疾病史（含外伤）：糖尿病6年\n患者传染性标志：否\n过敏史：青霉素（皮疹）");
        assert_eq!(Told::by(&[section("过敏史", &rows[..1])]).past_history, "过敏史：是");
    }

    #[test]
    fn running_text_stands_under_its_heading_once() {
        let note = [section("诊疗过程", &[("", "扩冠。"), ("", "好转。"), ("病情转归代码", "好转")])];
        assert_eq!(Told::by(&note).course, "诊疗过程：扩冠。\n好转。\n病情转归：好转");
        assert_eq!(Told::by(&[section("现病史", &[("", "现病史：无")])]).present_illness, "现病史：无");
    }

    #[test]
    fn diagnoses_are_named_once_in_words_and_what_else_it_might_be_is_none() {
        let note = [section(
            "诊断",
            &[
                ("初诊标志代码", "初诊"),
                ("诊断名称", "不稳定型心绞痛"),
                ("诊断代码", "I20.000 不稳定型心绞痛"),
                ("疾病诊断编码", "E11.900"),
                ("目前诊断-中医证候代码", "痰瘀互结证"),
                ("鉴别诊断-西医诊断名称", "主动脉夹层"),
                ("主要诊断入院病情代码", "有"),
            ],
        )];
        assert_eq!(Told::by(&note).impression, "不稳定型心绞痛\n痰瘀互结证");
        assert_eq!(Told::by(&[section("诊断", &[("诊断代码", "E11.900")])]).impression, "E11.900");
    }

    #[test]
    fn the_diagnoses_at_discharge_count_before_those_at_admission() {
        let of = |title: &str, name: &str| section(title, &[("诊断名称", name)]);
        let (admission, plain, discharge) =
            (of("入院诊断", "胸痛"), of("诊断", "心绞痛"), of("出院诊断", "心肌梗死"));
        let silent = section("出院诊断", &[("出院情况", "好转")]);
        assert_eq!(Told::by(&[silent, admission]).impression, "胸痛");
        assert_eq!(Told::by(&[of("入院诊断", "胸痛"), plain]).impression, "心绞痛");
        assert_eq!(Told::by(&[of("入院诊断", "胸痛"), discharge]).impression, "心肌梗死");
    }
}
