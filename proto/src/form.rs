//! What a referral step says inside its sealed body: the form of a send, the reply of every other step.
//!
//! The fields are those of the standard referral form (双向转诊单). Read as strictly as words are, and never printed. Not
//! here: sealing and opening: `referral`.

use prost::Message;

use crate::codes::{
    DocumentClass, DocumentFormat, DocumentType, ReferralAct, Sensitivity, Sex, Urgency, Way,
};
use crate::decode::{self, DecodeError, at_most, check, required};
use crate::id::{Code, DirectiveId, DocumentId, EntryId};
use crate::limits::{
    CALL_FIELDS_MAX, DOCUMENT_BYTES_MAX, FORM_DIRECTIVES_MAX, FORM_DOCUMENTS_MAX, FORM_IDENTIFIERS_MAX,
    FORM_IMPRESSIONS_MAX, FORM_LINE_BYTES_MAX, FORM_TEXT_BYTES_MAX, REFERRAL_BODY_BYTES_MAX, TOKENS_MAX,
};
use crate::person::{Identifier, IdentifierKind};
use crate::phi::Phi;
use crate::time::Timestamp;
use crate::token::Token;
use crate::wire::referral as wire;

/// The body of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralForm {
    /// Who the patient is.
    pub person: FormPerson,
    /// The patient's tokens as the referring side computed them, ascending; at least one if it is complete.
    pub tokens: Vec<Token>,
    /// From where, and to which department.
    pub route: Route,
    /// What the receiving physician needs to know.
    pub clinical: Phi<Clinical>,
    /// What the receiving side is to see.
    pub documents: Vec<ListedDocument>,
    /// The directives that permit it, as far as the referring side knows them.
    pub directives: Vec<DirectiveId>,
    /// Until when an answer is expected.
    pub answer_until: Option<Timestamp>,
}

/// Who the patient is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormPerson {
    /// Identifiers, one of each kind at most.
    pub identifiers: Vec<Identifier>,
    /// Name.
    pub name: Phi<String>,
    /// Sex.
    pub sex: Phi<Sex>,
    /// Date of birth, as far as it is known.
    pub birth: Phi<BirthDate>,
    /// Phone number; empty if not known.
    pub phone: Phi<String>,
}

/// A date of birth, of which day and month may be unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate {
    /// 0 if nothing is known.
    pub year: u32,
    /// 1 to 12; 0 if not known.
    pub month: u32,
    /// 1 to 31; 0 if not known.
    pub day: u32,
}

/// From where, to where, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The referring department, by its own organisation's code.
    pub from_department: Option<Code>,
    /// The referring physician's name.
    pub physician: Phi<String>,
    /// And phone number; may be empty.
    pub physician_phone: Phi<String>,
    /// The receiving department, by that organisation's code.
    pub to_department: Option<Code>,
    /// How fast.
    pub urgency: Urgency,
    /// Up or down.
    pub way: Way,
}

/// The text of the form. Empty fields are allowed but for the reason.
#[derive(Clone, PartialEq, Eq)]
pub struct Clinical {
    /// 转出原因.
    pub reason: String,
    /// 初步印象.
    pub impressions: Vec<Impression>,
    /// 主要现病史.
    pub present_history: String,
    /// 主要既往史.
    pub past_history: String,
    /// 治疗经过.
    pub treatment: String,
    /// 下一步治疗方案.
    pub plan: String,
}

/// One impression.
#[derive(Clone, PartialEq, Eq)]
pub struct Impression {
    /// As the physician writes it.
    pub text: String,
    /// Its code (ICD-10 or GB/T 15657); may be empty.
    pub code: String,
}

/// A document that a recipient is told of: by a form, or by an answer to a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDocument {
    /// Who has it.
    pub holder: Code,
    /// Its entry.
    pub entry_id: EntryId,
    /// The sealed document.
    pub document: DocumentId,
    /// Length before sealing.
    pub size: u64,
    /// Class.
    pub class: DocumentClass,
    /// Type.
    pub document_type: DocumentType,
    /// Format.
    pub format: DocumentFormat,
    /// Sensitivity.
    pub sensitivity: Sensitivity,
    /// When the service began.
    pub service_start: Option<Timestamp>,
    /// When it ended.
    pub service_end: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its title; may be empty.
    pub title: Phi<String>,
}

/// The body of every step but a send. All may be empty.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ReferralReply {
    /// Why.
    pub reason: String,
    /// When the patient is to come.
    pub appointment: Option<Timestamp>,
    /// And where.
    pub place: String,
    /// Result, advice, what to do next.
    pub answer: String,
    /// Whom to ask.
    pub contact: String,
}

