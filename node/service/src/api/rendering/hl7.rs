//! HL7 v2: reports as tables of results, everything else as names and values of the segments that a person reads.

use yiqiao_intake::charset;
use yiqiao_intake::dates::Zone;
use yiqiao_intake::flag::Flags;
use yiqiao_intake::hl7::message::{Message, Part, Segment};
use yiqiao_intake::lab::LabRow;

use super::observation::{HEADS, cells};
use super::{head, understood};
use crate::api::html::Html;

/// Components of a field that are shown: code and words, or the parts of a name.
const COMPONENTS_SHOWN: usize = 3;

/// Fields of a segment by number, with a name for each.
type Fields = &'static [(usize, &'static str)];

/// Segments that are shown, with a heading and the fields of each.
const SHOWN: &[(&str, &str, Fields)] = &[
    ("PV1", "就诊", &[(2, "类别"), (3, "位置"), (7, "主管医生"), (19, "就诊号"), (44, "开始"), (45, "结束")]),
    ("RF1", "转诊", &[(1, "状态"), (2, "优先级"), (3, "类型"), (10, "原因")]),
    ("TXA", "文档", &[(2, "类型"), (4, "时间"), (9, "作者"), (16, "名称")]),
    ("DG1", "诊断", &[(3, "编码"), (4, "诊断"), (5, "时间")]),
    ("PR1", "操作", &[(3, "编码"), (4, "名称"), (5, "时间")]),
    ("AL1", "过敏", &[(3, "过敏原"), (5, "反应")]),
    ("ORC", "医嘱", &[(1, "操作"), (2, "医嘱号"), (9, "时间"), (12, "医生")]),
    ("OBR", "项目", &[(4, "名称"), (7, "时间"), (13, "临床资料")]),
    ("OBX", "结果", &[(3, "项目"), (5, "结果"), (6, "单位"), (7, "参考范围"), (8, "提示")]),
    ("RXO", "用药", &[(1, "药品"), (2, "剂量"), (4, "单位")]),
    ("RXE", "用药", &[(2, "药品"), (3, "剂量"), (5, "单位"), (7, "用法")]),
    ("RXD", "发药", &[(2, "药品"), (4, "数量"), (5, "单位")]),
    ("RXA", "给药或接种", &[(3, "时间"), (5, "名称"), (6, "剂量"), (7, "单位")]),
    ("SCH", "预约", &[(6, "原因"), (11, "时间"), (25, "状态")]),
    ("FT1", "费用", &[(4, "时间"), (7, "项目"), (10, "数量"), (11, "金额")]),
    ("NTE", "说明", &[(3, "内容")]),
];

/// Segments that say nothing to a reader, or are told at the top already.
const QUIET: [&str; 6] = ["MSH", "EVN", "PID", "PD1", "SPM", "SFT"];

pub(super) fn render(bytes: &[u8], zone: &Zone) -> Option<String> {
    let text = charset::decode(bytes, None, &mut Flags::none()).text;
    let message = Message::parse(&text).ok()?;
    let mut html = Html::default();
    let document = understood(bytes, zone);
    if let Some(document) = &document {
        head(&mut html, document, zone);
    }
    let rows = document.map(|document| document.lab).unwrap_or_default();
    if rows.is_empty() {
        segments(&mut html, &message);
    } else {
        report(&mut html, &rows);
        notes(&mut html, &message);
    }
    Some(html.finish())
}

/// A table for each panel; results in words, such as those of imaging, under their names.
fn report(html: &mut Html, rows: &[LabRow]) {
    for panel in rows.chunk_by(|one, next| one.panel == next.panel) {
        html.heading(2, panel.first().map_or("", |row| row.panel.expose()));
        let measured = |row: &LabRow| !row.unit.is_empty() || !row.range.expose().is_empty();
        if panel.iter().any(measured) {
            let cells: Vec<_> = panel.iter().map(cells).collect();
            html.table(&HEADS, &cells);
        } else {
            for row in panel {
                html.heading(3, row.name.expose());
                html.paragraph(row.value.expose());
            }
        }
    }
}

