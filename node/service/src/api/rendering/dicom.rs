//! A DICOM study as a list of its series; an instance as what it says of itself. The images are for viewers.

use std::collections::BTreeMap;

use yiqiao_dicom::archive::{List, Listed};
use yiqiao_intake::dates::Zone;

use super::{head, understood};
use crate::api::html::Html;

/// What a person sees of a document of DICOM; of a study its beginning suffices.
pub(super) fn render(bytes: &[u8], zone: &Zone) -> Option<String> {
    let mut html = Html::default();
    if let Some(list) = List::place(bytes).ok().and_then(|place| List::read(bytes.get(place)?).ok()) {
        series(&mut html, &list);
    } else {
        head(&mut html, &understood(bytes, zone)?, zone);
    }
    html.paragraph("影像请下载原件，用阅片软件打开。");
    Some(html.finish())
}

fn series(html: &mut Html, list: &List) {
    let mut series: BTreeMap<(Option<i32>, &str), Vec<&Listed>> = BTreeMap::new();
    for part in &list.instances {
        series.entry((part.listed.series_number, &part.listed.series)).or_default().push(&part.listed);
    }
    html.facts([
        ("序列数", series.len().to_string()),
        ("影像数", list.instances.len().to_string()),
        ("检查号 UID", list.study.clone()),
    ]);
    let rows: Vec<Vec<String>> =
        series.iter().map(|((number, _), instances)| row(*number, instances)).collect();
    html.heading(2, "序列");
    html.table(&["序列号", "类型", "描述", "影像数", "大小"], &rows);
    html.heading(2, "影像");
    let rows: Vec<Vec<String>> = list.instances.iter().map(|part| instance(&part.listed)).collect();
    html.table(&["序列号", "影像号", "大小", "帧数", "SOP UID"], &rows);
}

fn row(number: Option<i32>, instances: &[&Listed]) -> Vec<String> {
    let first = instances.first();
    let text = |text: Option<String>| text.unwrap_or_default();
    vec![
        text(number.map(|number| number.to_string())),
        text(first.map(|first| first.modality.clone())),
        text(first.and_then(|first| first.series_description.clone())),
        instances.len().to_string(),
        text(first.and_then(|first| size(first))),
    ]
}

fn instance(listed: &Listed) -> Vec<String> {
    let number = |number: Option<i32>| number.map(|number| number.to_string()).unwrap_or_default();
    vec![
        number(listed.series_number),
        number(listed.number),
        size(listed).unwrap_or_default(),
        number(listed.frames),
        listed.instance.clone(),
    ]
}

/// Columns by rows.
fn size(listed: &Listed) -> Option<String> {
    Some(format!("{} × {}", listed.columns?, listed.rows?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use yiqiao_dicom::archive::{Layout, Offered};

    #[test]
    fn a_study_is_shown_by_its_series_and_no_markup_of_it_reaches_the_page() {
        let one = |series: i32, number: i32| Offered {
            listed: Listed {
                series: format!("1.2.{series}"),
                modality: "CT".to_owned(),
                series_number: Some(series),
                series_description: Some("<b>胸部".to_owned()),
                instance: format!("1.2.{series}.{number}"),
                sop_class: "1.2.3".to_owned(),
                transfer_syntax: String::new(),
                number: Some(number),
                frames: None,
                rows: Some(512),
                columns: Some(640),
            },
            length: 9,
            crc32: 0,
        };
        let layout = Layout::new("1.2", vec![one(1, 1), one(1, 2), one(2, 1)]).unwrap();
        let html = render(&layout.front, &Zone::china()).unwrap();
        assert!(
            html.contains("<th>序列数</th><td>2</td>") && html.contains("<th>影像数</th><td>3</td>"),
            "{html}"
        );
        assert!(html.contains("&lt;b&gt;胸部") && html.contains("640 × 512"), "{html}");
        assert_eq!(render(b"no study", &Zone::china()), None);
    }
}