/// The body of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Of a send.
    Form(Box<ReferralForm>),
    /// Of any other.
    Reply(Phi<ReferralReply>),
}

impl Body {
    /// Reads the body of a step.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn decode(act: ReferralAct, bytes: &[u8]) -> Result<Self, DecodeError> {
        if act == ReferralAct::Send {
            let form = ReferralForm::decode(bytes)?;
            form.check_complete()?;
            Ok(Self::Form(Box::new(form)))
        } else {
            ReferralReply::decode(bytes).map(|reply| Self::Reply(Phi::new(reply)))
        }
    }

    /// To bytes that [`Body::decode`] takes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Form(form) => form.encode(),
            Self::Reply(reply) => reply.expose().encode(),
        }
    }
}

impl ReferralForm {
    /// From bytes, by the strict rule (W-2, W-3).
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(strict("form", bytes)?)
    }

    /// To bytes that [`ReferralForm::decode`] takes.
    pub fn encode(&self) -> Vec<u8> {
        self.write().encode_to_vec()
    }

    /// Whether this can be read again, complete or not: a draft.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn check(&self) -> Result<(), DecodeError> {
        Self::decode(&self.encode()).map(|_| ())
    }

    /// Whether the other side will take it: what every referral needs is there.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn check_complete(&self) -> Result<(), DecodeError> {
        self.check()?;
        check("form.tokens", !self.tokens.is_empty(), "at least one")?;
        let texts = [
            ("form.name", self.person.name.expose()),
            ("form.physician", self.route.physician.expose()),
            ("form.reason", &self.clinical.expose().reason),
        ];
        texts.into_iter().try_for_each(|(field, text)| check(field, !text.is_empty(), "not empty"))
    }

    fn read(mut wire: wire::ReferralForm) -> Result<Self, DecodeError> {
        at_most("form.documents", wire.documents.len(), FORM_DOCUMENTS_MAX)?;
        at_most("form.directives", wire.directives.len(), FORM_DIRECTIVES_MAX)?;
        at_most("form.tokens", wire.tokens.len(), TOKENS_MAX)?;
        let tokens = Token::read_list("form.tokens", std::mem::take(&mut wire.tokens))?;
        let documents = std::mem::take(&mut wire.documents);
        let documents: Vec<_> = documents.into_iter().map(ListedDocument::read).collect::<Result<_, _>>()?;
        let key = |document: &ListedDocument| (document.holder.clone(), document.entry_id);
        check("form.documents", documents.is_sorted_by(|a, b| key(a) < key(b)), "ascending, none twice")?;
        let directives = wire.directives.iter().map(|id| DirectiveId::read("form.directives", id));
        Ok(Self {
            tokens,
            documents,
            directives: directives.collect::<Result<_, _>>()?,
            answer_until: decode::optional_time("form.answer_until", wire.answer_until)?,
            person: FormPerson::read(&mut wire)?,
            route: Route::read(&mut wire)?,
            clinical: Phi::new(Clinical::read(wire)?),
        })
    }

    fn write(&self) -> wire::ReferralForm {
        let (person, route, clinical) = (&self.person, &self.route, self.clinical.expose());
        let birth = *person.birth.expose();
        wire::ReferralForm {
            identifiers: person.identifiers.iter().map(write_identifier).collect(),
            name: person.name.expose().clone(),
            sex: person.sex.expose().number(),
            birth: Some(wire::BirthDate { year: birth.year, month: birth.month, day: birth.day }),
            phone: person.phone.expose().clone(),
            tokens: self.tokens.iter().map(|token| token.write()).collect(),
            from_department: code_text(route.from_department.as_ref()),
            physician: route.physician.expose().clone(),
            physician_phone: route.physician_phone.expose().clone(),
            to_department: code_text(route.to_department.as_ref()),
            urgency: route.urgency.number(),
            direction: route.way.number(),
            reason: clinical.reason.clone(),
            impressions: clinical.impressions.iter().map(Impression::write).collect(),
            present_history: clinical.present_history.clone(),
            past_history: clinical.past_history.clone(),
            treatment: clinical.treatment.clone(),
            plan: clinical.plan.clone(),
            documents: self.documents.iter().map(ListedDocument::write).collect(),
            directives: self.directives.iter().map(|id| id.as_bytes().to_vec()).collect(),
            answer_until: self.answer_until.map(Timestamp::unix_ms),
        }
    }
}

