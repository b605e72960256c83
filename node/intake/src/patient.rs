//! Who a message is about, as its sender names the person. Not here: whether two patients are one person.

use jiff::civil::Date;
use yiqiao_proto::country;
use yiqiao_proto::phi::Phi;

use crate::flag::{Flag, Flags};
use crate::resident_id::{self, ResidentId};

/// What an identifier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdKind {
    /// 居民身份证号, GB 11643, and the residence permits of its form.
    ResidentId,
    /// 居民健康卡号.
    HealthCard,
    /// 健康档案标识号.
    HealthRecord,
    /// The number under which the sender's system keeps the person (MR, PI, PT …).
    Local,
    /// 门诊号.
    OutpatientNo,
    /// 住院号, 病案号.
    InpatientNo,
    /// Passport: its assigner is the state that gave it, in three letters, where it is known.
    Passport,
    /// 港澳居民来往内地通行证号, 台湾居民来往大陆通行证号.
    TravelPermit,
    /// Account, visit, insurance, driver's licence and everything else.
    Other,
}

/// One identifier of a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// What it is.
    pub kind: IdKind,
    /// As sent, without blanks around it.
    pub value: Phi<String>,
    /// Who assigned it: CX-4, a CDA root, what [`assigner_of`] has for a FHIR system; empty if not said. Of a passport also CX-9.
    pub assigner: String,
}

/// 性别, GB/T 2261.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// 0
    Unknown,
    /// 1
    Male,
    /// 2
    Female,
    /// 9
    NotStated,
}

/// The parts of a name as they come in, for [`Patient::name`] and [`Patient::pinyin`].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// As written.
    pub written: Option<String>,
    /// Latin transcription of a Chinese name.
    pub pinyin: Option<String>,
}

/// A date that may lack its day or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartialDate {
    /// 1 to 9999.
    pub year: i16,
    /// 1 to 12.
    pub month: Option<i8>,
    /// 1 to 31.
    pub day: Option<i8>,
}

/// A person as one system of the hospital knows it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Patient {
    /// All identifiers, in the sender's order; empty values are left out.
    pub identifiers: Vec<Identifier>,
    /// As written; Chinese names whole, others family name first.
    pub name: Option<Phi<String>>,
    /// Latin transcription, if sent beside the name.
    pub pinyin: Option<Phi<String>>,
    /// Sex.
    pub sex: Option<Phi<Sex>>,
    /// Birth date.
    pub birth_date: Option<Phi<PartialDate>>,
    /// Telephone.
    pub phone: Option<Phi<String>>,
    /// Address in one line.
    pub address: Option<Phi<String>>,
}

/// What stands before the name of an assigner that is not a URI where a URI must stand: on the pages and doors of this node.
pub const ASSIGNER: &str = "urn:yiqiao:assigner:";

/// Who assigned a number, by the system that FHIR has for it: HL7 v2 and CDA write OIDs and names as they are, so that all name one
/// register alike.
pub fn assigner_of(system: &str) -> String {
    let system = system.trim();
    if let Some(plain) = system.strip_prefix(ASSIGNER) {
        // A name and no value: the form's way to write one escaped text.
        let name = form_urlencoded::parse(plain.as_bytes()).next().map(|(name, _)| name.into_owned());
        return name.unwrap_or_default();
    }
    let plain = system.strip_prefix("urn:oid:").unwrap_or(system);
    issuer(plain).unwrap_or(plain).to_owned()
}

/// Before the letters of a state: the system of its passports in FHIR (HL7 Terminology, NamingSystem PassportNumNS).
pub const PASSPORTS: &str = "http://hl7.org/fhir/sid/passport-";
/// Before the number of a state: the root of its passports in CDA (the same).
const PASSPORT_ROOTS: &str = "2.16.840.1.113883.4.330.";

/// The state whose passports a system or root names.
fn issuer(system: &str) -> Option<&'static str> {
    match (system.strip_prefix(PASSPORTS), system.strip_prefix(PASSPORT_ROOTS)) {
        (Some(letters), _) => country::by_letters(letters),
        (_, Some(number)) => country::by_number(number.parse().ok()?),
        (None, None) => None,
    }
}

