//! Many messages of every sort through the doors of one node, and how each of them has to end: the counters of its connections must
//! say the same.
//!
//! Which message comes at which place is fixed by its number. Patients have no identity number, so nothing of them leaves the node.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::client::Client;
use crate::feed::{Mllp, ack_code};

/// Messages of one frame or request: they are answered together.
const TOGETHER: u64 = 250;
/// The hospital's patients.
const PATIENTS: u64 = 5_000;
/// After how many messages the sorts come in the same order again.
const ROUND: u64 = 50;

/// How an input ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It brings a document.
    Indexed,
    /// It changes a patient.
    Applied,
    /// It is no record.
    Answered,
    /// It is kept for a person.
    Review,
    /// It goes back.
    Refused,
    /// It came before.
    Repeated,
}

/// Two doors of a node, and what was sent through them.
#[derive(Debug)]
pub struct Soak {
    mllp: String,
    url: String,
    client: (String, String),
    sent: u64,
    /// By door and sender.
    ends: BTreeMap<(&'static str, String), BTreeMap<End, u64>>,
}

/// A message.
struct Message {
    by_http: bool,
    sender: &'static str,
    end: End,
    bytes: Vec<u8>,
}

impl End {
    const ALL: [Self; 6] =
        [Self::Indexed, Self::Applied, Self::Answered, Self::Review, Self::Refused, Self::Repeated];

    const fn name(self) -> &'static str {
        match self {
            Self::Indexed => "indexed",
            Self::Applied => "applied",
            Self::Answered => "answered",
            Self::Review => "review",
            Self::Refused => "refused",
            Self::Repeated => "repeated",
        }
    }
}

impl Soak {
    /// Doors through which nothing was sent: an MLLP address, and where a client of this id and secret signs in.
    pub fn new(mllp: &str, url: &str, client: &str, secret: &str) -> Self {
        let client = (client.to_owned(), secret.to_owned());
        Self { mllp: mllp.to_owned(), url: url.to_owned(), client, sent: 0, ends: BTreeMap::new() }
    }

    /// Sends messages until there are so many, and waits for the answers.
    ///
    /// # Errors
    /// A door does not answer, or takes a message otherwise than it has to.
    pub fn send(&mut self, count: u64, mut say: impl FnMut(u64)) -> anyhow::Result<()> {
        let mut line = Mllp::connect(&self.mllp)?;
        let http = Client::at(&self.url);
        http.authorize(&self.client.0, &self.client.1)?;
        while self.sent < count {
            let upto = count.min(self.sent + TOGETHER);
            let messages: Vec<Message> = (self.sent..upto).map(message).collect();
            let (posted, framed): (Vec<_>, Vec<_>) = messages.iter().partition(|one| one.by_http);
            let frame: Vec<u8> = framed.iter().flat_map(|one| one.bytes.iter().copied()).collect();
            let code = ack_code(&line.send(&frame)?)?;
            ensure!(matches!(code.as_str(), "AA" | "AR"), "messages up to {upto} were answered by {code}");
            for one in posted {
                let answer = http.send("POST", "/api/intake", "application/octet-stream", &one.bytes)?;
                ensure!(answer.status == 422, "what is no message was answered by {}", answer.status);
            }
            messages.iter().for_each(|one| self.count(one));
            self.sent = upto;
            say(upto);
        }
        Ok(())
    }

    fn count(&mut self, message: &Message) {
        let door = if message.by_http { "http" } else { "mllp" };
        let ends = self.ends.entry((door, message.sender.to_owned())).or_default();
        *ends.entry(message.end).or_default() += 1;
    }

    /// Compares with the `connections` of `yiqiao-node status --json`: each must have all that was sent, as it had to end.
    ///
    /// # Errors
    /// A figure is another.
    pub fn compare(&self, connections: &Value) -> anyhow::Result<()> {
        let rows = connections.as_array().context("status has connections")?;
        let mut came = 0;
        for ((door, sender), ends) in &self.ends {
            let is_it = |row: &&Value| {
                row.pointer("/door") == Some(&Value::from(*door))
                    && row.pointer("/sender") == Some(&Value::from(sender.as_str()))
            };
            let row = rows.iter().find(is_it).with_context(|| format!("no connection {door} {sender}"))?;
            let figure = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
            for end in End::ALL {
                let (sent, kept) = (ends.get(&end).copied().unwrap_or_default(), figure(end.name()));
                ensure!(sent == kept, "{door} {sender}: {sent} {} were sent, {kept} are counted", end.name());
            }
            let sum: u64 = End::ALL.iter().map(|end| figure(end.name())).sum();
            ensure!(figure("came") == sum, "{door} {sender}: {} came, {sum} ended", figure("came"));
            came += sum;
        }
        ensure!(came == self.sent, "{} were sent, {came} came", self.sent);
        Ok(())
    }
}

/// The message of a number.
fn message(number: u64) -> Message {
    let place = number % ROUND;
    let (sender, by_http) = match place {
        0..=19 | 47 | 48 => ("HIS|QZRM", false),
        20..=34 => ("EMPI|QZRM", false),
        35..=46 => ("LIS|QZRM", false),
        _ => ("", true),
    };
    let (end, text) = match place {
        0..=34 => (End::Applied, event(number, sender)),
        35..=39 => (End::Indexed, report(number, sender)),
        40..=42 => (End::Answered, format!("{}QRY^A19|S{number}|P|2.4\rQRD|1\r", header(sender))),
        43 | 44 => (End::Answered, format!("{}ACK|S{number}|P|2.4\rMSA|AA|1\r", header(sender))),
        45 => (End::Review, format!("{}ADT^A01|S{number}|P|2.4\rPV1|1|I\r", header(sender))),
        46 => (End::Refused, format!("{}ORU^R01|S{number}|P|2.4\r", header(sender))),
        // The same as some messages before.
        47 | 48 => (End::Repeated, event(number - 40, sender)),
        _ => (End::Refused, format!("{{\"resourceType\": {number}")),
    };
    Message { by_http, sender, end, bytes: text.into_bytes() }
}

fn header(sender: &str) -> String {
    format!("MSH|^~\\&|{sender}|YIQIAO|QZRM|20261101080000||")
}

fn event(number: u64, sender: &str) -> String {
    let patient = number % PATIENTS;
    format!(
        "{}ADT^A08|S{number}|P|2.4\rEVN|A08|20261101080000\rPID|1||9{patient:07}^^^HIS^MR||测试{patient}||19700101|M\rPV1|1|O|0203\r",
        header(sender)
    )
}

fn report(number: u64, sender: &str) -> String {
    let patient = number % PATIENTS;
    format!(
        "{}ORU^R01|S{number}|P|2.4\rPID|1||9{patient:07}^^^HIS^MR||测试{patient}||19700101|M\rOBR|1||S{number}|TSH^促甲状腺激素|||20261101073000||||||||||||||||||F\rOBX|1|NM|TSH^促甲状腺激素||2.10|mIU/L|0.27-4.20|N|||F\r",
        header(sender)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_the_same_bytes_as_a_message_before_it() {
        for number in [ROUND + 47, ROUND + 48, 5 * ROUND + 47] {
            let again = message(number);
            assert_eq!(again.end, End::Repeated);
            assert_eq!(again.bytes, message(number - 40).bytes);
        }
    }
}
