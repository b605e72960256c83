//! HTML from plain text: headings, paragraphs, lists of facts, tables, and nothing else. Every text is escaped here, so no
//! markup of a document can reach a page.

use crate::api::limits::HTML_CHARS_MAX;

/// A fragment that is being made.
#[derive(Default)]
pub(super) struct Html {
    text: String,
    is_cut: bool,
}

impl Html {
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        let level = level.clamp(1, 3);
        if !text.trim().is_empty() {
            self.push(&format!("<h{level}>{}</h{level}>", escaped(text)));
        }
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.push(&format!("<p>{}</p>", escaped(text)));
        }
    }

    /// Names and values; those without a value are left out.
    pub(super) fn facts<'a>(&mut self, facts: impl IntoIterator<Item = (&'a str, String)>) {
        let facts = facts.into_iter().filter(|(_, value)| !value.trim().is_empty());
        let row = |(name, value): (&str, String)| {
            format!("<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(&value))
        };
        let rows: String = facts.map(row).collect();
        if !rows.is_empty() {
            self.push(&format!("<table>{rows}</table>"));
        }
    }

    /// Rows under headings; columns in which nothing stands are left out.
    pub(super) fn table(&mut self, heads: &[&str], rows: &[Vec<String>]) {
        let is_used =
            |at: usize| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.trim().is_empty()));
        let columns = heads.len().max(rows.iter().map(Vec::len).max().unwrap_or(0));
        let used: Vec<usize> = (0..columns).filter(|at| is_used(*at)).collect();
        if used.is_empty() {
            return;
        }
        let line = |cell: &str, texts: Vec<&str>| {
            let cells = texts.into_iter().map(|text| format!("<{cell}>{}</{cell}>", escaped(text)));
            format!("<tr>{}</tr>", cells.collect::<String>())
        };
        let mut table = String::from("<table>");
        if !heads.is_empty() {
            table += &line("th", used.iter().map(|at| heads.get(*at).copied().unwrap_or_default()).collect());
        }
        for row in rows {
            let texts = used.iter().map(|at| row.get(*at).map_or("", String::as_str)).collect();
            table += &line("td", texts);
        }
        self.push(&(table + "</table>"));
    }

    /// The fragment; it says so if there was more than fits.
    pub(super) fn finish(self) -> String {
        let cut =
            if self.is_cut { "<p>内容过长，以下未显示，请下载原件查看。</p>" } else { "" };
        self.text + cut
    }

    fn push(&mut self, markup: &str) {
        if self.is_cut || self.text.len() + markup.len() > HTML_CHARS_MAX {
            self.is_cut = true;
        } else {
            self.text += markup;
        }
    }
}

/// Text that is no markup; lines stay lines.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.trim().chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            '\n' => safe += "<br>",
            control if control.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_markup_of_a_text_comes_out() {
        let hostile = "<script>alert('1')</script>&\"\u{1b}x\ny";
        let mut html = Html::default();
        html.heading(9, hostile);
        html.paragraph(hostile);
        html.facts([(hostile, hostile.to_owned())]);
        html.table(&[hostile], &[vec![hostile.to_owned()]]);
        let text = html.finish();
        let safe = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot; x<br>y";
        assert_eq!(text.matches(safe).count(), 6);
        assert!(!text.contains("<script"));
        let tags: Vec<&str> = text.split('<').skip(1).filter_map(|tag| tag.split('>').next()).collect();
        let known = ["h3", "/h3", "p", "/p", "table", "/table", "tr", "/tr", "th", "/th", "td", "/td", "br"];
        assert!(tags.iter().all(|tag| known.contains(tag)), "{tags:?}");
    }

    #[test]
    fn columns_without_anything_are_left_out() {
        let mut html = Html::default();
        html.table(&["a", "b"], &[vec!["1".to_owned(), String::new()]]);
        assert_eq!(html.finish(), "<table><tr><th>a</th></tr><tr><td>1</td></tr></table>");
    }

    #[test]
    fn what_does_not_fit_is_said_to_be_missing() {
        let mut html = Html::default();
        html.paragraph(&"长".repeat(HTML_CHARS_MAX));
        assert!(html.finish().contains("请下载原件"));
    }
}