/// Whether a system or root is that of a state's passports.
pub(crate) fn is_of_passports(system: &str) -> bool {
    issuer(system.trim().trim_start_matches("urn:oid:")).is_some()
}

/// Whether systems call a travel permit so.
pub(crate) fn is_travel_permit(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "来往内地通行证",
        "港澳居民来往内地通行证",
        "台湾居民来往大陆通行证",
        "台湾居民来往内地通行证",
        "港澳台居民来往内地通行证",
        "回乡证",
        "台胞证",
    ];
    let name = name.trim();
    NAMES.contains(&name.strip_suffix(['号', '码']).map_or(name, |rest| rest.trim_end_matches('号')))
}

impl Identifier {
    /// An identifier, unless the value is blank or HL7 null.
    pub fn new(kind: IdKind, value: &str, assigner: &str) -> Option<Self> {
        let value = value.trim();
        if value.is_empty() || value == "\"\"" || value.chars().count() > crate::limits::TOKEN_CHARS_MAX {
            return None;
        }
        let assigner = assigner.trim();
        let state = country::by_letters(assigner).or_else(|| issuer(assigner));
        let assigner = state.filter(|_| kind == IdKind::Passport).unwrap_or(assigner).to_owned();
        Some(Self { kind, value: Phi::new(value.to_owned()), assigner })
    }

    /// Whether it stands for "none": all zeros, all ones and the like.
    pub fn is_placeholder(&self) -> bool {
        let value = self.value.expose();
        // 777 may be somebody's record number; as an identity number one character repeated is nobody's.
        let short = value.chars().count() < 8 && self.kind != IdKind::ResidentId;
        resident_id::is_placeholder(value) && (!short || resident_id::is_nothing(value))
    }

    /// The number, if this is a resident identity number that passes its check.
    pub fn resident_id(&self) -> Option<ResidentId> {
        if self.kind != IdKind::ResidentId {
            return None;
        }
        ResidentId::parse(self.value.expose()).ok().filter(|_| !self.is_placeholder())
    }

    /// Place in the order of [`Patient::primary`]; lower is better.
    fn rank(&self) -> u8 {
        match self.kind {
            IdKind::Local => 0,
            IdKind::ResidentId if self.resident_id().is_some() => 1,
            IdKind::HealthCard => 2,
            IdKind::HealthRecord => 3,
            IdKind::InpatientNo => 4,
            IdKind::OutpatientNo => 5,
            IdKind::Passport | IdKind::TravelPermit => 6,
            IdKind::ResidentId => 7,
            IdKind::Other => 8,
        }
    }
}

impl Sex {
    /// From HL7 table 0001, GB/T 2261.1 or a FHIR or CDA code.
    pub fn parse(code: &str) -> Option<Self> {
        match code.trim().to_ascii_lowercase().as_str() {
            "m" | "1" | "male" | "男" | "男性" => Some(Self::Male),
            "f" | "2" | "female" | "女" | "女性" => Some(Self::Female),
            "u" | "0" | "unknown" | "un" | "unk" => Some(Self::Unknown),
            "9" | "o" | "a" | "n" | "other" => Some(Self::NotStated),
            _ => None,
        }
    }

    /// The same, with the remark that a code is none of these.
    pub fn read(code: &str, flags: &mut Flags) -> Option<Self> {
        let sex = Self::parse(code);
        let code = code.trim();
        flags.raise_if(sex.is_none() && !code.is_empty() && code != "\"\"", Flag::SexUnknown);
        sex
    }

    /// The code of GB/T 2261.1.
    pub const fn code(self) -> char {
        match self {
            Self::Unknown => '0',
            Self::Male => '1',
            Self::Female => '2',
            Self::NotStated => '9',
        }
    }
}

