//! The notice before consent (PIPL articles 17, 23, 29 and 30): its text, made from what is to be consented to, and
//! `POST /api/notice`, which shows it.
//!
//! A directive names version and hash of exactly this text. Whoever changes a word here gives the text another version. A
//! request without purposes is an objection: its text is the patient's declaration.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use jiff::civil::{DateTime, Time};
use serde::{Deserialize, Serialize};
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_host::sessions::SignedIn;
use yiqiao_proto::codes::{DocumentClass, Purpose};
use yiqiao_proto::directive;
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest};
use yiqiao_proto::time::Timestamp;

use crate::api::faults::NO_MEMBER;
use crate::api::front::Front;
use crate::api::parse;
use crate::api::words;

/// The version of the texts below.
pub(super) const VERSION: &str = "2026-11.2";

pub(super) fn router() -> Router<Front> {
    Router::new().route("/api/notice", post(show).fallback(method_not_allowed))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    /// None: every other member, of an objection.
    organisation: Option<String>,
    classes: Vec<String>,
    purposes: Vec<String>,
    /// Whether documents of sensitive kinds are meant too.
    #[serde(default)]
    sensitive: bool,
    valid_until: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    version: &'static str,
    hash: String,
    paragraphs: Vec<String>,
}

/// What the text is made from.
pub(super) struct Notice {
    /// Recipient and how it is reached; none: every other member, of an objection only.
    pub(super) recipient: Option<(String, String)>,
    /// Who tells it, and how it is reached.
    pub(super) teller: (String, String),
    pub(super) classes: Vec<DocumentClass>,
    pub(super) purposes: Vec<Purpose>,
    /// Documents of sensitive kinds too; an objection always means these.
    pub(super) sensitive: bool,
    /// Until when, in the hospital's zone.
    pub(super) valid_until: Option<String>,
}

async fn show(
    State(front): State<Front>,
    _: SignedIn,
    Json(asked): Json<Request>,
) -> Result<Json<Shown>, Problem> {
    if asked.organisation.is_none() && !asked.purposes.is_empty() {
        return Err(Problem::new(&NO_MEMBER));
    }
    let organisation = asked.organisation.map(Code::new).transpose().map_err(|_| Problem::new(&NO_MEMBER))?;
    let until = asked.valid_until.as_deref().map(|text| parse::time("validUntil", text)).transpose()?;
    let classes = parse::codes("classes", DocumentClass::ALL, &asked.classes)?;
    let purposes = parse::codes("purposes", Purpose::ALL, &asked.purposes)?;
    let notice = front.notice(organisation.as_ref(), (&classes, asked.sensitive), &purposes, until)?;
    let hash = notice.hash().to_string();
    Ok(Json(Shown { version: VERSION, hash, paragraphs: notice.paragraphs() }))
}

impl Front {
    /// The notice of this consent or objection.
    pub(super) fn notice(
        &self,
        organisation: Option<&Code>,
        (classes, sensitive): (&std::collections::BTreeSet<DocumentClass>, bool),
        purposes: &std::collections::BTreeSet<Purpose>,
        valid_until: Option<Timestamp>,
    ) -> Result<Notice, Problem> {
        let directory = self.app.registry.directory();
        let reached = |code: &Code| {
            let member = directory.member(code).filter(|member| !member.suspended);
            member.map(|member| (member.name.clone(), member.contact.clone()))
        };
        let recipient = organisation.map(|code| reached(code).ok_or_else(|| Problem::new(&NO_MEMBER)));
        let own = &self.app.member;
        Ok(Notice {
            recipient: recipient.transpose()?,
            teller: reached(&own.code).unwrap_or_else(|| (own.name.clone(), String::new())),
            classes: classes.iter().copied().collect(),
            purposes: purposes.iter().copied().collect(),
            sensitive,
            valid_until: valid_until.map(|at| self.time(at)),
        })
    }
}

impl Notice {
    /// Version and hash, as a directive names them.
    pub(super) fn named(&self) -> directive::Notice {
        directive::Notice { version: VERSION.to_owned(), hash: self.hash() }
    }

    /// SHA-256 of the paragraphs in UTF-8, one on a line.
    fn hash(&self) -> Digest {
        let text = self.paragraphs().join("\n");
        Digest::new(hash::sha256_plain(&[text.as_bytes()])).expect("no text is known that hashes to zeros")
    }

    /// The text, paragraph by paragraph.
    pub(super) fn paragraphs(&self) -> Vec<String> {
        if self.purposes.is_empty() { self.objection() } else { self.consent() }
    }

