//! XML under bounds: size, depth, attributes and nodes are checked before or by the parser; a DOCTYPE is refused.
//!
//! The check of depth and attributes runs on the bytes first, because the parser's own cost grows with both squared.

use core::cell::OnceCell;
use std::collections::BTreeMap;

use roxmltree::{Document, Node, ParsingOptions};

use crate::charset;
use crate::flag::Flags;
use crate::limits::{XML_ATTRIBUTES_MAX, XML_BYTES_MAX, XML_DEPTH_MAX, XML_NAMESPACES_MAX, XML_NODES_MAX};
use crate::refusal::Refusal;

/// HL7 version 3: CDA.
pub const HL7: &str = "urn:hl7-org:v3";

/// The paths of a document's elements from the root: local names, with a number from 1 where the parent has more than one of the name.
///
/// They are numbered all at once, when the first path is asked for: the cost of one by one grows with the square of the siblings.
pub struct Paths<'a, 'i> {
    document: &'a Document<'i>,
    /// By node; 0 is alone of its name.
    numbers: OnceCell<Vec<u32>>,
}

impl<'a, 'i> Paths<'a, 'i> {
    /// The paths of a document.
    pub const fn of(document: &'a Document<'i>) -> Self {
        Self { document, numbers: OnceCell::new() }
    }

    /// The path of an element.
    pub fn path(&self, node: Node<'_, '_>) -> String {
        let numbers = self.numbers.get_or_init(|| numbered(self.document));
        let step = |node: Node<'_, '_>| {
            let name = node.tag_name().name();
            match numbers.get(node.id().get_usize()) {
                None | Some(0) => format!("/{name}"),
                Some(number) => format!("/{name}[{number}]"),
            }
        };
        let mut steps: Vec<String> = node.ancestors().filter(Node::is_element).map(step).collect();
        steps.reverse();
        steps.concat()
    }
}

fn numbered(document: &Document<'_>) -> Vec<u32> {
    let mut numbers = vec![0; document.descendants().count()];
    for parent in document.descendants().filter(Node::has_children) {
        let mut first: BTreeMap<&str, (usize, u32)> = BTreeMap::new();
        for child in parent.children().filter(Node::is_element) {
            let id = child.id().get_usize();
            let (first, count) = first.entry(child.tag_name().name()).or_insert((id, 0));
            *count += 1;
            if *count > 1 {
                put(&mut numbers, *first, 1);
                put(&mut numbers, id, *count);
            }
        }
    }
    numbers
}

fn put(numbers: &mut [u32], at: usize, number: u32) {
    if let Some(place) = numbers.get_mut(at) {
        *place = number;
    }
}

/// Decodes XML, in the set of its declaration if the bytes agree.
///
/// # Errors
/// [`Refusal::TooLarge`] if it is.
pub fn decode(input: &[u8], flags: &mut Flags) -> Result<String, Refusal> {
    if input.len() > XML_BYTES_MAX {
        return Err(Refusal::TooLarge { what: "an XML document", limit: XML_BYTES_MAX });
    }
    let text = charset::decode(input, declared_charset(input).as_deref(), flags).text;
    // The first character of XML is `<`; blanks before a declaration are common and harmless.
    Ok(text.trim_start().trim_end_matches('\0').to_owned())
}

/// Parses XML.
///
/// # Errors
/// [`Refusal`] if it has a document type, exceeds a bound or is broken, with the place.
pub fn parse(text: &str) -> Result<Document<'_>, Refusal> {
    check_bounds(text)?;
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: XML_NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| refusal(&error))
}

/// The first child element of this local name, whatever its namespace.
pub fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    children(node, name).next()
}

/// The child elements of this local name.
pub fn children<'a, 'i, 'n>(
    node: Node<'a, 'i>,
    name: &'n str,
) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i, 'n> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The element at the end of a path of local names.
pub fn at<'a, 'i>(node: Node<'a, 'i>, path: &[&str]) -> Option<Node<'a, 'i>> {
    path.iter().try_fold(node, |node, name| child(node, name))
}

/// An attribute without blanks around it, unless it is empty.
pub fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attribute(name).map(str::trim).filter(|value| !value.is_empty())
}

/// All text below an element, blanks collapsed; `None` if there is none.
pub fn text(node: Node<'_, '_>) -> Option<String> {
    let texts = node.descendants().filter(Node::is_text).filter_map(|text| text.text());
    let words: Vec<&str> = texts.flat_map(str::split_whitespace).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The first start tag of a document, without parsing the rest.
pub(crate) fn root_tag(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let (_, markup) = rest.split_once('<')?;
        rest = if let Some(comment) = markup.strip_prefix("!--") {
            after(comment, "-->")
        } else if let Some(instruction) = markup.strip_prefix('?') {
            after(instruction, "?>")
        } else {
            return markup.split('>').next();
        };
    }
}

fn declared_charset(input: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(input.get(..input.len().min(200))?);
    let declaration = head.split_once("<?xml")?.1.split("?>").next()?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value.split(quote).nth(1).map(str::to_owned)
}

/// Walks the markup once: depth of elements, attributes of each, namespaces in scope, and no document type.
fn check_bounds(text: &str) -> Result<(), Refusal> {
    let (mut open, mut rest) = (Open::default(), text);
    while let Some((_, markup)) = rest.split_once('<') {
        rest = if let Some(comment) = markup.strip_prefix("!--") {
            after(comment, "-->")
        } else if let Some(cdata) = markup.strip_prefix("![CDATA[") {
            after(cdata, "]]>")
        } else if let Some(instruction) = markup.strip_prefix('?') {
            after(instruction, "?>")
        } else if markup.starts_with('!') {
            return Err(Refusal::Doctype);
        } else {
            let (tag, rest) = tag(markup)?;
            open.take(tag)?;
            rest
        };
    }
    Ok(())
}