impl FormPerson {
    fn read(wire: &mut wire::ReferralForm) -> Result<Self, DecodeError> {
        at_most("form.identifiers", wire.identifiers.len(), FORM_IDENTIFIERS_MAX)?;
        let identifiers: Vec<_> = wire.identifiers.iter().map(read_identifier).collect::<Result<_, _>>()?;
        let of_kind = |id: &Identifier| id.kind();
        let sorted = identifiers.is_sorted_by(|a, b| of_kind(a) < of_kind(b));
        check("form.identifiers", sorted, "ascending by kind, none twice")?;
        Ok(Self {
            identifiers,
            name: Phi::new(line("form.name", std::mem::take(&mut wire.name))?),
            sex: Phi::new(decode::one_code("form.sex", wire.sex)?),
            birth: Phi::new(read_birth(required("form.birth", wire.birth.take())?)?),
            phone: Phi::new(line("form.phone", std::mem::take(&mut wire.phone))?),
        })
    }
}

impl Route {
    fn read(wire: &mut wire::ReferralForm) -> Result<Self, DecodeError> {
        let phone = std::mem::take(&mut wire.physician_phone);
        let from = std::mem::take(&mut wire.from_department);
        let to = std::mem::take(&mut wire.to_department);
        Ok(Self {
            from_department: decode::optional_code("form.from_department", from)?,
            physician: Phi::new(line("form.physician", std::mem::take(&mut wire.physician))?),
            physician_phone: Phi::new(line("form.physician_phone", phone)?),
            to_department: decode::optional_code("form.to_department", to)?,
            urgency: decode::one_code("form.urgency", wire.urgency)?,
            way: decode::one_code("form.direction", wire.direction)?,
        })
    }
}

impl Clinical {
    fn read(wire: wire::ReferralForm) -> Result<Self, DecodeError> {
        at_most("form.impressions", wire.impressions.len(), FORM_IMPRESSIONS_MAX)?;
        Ok(Self {
            reason: free("form.reason", wire.reason)?,
            impressions: wire.impressions.into_iter().map(Impression::read).collect::<Result<_, _>>()?,
            present_history: free("form.present_history", wire.present_history)?,
            past_history: free("form.past_history", wire.past_history)?,
            treatment: free("form.treatment", wire.treatment)?,
            plan: free("form.plan", wire.plan)?,
        })
    }
}

impl Impression {
    fn read(wire: wire::Impression) -> Result<Self, DecodeError> {
        let text = line("form.impressions.text", wire.text)?;
        Ok(Self { text, code: line("form.impressions.code", wire.code)? })
    }

    fn write(&self) -> wire::Impression {
        wire::Impression { text: self.text.clone(), code: self.code.clone() }
    }
}

impl ListedDocument {
    /// From the wire message.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn read(wire: wire::ListedDocument) -> Result<Self, DecodeError> {
        check("listed.size", wire.size <= DOCUMENT_BYTES_MAX, "at most 4 GiB")?;
        let service_start = decode::optional_time("listed.service_start", wire.service_start)?;
        let service_end = decode::optional_time("listed.service_end", wire.service_end)?;
        decode::period("listed.service_end", service_start, service_end)?;
        Ok(Self {
            holder: decode::code("listed.holder", wire.holder)?,
            entry_id: EntryId::read("listed.entry_id", &wire.entry_id)?,
            document: DocumentId::read("listed.document", &wire.document)?,
            size: wire.size,
            class: decode::one_code("listed.class", wire.class)?,
            document_type: decode::one_code("listed.type", wire.r#type)?,
            format: decode::one_code("listed.format", wire.format)?,
            sensitivity: decode::one_code("listed.sensitivity", wire.sensitivity)?,
            service_start,
            service_end,
            created_at: decode::time("listed.created_at", wire.created_at)?,
            title: Phi::new(line("listed.title", wire.title)?),
        })
    }

    /// To the wire message.
    pub fn write(&self) -> wire::ListedDocument {
        wire::ListedDocument {
            holder: self.holder.to_string(),
            entry_id: self.entry_id.as_bytes().to_vec(),
            document: self.document.as_bytes().to_vec(),
            size: self.size,
            class: self.class.number(),
            r#type: self.document_type.number(),
            format: self.format.number(),
            sensitivity: self.sensitivity.number(),
            service_start: self.service_start.map(Timestamp::unix_ms),
            service_end: self.service_end.map(Timestamp::unix_ms),
            created_at: self.created_at.unix_ms(),
            title: self.title.expose().clone(),
        }
    }
}