impl Name {
    /// Adds a name of family and given names; the first Chinese one, else the first, is the name as written.
    pub fn add(&mut self, family: &str, given: &[String]) {
        let given: Vec<&str> = given.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        let chinese_given = given.iter().all(|part| is_chinese(part));
        let (name, latin) = match (is_chinese(family), chinese_given) {
            // 张 三 and 张三 ^ ZHANG SAN: blanks within a Chinese name are typography, Latin beside it is its sound.
            (true, true) => (close_up(&[&[family], given.as_slice()].concat().concat()), None),
            (true, false) => (close_up(family), Some(given.join(" "))),
            (false, _) => {
                let parts: Vec<&str> =
                    [family.trim()].into_iter().chain(given).filter(|p| !p.is_empty()).collect();
                (parts.join(" "), None)
            }
        };
        if name.is_empty() {
            return;
        }
        match &self.written {
            None => self.written = Some(name),
            Some(first) if is_chinese(first) && !is_chinese(&name) => _ = self.pinyin.get_or_insert(name),
            Some(first) if is_chinese(&name) && !is_chinese(first) => {
                self.pinyin = self.written.replace(name);
            }
            Some(_) => {}
        }
        if let Some(latin) = latin {
            self.pinyin.get_or_insert(latin);
        }
    }
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| matches!(u32::from(c), 0x2E80..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF))
}

fn close_up(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).collect()
}

impl Patient {
    /// The identifier under which this person is filed: the sender's own number of the person first, because the
    /// sender sends it in every message and gives it to one person only; then the resident identity number if it
    /// passes its check (a wrong one may be anybody's, a newborn's is often the mother's), the health card, the
    /// health record, the inpatient and the outpatient number (the latter is per visit in many hospitals). Within
    /// one kind the first wins. A placeholder is never it.
    pub fn primary(&self) -> Option<&Identifier> {
        self.identifiers.iter().filter(|id| !id.is_placeholder()).min_by_key(|id| id.rank())
    }

    /// The first resident identity number that passes its check.
    pub fn resident_id(&self) -> Option<ResidentId> {
        self.identifiers.iter().find_map(Identifier::resident_id)
    }

    /// Whether both have an identifier of the same assigner in common, so that they are one person.
    pub fn shares_identifier(&self, other: &Self) -> bool {
        let same =
            |one: &Identifier, two: &Identifier| one.value == two.value && one.assigner == two.assigner;
        let real = self.identifiers.iter().filter(|id| !id.is_placeholder());
        real.into_iter().any(|one| other.identifiers.iter().any(|two| same(one, two)))
    }

    /// Adds an identifier unless it is blank, known already, or beyond the bound.
    pub fn identify(&mut self, identifier: Option<Identifier>) {
        let Some(new) = identifier else { return };
        let known = self.identifiers.iter().any(|id| id.value == new.value && id.assigner == new.assigner);
        if !known && self.identifiers.len() < crate::limits::IDENTIFIERS_MAX {
            self.identifiers.push(new);
        }
    }

    /// Remarks about the identifiers: wrong check digits, contradictions, placeholders.
    pub fn check(&self) -> Flags {
        let mut flags = Flags::none();
        for id in &self.identifiers {
            if id.is_placeholder() {
                flags.raise(Flag::IdentifierPlaceholder);
            } else if id.kind == IdKind::ResidentId {
                self.check_resident_id(id, &mut flags);
            }
        }
        flags
    }

    fn check_resident_id(&self, id: &Identifier, flags: &mut Flags) {
        let Some(number) = id.resident_id() else {
            flags.raise(Flag::ResidentIdCheckDigit);
            return;
        };
        if let Some(birth) = &self.birth_date {
            flags.raise_if(!birth.expose().covers(number.birth_date()), Flag::ResidentIdBirthDate);
        }
        if let Some(sex) = &self.sex {
            let stated = matches!(sex.expose(), Sex::Male | Sex::Female);
            flags.raise_if(stated && *sex.expose() != number.sex(), Flag::ResidentIdSex);
        }
    }
}

