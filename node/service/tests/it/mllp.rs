//! The MLLP door: what senders do wrong, and what they are answered.

use yiqiao_intake::charset::Charset;

use crate::feeds::{NAMELESS, admission};
use crate::rig::Node;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_answered_message_by_message_whatever_comes() {
    let node = Node::started().await;
    let mut line = node.mllp().await;
    assert!(line.send(admission(1).as_bytes()).await.unwrap().starts_with("MSA|AA|a1"));
    assert!(line.send(NAMELESS.as_bytes()).await.unwrap().starts_with("MSA|AA|nameless-1"), "it is kept");
    assert!(line.send(b"PID|1").await.unwrap().starts_with("MSA|AR"));
    assert!(line.send(b"MSH|^~\\&|HIS\r").await.unwrap().starts_with("MSA|AR"));
    let chinese = Charset::Gb18030.encode(&admission(2));
    assert!(line.send(&chinese).await.unwrap().starts_with("MSA|AA|a2"));
    let unfinished = [b"\x0bMSH|^~", b"\x0b".as_slice(), admission(3).as_bytes(), b"\x1c\r"].concat();
    assert!(line.send_raw(&unfinished).await.unwrap().starts_with("MSA|AR"), "the frame without an end");
    assert!(line.send_raw(b"").await.unwrap().starts_with("MSA|AA|a3"), "the frame after it");
    let enhanced = admission(4).replace("|P|2.4", "|P|2.4|||AL|NE");
    assert!(line.send(enhanced.as_bytes()).await.unwrap().starts_with("MSA|CA|a4"));
    let status = node.status().await;
    assert_eq!(status["systems"]["his"]["applied"], 4);
    assert_eq!(status["open_reviews"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_configured_senders_are_let_in() {
    let mut node = Node::joined().await;
    let config = std::fs::read_to_string(node.config()).unwrap();
    std::fs::write(node.config(), config + "senders = [\"192.0.2.1\"]\n").unwrap();
    node.start().await;
    assert!(node.mllp().await.send(admission(1).as_bytes()).await.is_err());
    assert_eq!(node.status().await["systems"]["his"]["applied"], 0);
}