impl ReferralReply {
    /// From bytes, by the strict rule (W-2, W-3).
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: wire::ReferralReply = strict("reply", bytes)?;
        Ok(Self {
            reason: free("reply.reason", wire.reason)?,
            appointment: decode::optional_time("reply.appointment", wire.appointment)?,
            place: line("reply.place", wire.place)?,
            answer: free("reply.answer", wire.answer)?,
            contact: line("reply.contact", wire.contact)?,
        })
    }

    /// To bytes that [`ReferralReply::decode`] takes.
    pub fn encode(&self) -> Vec<u8> {
        let wire = wire::ReferralReply {
            reason: self.reason.clone(),
            appointment: self.appointment.map(Timestamp::unix_ms),
            place: self.place.clone(),
            answer: self.answer.clone(),
            contact: self.contact.clone(),
        };
        wire.encode_to_vec()
    }

    /// Whether this is a reply that the other side will take.
    ///
    /// # Errors
    /// [`DecodeError`] naming the field.
    pub fn check(&self) -> Result<(), DecodeError> {
        Self::decode(&self.encode()).map(|_| ())
    }
}

fn strict<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, DecodeError> {
    decode::strict_of_few(what, bytes, REFERRAL_BODY_BYTES_MAX, CALL_FIELDS_MAX)
}

/// One line of text.
fn line(field: &'static str, text: String) -> Result<String, DecodeError> {
    decode::at_most_bytes(field, text.len(), FORM_LINE_BYTES_MAX)?;
    check(field, !text.chars().any(char::is_control), "without control characters")?;
    Ok(text)
}

/// Text of several lines.
fn free(field: &'static str, text: String) -> Result<String, DecodeError> {
    decode::at_most_bytes(field, text.len(), FORM_TEXT_BYTES_MAX)?;
    let controls = text.chars().any(|c| c.is_control() && c != '\n');
    check(field, !controls, "without control characters but new lines")?;
    Ok(text)
}

/// In the one form in which it becomes a token (T-2).
fn read_identifier(wire: &wire::Identifier) -> Result<Identifier, DecodeError> {
    let field = "form.identifiers";
    let unknown = DecodeError::UnknownCode { field, code: wire.kind };
    let kind = IdentifierKind::from_number(wire.kind).ok_or(unknown)?;
    let rule = "an identifier in its normal form (T-2)";
    let normal = Identifier::of_kind(kind, &wire.value).ok().filter(|id| *id.value().expose() == wire.value);
    normal.ok_or(DecodeError::Invalid { field, rule })
}

fn write_identifier(id: &Identifier) -> wire::Identifier {
    wire::Identifier { kind: id.kind() as u32, value: id.value().expose().clone() }
}

fn read_birth(wire: wire::BirthDate) -> Result<BirthDate, DecodeError> {
    let wire::BirthDate { year, month, day } = wire;
    let known = (year > 0 || month == 0) && (month > 0 || day == 0);
    check("form.birth", known && year <= 9999 && month <= 12 && day <= 31, "a date, as far as it is known")?;
    Ok(BirthDate { year, month, day })
}

fn code_text(code: Option<&Code>) -> String {
    code.map(Code::to_string).unwrap_or_default()
}

macro_rules! unprinted {
    ($($name:path = $text:literal)*) => {$(
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!($text, "(<phi>)"))
            }
        }
    )*};
}

