//! What the systems of the synthetic county hospital send about people whose files have no flaw.

use jiff::civil::date;
use yiqiao_simnet::feeds::{Feed, System};
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::Town;

/// Everything about these people, in order of time.
pub(crate) fn about(roles: &[Role]) -> Vec<Feed> {
    let town = Town::story(date(2026, 11, 20));
    let cast: Vec<&str> =
        roles.iter().map(|role| town.cast(*role).unwrap().person.resident_id.as_str()).collect();
    let is_cast = |feed: &Feed| cast.contains(&town.patients()[feed.patient].person.resident_id.as_str());
    town.feeds().filter(|feed| feed.hospital.letter == 'A' && is_cast(feed)).collect()
}

/// Somebody's resident identity number.
pub(crate) fn resident_id(role: Role) -> String {
    Town::story(date(2026, 11, 20)).cast(role).unwrap().person.resident_id.to_string()
}

/// Whether the feed comes as HL7 v2 over MLLP.
pub(crate) fn is_message(feed: &Feed) -> bool {
    matches!(feed.system, System::His | System::Lis)
}

/// An admission that names no patient.
pub(crate) const NAMELESS: &str = "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A01|nameless-1|P|2.4\r\
     EVN|A01|20261120080000\rPV1|1|I|内科\r";

/// A laboratory report that says nothing of its patient but a number that no hospital gives.
pub(crate) const OF_NOBODY: &str = "MSH|^~\\&|LIS|QZRM|YQ|QZRM|20261120080000||ORU^R01|nobody-1|P|2.4\r\
     PID|1||E7654321^^^^PPN\r\
     OBR|1||L7|PANEL^电解质|||20261119080000|||||||||||||||20261119090000||LAB|F\r\
     OBX|1|NM|2823-3^钾^LN||4.1|mmol/L|3.5-5.3|N|||F\r";

/// An admission of somebody; `number` is the patient's and the message's.
pub(crate) fn admission(number: u32) -> String {
    format!(
        "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A01|a{number}|P|2.4\rEVN|A01|20261120080000\r\
         PID|1||{number:08}^^^HIS^MR||测试^患者||19900101|M\rPV1|1|I|内科\r"
    )
}