fn notes(html: &mut Html, message: &Message<'_>) {
    let notes: Vec<String> = message.all("NTE").map(|note| value(note.field(3))).collect();
    html.paragraph(&notes.join("\n"));
}

fn segments(html: &mut Html, message: &Message<'_>) {
    let mut hidden = false;
    for segment in message.segments() {
        let known = SHOWN.iter().find(|(name, ..)| segment.is(name));
        if let Some((_, heading, fields)) = known {
            shown(html, heading, *segment, fields);
        } else {
            hidden |= !QUIET.iter().any(|name| segment.is(name));
        }
    }
    if hidden {
        html.paragraph("消息中还有这里不显示的内容，可下载原件查看。");
    }
}

fn shown(html: &mut Html, heading: &str, segment: Segment<'_>, fields: Fields) {
    let facts: Vec<_> = fields.iter().map(|(number, name)| (*name, value(segment.field(*number)))).collect();
    if facts.iter().any(|(_, value)| !value.is_empty()) {
        html.heading(3, heading);
        html.facts(facts);
    }
}

/// The words of a field: of each repetition its first components.
fn value(field: Part<'_>) -> String {
    let words = |part: Part<'_>| {
        let components = (1..=COMPONENTS_SHOWN).filter_map(|at| part.component(at).some());
        components.collect::<Vec<_>>().join(" ")
    };
    let values: Vec<String> = field.repetitions().map(words).filter(|value| !value.is_empty()).collect();
    values.join("\n")
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::codes::DocumentFormat;

    use super::super::observations;
    use super::super::tests::html;
    use super::*;

    const REPORT: &str = "MSH|^~\\&|LIS|A|||20260102||ORU^R01|1|P|2.4\rPID|1||77^^^HIS^MR||陈志远||19580304|M\r\
        OBR|1|||PANEL^<script>血常规</script>|||20260102080000|||||||||||||||20260102||LAB|F\r\
        OBX|1|NM|718-7^血红蛋白^LN||131|g/L|130-175|N|||F\r\
        OBX|2|NM|6690-2^白细胞^LN||12.1|10*9/L|3.5-9.5|H|||F\r";

    #[test]
    fn a_report_is_a_table_with_ranges_and_flags_and_no_script() {
        let html = html(REPORT, DocumentFormat::Hl7V2);
        for shown in ["陈志远", "血红蛋白", "130-175", "↑ 偏高", "&lt;script&gt;血常规"] {
            assert!(html.contains(shown), "{shown} in {html}");
        }
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn results_have_their_loinc_code_and_time() {
        let rows = observations(REPORT.as_bytes(), DocumentFormat::Hl7V2, &Zone::china());
        let first = rows.first().unwrap();
        assert_eq!((rows.len(), first.loinc.as_deref()), (2, Some("718-7")));
        assert_eq!((first.value.as_str(), first.range.as_str()), ("131", "130-175"));
        assert_eq!((first.code.as_str(), first.specimen.as_str()), ("718-7", " <script>血常规</script>"));
        assert!(first.at.is_some());
    }

    #[test]
    fn other_messages_are_names_and_values() {
        let order = "MSH|^~\\&|HIS|A|||20260102||ORM^O01|1|P|2.4\rPID|1||77^^^HIS^MR||陈志远\r\
            PV1|1|I|0203^^12||||10215^王建平\rDG1|1||I20.0|不稳定型心绞痛<b>\rZXX|1|x\r";
        let html = html(order, DocumentFormat::Hl7V2);
        assert!(html.contains("主管医生") && html.contains("王建平") && html.contains("&lt;b&gt;"), "{html}");
        assert!(html.contains("可下载原件"), "{html}");
    }
}