unprinted! {
    BirthDate = "BirthDate"
    Clinical = "Clinical"
    Impression = "Impression"
    ReferralReply = "ReferralReply"
    wire::ReferralForm = "ReferralForm"
    wire::Identifier = "Identifier"
    wire::BirthDate = "BirthDate"
    wire::Impression = "Impression"
    wire::ListedDocument = "ListedDocument"
    wire::ReferralReply = "ReferralReply"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;
    use crate::id::Digest;

    fn listed(n: u8) -> ListedDocument {
        ListedDocument {
            holder: Code::new("hospital").unwrap(),
            entry_id: EntryId::new([n; 32]).unwrap(),
            document: DocumentId::new([n; 32]).unwrap(),
            size: 100,
            class: DocumentClass::Laboratory,
            document_type: DocumentType::OTHER,
            format: DocumentFormat::Pdf,
            sensitivity: Sensitivity::Normal,
            service_start: None,
            service_end: None,
            created_at: Timestamp::from_unix_ms(1).unwrap(),
            title: Phi::new("血常规".to_owned()),
        }
    }

    fn form() -> ReferralForm {
        let text = |text: &str| text.to_owned();
        ReferralForm {
            person: FormPerson {
                identifiers: vec![Identifier::health_card("A12345678").unwrap()],
                name: Phi::new(text("张三丰")),
                sex: Phi::new(Sex::Male),
                birth: Phi::new(BirthDate { year: 1990, month: 1, day: 0 }),
                phone: Phi::new(text("")),
            },
            tokens: vec![Token { epoch: 1, value: Digest::of_hash(hash::sha256_plain(&[b"t"])) }],
            route: Route {
                from_department: Some(Code::new("cardiology").unwrap()),
                physician: Phi::new(text("李医生")),
                physician_phone: Phi::new(text("")),
                to_department: None,
                urgency: Urgency::Urgent,
                way: Way::Up,
            },
            clinical: Phi::new(Clinical {
                reason: text("需进一步检查"),
                impressions: vec![Impression { text: text("胸痛"), code: text("R07.4") }],
                present_history: text("三天前\n胸痛"),
                past_history: text(""),
                treatment: text(""),
                plan: text(""),
            }),
            documents: vec![listed(1), listed(2)],
            directives: vec![DirectiveId::new([7; 32]).unwrap()],
            answer_until: Timestamp::from_unix_ms(5),
        }
    }

    #[test]
    fn r6_a_form_and_a_reply_go_and_come_back() {
        let body = Body::Form(Box::new(form()));
        assert_eq!(Body::decode(ReferralAct::Send, &body.encode()), Ok(body));
        let said = ReferralReply { answer: "好转".to_owned(), ..ReferralReply::default() };
        let body = Body::Reply(Phi::new(said));
        assert_eq!(Body::decode(ReferralAct::Answer, &body.encode()), Ok(body));
        assert!(Body::decode(ReferralAct::Receive, &[]).is_ok(), "a reply may be empty");
        assert!(Body::decode(ReferralAct::Send, &[]).is_err());
    }

    #[test]
    fn r6_a_form_is_read_strictly() {
        let refused = |edit: fn(&mut ReferralForm)| {
            let mut form = form();
            edit(&mut form);
            form.check_complete().unwrap_err().to_string()
        };
        let twice = refused(|form| form.documents.push(listed(2)));
        assert_eq!(twice, "form.documents is not valid: ascending, none twice");
        assert_eq!(refused(|form| form.tokens.clear()), "form.tokens is not valid: at least one");
        let long = refused(|form| form.person.name = Phi::new("x".repeat(FORM_LINE_BYTES_MAX + 1)));
        assert_eq!(long, "form.name has 257 bytes, more than 256");
        let lines = refused(|form| form.person.phone = Phi::new("1\n2".to_owned()));
        assert_eq!(lines, "form.phone is not valid: without control characters");
        let birth = refused(|form| form.person.birth = Phi::new(BirthDate { year: 0, month: 1, day: 0 }));
        assert_eq!(birth, "form.birth is not valid: a date, as far as it is known");
        let mut bytes = form().encode();
        bytes.extend([0xf8, 0x01, 1]);
        assert_eq!(ReferralForm::decode(&bytes), Err(DecodeError::NotCanonical { what: "form" }));
    }

    #[test]
    fn r6_the_largest_form_fits_the_body_of_a_step() {
        let mut form = form();
        let text = "长".repeat(FORM_TEXT_BYTES_MAX / 3);
        form.clinical = Phi::new(Clinical {
            reason: text.clone(),
            impressions: vec![Impression { text: "x".repeat(256), code: "y".repeat(256) }; 16],
            present_history: text.clone(),
            past_history: text.clone(),
            treatment: text.clone(),
            plan: text,
        });
        let many = (0..FORM_DOCUMENTS_MAX).map(|at| {
            let mut listed = listed(1);
            let id = hash::sha256_plain(&[&at.to_be_bytes()]);
            listed.entry_id = EntryId::new(id).unwrap();
            listed.title = Phi::new("t".repeat(FORM_LINE_BYTES_MAX));
            listed
        });
        form.documents = many.collect();
        form.documents.sort_by_key(|listed| listed.entry_id);
        assert_eq!(form.check(), Ok(()));
    }

    #[test]
    fn a_form_does_not_print_a_patient() {
        let printed = format!("{:?} {:?}", form(), form().write());
        for secret in ["张三丰", "胸痛", "A12345678", "李医生", "1990", "血常规"] {
            assert!(!printed.contains(secret), "{secret}");
        }
    }
}