/// The elements open at a place, by how many namespaces each declares: every element below carries them all.
#[derive(Default)]
struct Open {
    declared: Vec<usize>,
    in_scope: usize,
}

impl Open {
    fn take(&mut self, tag: &str) -> Result<(), Refusal> {
        if tag.starts_with('/') {
            self.in_scope -= self.declared.pop().unwrap_or(0);
        } else if !tag.ends_with('/') {
            let declared = tag.matches("xmlns").count();
            self.declared.push(declared);
            self.in_scope += declared;
        }
        let depth = Refusal::TooLarge { what: "the depth of XML elements", limit: XML_DEPTH_MAX };
        let namespaces = Refusal::TooLarge { what: "the XML namespaces in scope", limit: XML_NAMESPACES_MAX };
        match (self.declared.len() > XML_DEPTH_MAX, self.in_scope > XML_NAMESPACES_MAX) {
            (true, _) => Err(depth),
            (_, true) => Err(namespaces),
            (false, false) => Ok(()),
        }
    }
}

fn after<'t>(text: &'t str, end: &str) -> &'t str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// A tag up to its `>`, which may not stand in quotes, and what follows.
fn tag(markup: &str) -> Result<(&str, &str), Refusal> {
    let (mut quote, mut attributes) = (None, 0);
    for (at, byte) in markup.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => attributes += 1,
            (None, b'>') => return Ok((markup.get(..at).unwrap_or(""), markup.get(at + 1..).unwrap_or(""))),
            (Some(_) | None, _) => {}
        }
        if attributes > XML_ATTRIBUTES_MAX {
            return Err(Refusal::TooLarge {
                what: "the attributes of an XML element",
                limit: XML_ATTRIBUTES_MAX,
            });
        }
    }
    // Unfinished: the parser says where.
    Ok((markup, ""))
}

fn refusal(error: &roxmltree::Error) -> Refusal {
    use roxmltree::Error;
    let position = error.pos();
    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's other errors all mean broken syntax")]
    let problem = match error {
        Error::DtdDetected => return Refusal::Doctype,
        Error::NodesLimitReached => {
            return Refusal::TooLarge { what: "the number of XML nodes", limit: XML_NODES_MAX as usize };
        }
        Error::UnknownNamespace(..) => "an undeclared namespace prefix: send the whole document, not a part",
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream => "the end is missing",
        Error::UnexpectedCloseTag(..) => "an element is closed that is not open",
        Error::DuplicatedAttribute(..) => "an attribute stands twice",
        Error::NoRootNode => "there is no element",
        Error::UnknownEntityReference(..) | Error::MalformedEntityReference(_) => "an unknown entity",
        Error::NonXmlChar(..) => "a character that XML does not allow",
        Error::UnknownToken(_) => "something behind or before the one root element",
        _ => "a syntax error",
    };
    Refusal::Xml { line: position.row, column: position.col, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_nested_elements_are_refused_without_overflow() {
        let deep = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
        assert!(matches!(parse(&deep), Err(Refusal::TooLarge { what: "the depth of XML elements", .. })));
    }

    #[test]
    fn attributes_are_bounded_before_they_are_compared() {
        let many: String = (0..100_000).map(|n| format!(" a{n}='<'")).collect();
        assert!(matches!(parse(&format!("<a{many}/>")), Err(Refusal::TooLarge { .. })));
    }

    #[test]
    fn namespaces_are_bounded_before_every_element_inherits_them() {
        let declaring = |at: usize| format!("<a xmlns:n{at}='{at}' xmlns:m{at}='m{at}'>");
        let nested: String = (0..100).map(declaring).collect();
        let refusal = parse(&nested).unwrap_err();
        assert!(
            matches!(refusal, Refusal::TooLarge { what: "the XML namespaces in scope", .. }),
            "{refusal}"
        );
    }

    #[test]
    fn a_doctype_is_refused_wherever_it_stands_but_its_name_in_a_comment_is_not() {
        assert_eq!(parse("<!DOCTYPE a><a/>").unwrap_err(), Refusal::Doctype);
        assert_eq!(parse("<!DOCTYPE a [<!ENTITY e 'e'>]><a>&e;</a>").unwrap_err(), Refusal::Doctype);
        assert!(parse("<!-- <!DOCTYPE a> --><a b='>'><![CDATA[<!DOCTYPE]]></a>").is_ok());
    }

    #[test]
    fn a_path_numbers_only_what_is_not_alone() {
        let document = parse("<a><b/><b><c/></b><d/></a>").unwrap();
        let (paths, elements) = (Paths::of(&document), document.descendants().filter(Node::is_element));
        let paths: Vec<String> = elements.map(|node| paths.path(node)).collect();
        assert_eq!(paths, ["/a", "/a/b[1]", "/a/b[2]", "/a/b[2]/c", "/a/d"]);
    }

    #[test]
    fn a_fragment_is_refused_with_its_place() {
        let error = parse("<a>\n  <sdtc:b/></a>").unwrap_err();
        assert!(matches!(error, Refusal::Xml { line: 2, column: 4, .. }), "{error}");
    }

    #[test]
    fn the_declared_set_is_believed_if_the_bytes_agree() {
        let mut bytes = b"<?xml version='1.0' encoding='GBK'?>".to_vec();
        bytes.extend(charset::Charset::Gb18030.encode("<名/>"));
        let mut flags = Flags::none();
        assert!(decode(&bytes, &mut flags).unwrap().ends_with("<名/>"));
        assert_eq!(flags, Flags::none());
    }
}
