//! How far views of databases are read, kept with what they brought.

use yiqiao_node_core::limits::WATERMARK_BYTES_MAX;
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::watermark::{self, ReadUp};

use crate::region::list;
use crate::rig::Node;

#[test]
fn a_watermark_is_kept_for_each_view_and_follows_from_the_journal() {
    let mut node = Node::new(&list(100));
    let (fees, stock) = ([1; 32], [2; 32]);
    let read = |view, to: &str| Input::ReadUp(ReadUp { view, watermark: to.to_owned() });
    node.decide(&read(fees, "2026-11-20 09:30:00")).unwrap();
    node.decide(&read(stock, "17")).unwrap();
    node.decide(&read(fees, "2026-11-20 09:31:00")).unwrap();
    let places = |node: &Node| {
        [fees, stock, [3; 32]]
            .map(|view| node.ask(|_, store| watermark::place(&view, store)).map(|(watermark, _)| watermark))
    };
    let expected = [Some("2026-11-20 09:31:00".to_owned()), Some("17".to_owned()), None];
    assert_eq!(places(&node), expected);
    let records = node.journal.len();
    node.decide(&read(stock, "17")).unwrap();
    node.decide(&read(stock, &"1".repeat(WATERMARK_BYTES_MAX + 1))).unwrap();
    assert_eq!(node.journal.len(), records, "what is known, and what is none, is not written down");
    node.rebuild();
    assert_eq!(places(&node), expected);
}