    fn consent(&self) -> Vec<String> {
        let (teller, teller_contact) = &self.teller;
        let (name, contact) = self.recipient.as_ref().map_or(("", ""), |(name, contact)| (name, contact));
        let purposes: Vec<_> = self.purposes.iter().map(|purpose| words::purpose(*purpose)).collect();
        let until = self.valid_until.as_ref().map_or_else(
            || "一直有效，直到您撤回".to_owned(),
            |until| format!("有效期至{}止，到期自动失效", day_and_time(until)),
        );
        vec![
            format!(
                "{teller}依据《中华人民共和国个人信息保护法》第十七条、第二十三条、第二十九条和第三十条，向您告知以下事项，并请您\
                 单独同意。请仔细阅读，不明白的地方可以随时询问。"
            ),
            format!("一、接收方：{name}。联系方式：{contact}。"),
            format!(
                "二、处理目的和方式：用于{}。您在本区域内其他医疗机构产生的资料，由该机构加密后直接传送给接收方；区域登记平台\
                 只登记目录和您的授权，不保存病历内容。",
                purposes.join("、")
            ),
            format!(
                "三、资料种类：{}，{}精神、传染病、生殖健康等特别敏感的资料。以上资料均属于医疗健康方面的敏感个人信息。",
                words::classes(&self.classes),
                if self.sensitive { "包括" } else { "不包括" }
            ),
            "四、必要性和对您的影响：接收方的医务人员了解您的既往情况，可以减少重复检查和误诊的风险；同时会有更多医务人员看到这些\
             资料。您可以不同意，不影响您在任何医疗机构就诊。"
                .to_owned(),
            format!("五、期限：自登记时起生效，{until}。"),
            "六、撤回：您可以随时在任一成员机构的服务窗口或患者页面撤回，不需要理由，登记后立即生效：接收方不能再获取或打开新的资料，\
             尚未打开的资料会被清除。撤回不影响撤回之前已经进行的处理。"
                .to_owned(),
            "七、保存：接收方在有效期内已打开的资料成为其诊疗依据，依法留存在其病历中，门（急）诊病历保存不少于十五年，住院病历\
             不少于三十年。"
                .to_owned(),
            format!(
                "八、您的权利：您可以查阅、复制、更正您的资料，可以在患者页面查看每一次访问的记录。如有疑问或投诉，请联系{teller}\
                 （{teller_contact}）或接收方。"
            ),
        ]
    }

    fn objection(&self) -> Vec<String> {
        let who = self.recipient.as_ref().map_or("任何其他医疗机构", |(name, _)| name);
        let until = self.valid_until.as_ref().map_or_else(
            || "长期有效，直到本人取消".to_owned(),
            |until| format!("有效期至{}止，本人可以提前取消", day_and_time(until)),
        );
        vec![
            format!("本人不同意本地区其他医疗机构向{who}提供本人的健康资料。"),
            format!(
                "涉及的资料：{}，包括敏感资料。此声明{until}。",
                words::classes(&self.classes)
            ),
            "本人知悉：此声明登记后立即生效，可以随时取消；不影响该医院自己产生的病历，也不影响其依法提供诊疗服务。".to_owned(),
        ]
    }
}

/// `2026-12-01T00:00:00+08:00` as people write an end: midnight is the end of the day before.
pub(super) fn day_and_time(iso: &str) -> String {
    let Some(end) = iso.get(..19).and_then(|local| local.parse::<DateTime>().ok()) else {
        return iso.to_owned();
    };
    let (day, time) = match end.date().yesterday() {
        Ok(before) if end.time() == Time::midnight() => (before, "24:00".to_owned()),
        Ok(_) | Err(_) => (end.date(), end.strftime("%H:%M").to_string()),
    };
    format!("{}年{}月{}日{time}", day.year(), day.month(), day.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            recipient: Some(("大学附属医院".to_owned(), "0999-61000737".to_owned())),
            teller: ("人民医院".to_owned(), "0999-61000715".to_owned()),
            classes: vec![DocumentClass::Laboratory],
            purposes: vec![Purpose::Treatment],
            sensitive: false,
            valid_until: Some("2026-12-01T00:00:00+08:00".to_owned()),
        }
    }

    #[test]
    fn a_notice_names_recipient_contact_purpose_classes_end_and_rights() {
        let text = notice().paragraphs().join("\n");
        for part in [
            "大学附属医院",
            "0999-61000737",
            "诊疗",
            "检验报告",
            "2026年11月30日24:00",
            "随时",
            "撤回",
            "清除",
            "十五年",
            "第二十三条",
            "不包括精神、传染病、生殖健康",
            "0999-61000715",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn every_part_of_a_notice_is_in_its_hash() {
        let hash = notice().hash();
        let others = [
            Notice { recipient: Some(("甲".to_owned(), String::new())), ..notice() },
            Notice { classes: Vec::new(), ..notice() },
            Notice { purposes: vec![Purpose::Quality], ..notice() },
            Notice { valid_until: None, ..notice() },
            Notice { sensitive: true, ..notice() },
            Notice { teller: (String::new(), String::new()), ..notice() },
        ];
        assert!(others.iter().all(|other| other.hash() != hash));
        assert_eq!(notice().hash(), hash);
    }

    #[test]
    fn without_purposes_it_is_an_objection() {
        let text = Notice { purposes: Vec::new(), ..notice() }.paragraphs().join("\n");
        assert!(text.starts_with("本人不同意") && text.contains("大学附属医院"), "{text}");
    }

    /// A directive names the hash: the text of a version is never changed.
    #[test]
    fn the_text_of_this_version_is_frozen() {
        let hash = notice().hash().to_string();
        assert_eq!(
            (VERSION, hash.as_str()),
            ("2026-11.2", "c8d13e3bbea14eaf2b2f93df87b516c6c2409cd4b3aaecf47490321cfe7055b8")
        );
    }
}
