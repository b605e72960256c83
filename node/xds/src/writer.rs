//! XML on its way out: every text and attribute escaped, what XML cannot hold replaced.

/// XML that grows.
#[derive(Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// An element with what stands in it.
    pub(crate) fn element(&mut self, name: &str, attributes: &[(&str, &str)], inner: impl FnOnce(&mut Self)) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
        self.0.push('>');
        inner(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element with nothing but text in it.
    pub(crate) fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.element(name, attributes, |xml| xml.text(text));
    }

    /// Text.
    pub(crate) fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                '\n' => self.0.push_str("&#10;"),
                '\t' => self.0.push_str("&#9;"),
                '\r' => self.0.push_str("&#13;"),
                _ if is_xml(c) => self.0.push(c),
                _ => self.0.push('\u{fffd}'),
            }
        }
    }

    /// What is XML already.
    pub(crate) fn raw(&mut self, xml: &str) {
        self.0.push_str(xml);
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Characters of XML 1.0, but for the line ends and the tabulator.
const fn is_xml(c: char) -> bool {
    matches!(c, '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(text in "\\PC*", value in any::<String>()) {
            let mut xml = Xml::default();
            xml.leaf("a", &[("b", &value)], &text);
            let written = xml.into_string();
            let read = roxmltree::Document::parse(&written).unwrap();
            prop_assert_eq!(read.root_element().text().unwrap_or_default(), text.as_str());
            let held = |c: char| if is_xml(c) || "\n\t\r".contains(c) { c } else { '\u{fffd}' };
            let expected: String = value.chars().map(held).collect();
            prop_assert_eq!(read.root_element().attribute("b"), Some(expected.as_str()));
        }
    }
}