impl PartialDate {
    /// A date the calendar has, or `None`.
    pub fn new(year: i16, month: Option<i8>, day: Option<i8>) -> Option<Self> {
        Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
        (year >= 1 && (day.is_none() || month.is_some())).then_some(Self { year, month, day })
    }

    /// Whether `date` lies within this year, month or day.
    pub fn covers(&self, date: Date) -> bool {
        self.year == date.year()
            && self.month.is_none_or(|month| month == date.month())
            && self.day.is_none_or(|day| day == date.day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(kind: IdKind, value: &str) -> Option<Identifier> {
        Identifier::new(kind, value, "")
    }

    #[test]
    fn the_senders_own_number_is_primary_and_a_placeholder_never() {
        let mut patient = Patient::default();
        patient.identify(id(IdKind::ResidentId, "999999199001010016"));
        patient.identify(id(IdKind::Local, "000000"));
        assert_eq!(patient.primary().unwrap().kind, IdKind::ResidentId);
        patient.identify(id(IdKind::Local, "88-1"));
        assert_eq!(patient.primary().unwrap().value.expose(), "88-1");
    }

    #[test]
    fn contradictions_are_flagged_and_nothing_is_dropped() {
        let mut patient = Patient::default();
        patient.identify(id(IdKind::ResidentId, "99999919900101001X"));
        assert!(patient.check().has(Flag::ResidentIdCheckDigit));
        assert!(patient.primary().is_some());
    }

    #[test]
    fn chinese_names_are_closed_up_and_latin_beside_them_is_their_sound() {
        let name = |parts: &[(&str, &str)]| {
            let mut name = Name::default();
            for (family, given) in parts {
                name.add(family, &[(*given).to_owned()]);
            }
            (name.written.unwrap_or_default(), name.pinyin.unwrap_or_default())
        };
        assert_eq!(name(&[("张  三", "")]), ("张三".to_owned(), String::new()));
        assert_eq!(name(&[("张", "三")]), ("张三".to_owned(), String::new()));
        assert_eq!(name(&[("张三", "ZHANG SAN")]), ("张三".to_owned(), "ZHANG SAN".to_owned()));
        assert_eq!(name(&[("LI", "SI"), ("李四", "")]), ("李四".to_owned(), "LI SI".to_owned()));
        assert_eq!(name(&[("Sample", "Anna")]), ("Sample Anna".to_owned(), String::new()));
    }

    #[test]
    fn the_state_of_a_passport_is_known_however_a_system_writes_it() {
        let assigner = |kind, assigner| Identifier::new(kind, "A1234567", assigner).unwrap().assigner;
        for written in ["USA", "usa", "http://hl7.org/fhir/sid/passport-USA", "2.16.840.1.113883.4.330.840"] {
            assert_eq!(assigner(IdKind::Passport, written), "USA", "{written}");
        }
        assert_eq!(assigner_of("http://hl7.org/fhir/sid/passport-usa"), "USA");
        assert_eq!(assigner_of("urn:oid:2.16.840.1.113883.4.330.840"), "USA");
        for other in ["", "HIS", "2.16.840.1.113883.4.330.9", "2.16.840.1.113883.4.330.x"] {
            assert_eq!(assigner(IdKind::Passport, other), other);
        }
        assert_eq!(assigner(IdKind::Local, "usa"), "usa", "a register of that name");
    }

    #[test]
    fn travel_permits_are_known_by_their_names() {
        assert!(is_travel_permit("台胞证") && is_travel_permit(" 港澳居民来往内地通行证号码"));
        assert!(!is_travel_permit("往来港澳通行证") && !is_travel_permit("号") && !is_travel_permit(""));
    }

    #[test]
    fn a_year_covers_its_days() {
        let date = Date::new(1990, 5, 6).unwrap();
        assert!(PartialDate::new(1990, None, None).unwrap().covers(date));
        assert!(!PartialDate::new(1990, Some(6), None).unwrap().covers(date));
        assert_eq!(PartialDate::new(1990, Some(2), Some(30)), None);
    }
}
