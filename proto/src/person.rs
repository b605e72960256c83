//! A person's identifiers, made alike before they become tokens (T-2). Pure text work; nothing here is kept or sent.

use crate::country;
use crate::phi::Phi;

/// The version of the rules below; it goes into every token (T-1).
pub const NORMALISATION: u32 = 1;

/// Which identifier of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentifierKind {
    /// Resident identity number (GB 11643-1999), 18 characters.
    ResidentId = 1,
    /// Resident health card number (WS/T 543).
    HealthCard = 2,
    /// Permanent residence permit of a foreigner in the form before 2023, 15 characters; later ones are resident identity numbers.
    Permit = 3,
    /// Passport: the state that gave it, and its number.
    Passport = 4,
    /// Permit of residents of Hong Kong, Macao or Taiwan to come to the mainland (港澳居民来往内地通行证, 台湾居民来往大陆通行证).
    TravelPermit = 5,
}

impl IdentifierKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ResidentId, Self::HealthCard, Self::Permit, Self::Passport, Self::TravelPermit];

    /// The kind with a number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// An identifier in the one form in which it becomes a token (T-2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    kind: IdentifierKind,
    value: Phi<String>,
}

/// A text is not an identifier that may become a token. Does not hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Not 15 or 18 characters of a resident ID, a health card of 8 to 32 letters and digits, three letters and twelve digits of a permit, a state
    /// and 5 to 15 letters and digits of a passport, or the 8, 9 or 11 characters of a travel permit.
    #[error("not of the form of this kind of identifier (T-2)")]
    Form,
    /// The check digit of a resident ID is wrong (GB 11643-1999).
    #[error("the check digit does not fit (T-2)")]
    CheckDigit,
    /// Not a person's number: all digits alike.
    #[error("a stand-in, not a person's number (T-2)")]
    StandIn,
}

impl Identifier {
    /// Takes a resident ID: full-width characters, spaces, lower-case x and 15 digits are made alike (T-2).
    ///
    /// # Errors
    /// [`IdentifierError`] if it is not one, its check digit is wrong, or it stands for nobody.
    pub fn resident_id(text: &str) -> Result<Self, IdentifierError> {
        let plain = plain(text);
        // Before it is lengthened: the century put into it would hide a repeated digit.
        let stands_in = plain.bytes().take(17).all(|byte| Some(byte) == plain.bytes().next());
        let whole = if plain.len() == 15 { lengthen(&plain)? } else { plain };
        if whole.len() != 18 || !whole.bytes().take(17).all(|byte| byte.is_ascii_digit()) {
            return Err(IdentifierError::Form);
        }
        if stands_in {
            return Err(IdentifierError::StandIn);
        }
        if whole.chars().last() != check_character(&whole) {
            return Err(IdentifierError::CheckDigit);
        }
        Ok(Self { kind: IdentifierKind::ResidentId, value: Phi::new(whole) })
    }

    /// Takes a health card number: letters upper-case, no spaces or hyphens (T-2).
    ///
    /// # Errors
    /// [`IdentifierError`] if it is not one, or it stands for nobody.
    pub fn health_card(text: &str) -> Result<Self, IdentifierError> {
        let plain = plain(text);
        if !(8..=32).contains(&plain.len()) || !plain.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(IdentifierError::Form);
        }
        if plain.bytes().all(|byte| Some(byte) == plain.bytes().next()) {
            return Err(IdentifierError::StandIn);
        }
        Ok(Self { kind: IdentifierKind::HealthCard, value: Phi::new(plain) })
    }

    /// Takes the number of a permit: three letters of the state and twelve digits (T-2).
    ///
    /// # Errors
    /// [`IdentifierError`] if it is not one, or it stands for nobody.
    pub fn permit(text: &str) -> Result<Self, IdentifierError> {
        let plain = plain(text);
        let (state, digits) = plain.split_at_checked(3).ok_or(IdentifierError::Form)?;
        let is_form = state.bytes().all(|byte| byte.is_ascii_uppercase())
            && digits.len() == 12
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_form {
            return Err(IdentifierError::Form);
        }
        if digits.bytes().all(|byte| Some(byte) == digits.bytes().next()) {
            return Err(IdentifierError::StandIn);
        }
        Ok(Self { kind: IdentifierKind::Permit, value: Phi::new(plain) })
    }

    /// Takes the number of a passport and the letters of the state that gave it: the number alone says nobody (T-2).
    ///
    /// # Errors
    /// [`IdentifierError`] if either is none, or the number stands for nobody.
    pub fn passport(state: &str, number: &str) -> Result<Self, IdentifierError> {
        let state = country::by_letters(&plain(state)).ok_or(IdentifierError::Form)?;
        let number = plain(number);
        let is_form =
            (5..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_form || !number.bytes().any(|byte| byte.is_ascii_digit()) {
            return Err(IdentifierError::Form);
        }
        if number.bytes().all(|byte| Some(byte) == number.bytes().next()) {
            return Err(IdentifierError::StandIn);
        }
        Ok(Self { kind: IdentifierKind::Passport, value: Phi::new(format!("{state}{number}")) })
    }

    /// Takes the number of a travel permit: H or M and eight digits of a resident of Hong Kong or Macao, without the two that count how often
    /// it was given anew; or eight digits, of a resident of Taiwan (T-2).
    ///
    /// # Errors
    /// [`IdentifierError`] if it is not one, or it stands for nobody.
    pub fn travel_permit(text: &str) -> Result<Self, IdentifierError> {
        let plain = plain(text);
        let lettered = plain.strip_prefix(['H', 'M']);
        let digits = lettered.unwrap_or(&plain);
        let is_long = digits.len() == 8 || (lettered.is_some() && digits.len() == 10);
        let holder = digits.get(..8).filter(|_| is_long).ok_or(IdentifierError::Form)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(IdentifierError::Form);
        }
        if holder.bytes().all(|byte| Some(byte) == holder.bytes().next()) {
            return Err(IdentifierError::StandIn);
        }
        let value = plain.get(..plain.len() - digits.len() + 8).unwrap_or_default().to_owned();
        Ok(Self { kind: IdentifierKind::TravelPermit, value: Phi::new(value) })
    }

    /// Takes what [`Identifier::value`] gave for a kind, in any writing.
    ///
    /// # Errors
    /// [`IdentifierError`] if it is no identifier of this kind.
    pub fn of_kind(kind: IdentifierKind, text: &str) -> Result<Self, IdentifierError> {
        match kind {
            IdentifierKind::ResidentId => Self::resident_id(text),
            IdentifierKind::HealthCard => Self::health_card(text),
            IdentifierKind::Permit => Self::permit(text),
            IdentifierKind::Passport => {
                let (state, number) = text.split_at_checked(STATE_LETTERS).ok_or(IdentifierError::Form)?;
                Self::passport(state, number)
            }
            IdentifierKind::TravelPermit => Self::travel_permit(text),
        }
    }

    /// The state that gave a passport, and nothing of what has one authority; and the number as it gave it.
    pub fn issued(&self) -> (&str, &str) {
        let value = self.value.expose();
        let state = if self.kind == IdentifierKind::Passport { STATE_LETTERS } else { 0 };
        value.split_at_checked(state).unwrap_or(("", value))
    }

    /// Which identifier.
    pub const fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The one form.
    pub const fn value(&self) -> &Phi<String> {
        &self.value
    }
}

/// Letters of a state before the number of its passport.
const STATE_LETTERS: usize = 3;

/// Full-width forms to ASCII, letters upper-case, white space and hyphens left out.
fn plain(text: &str) -> String {
    let narrow = |c: char| match u32::from(c) {
        full @ 0xff01..=0xff5e => char::from_u32(full - 0xfee0).unwrap_or(c),
        _ => c,
    };
    text.chars()
        .map(narrow)
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// A number of 15 digits, as given out before 1999, in 18 characters.
fn lengthen(short: &str) -> Result<String, IdentifierError> {
    let (region, rest) = short.split_at_checked(6).ok_or(IdentifierError::Form)?;
    if !short.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IdentifierError::Form);
    }
    let body = format!("{region}19{rest}");
    let check = check_character(&body).ok_or(IdentifierError::Form)?;
    Ok(format!("{body}{check}"))
}

/// The check character of the first 17 digits (ISO 7064 MOD 11-2, GB 11643-1999).
pub fn check_character(digits: &str) -> Option<char> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let mut digits = digits.chars();
    let mut sum = 0;
    for weight in WEIGHTS {
        sum += weight * digits.next()?.to_digit(10)?;
    }
    "10X98765432".chars().nth((sum % 11) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use IdentifierError::{CheckDigit, Form, StandIn};

    #[test]
    fn t2_writings_of_one_number_are_one_identifier() {
        let one = Identifier::resident_id("11010519491231002X").unwrap();
        for writing in
            ["11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", " 110105 19491231 002X "]
        {
            assert_eq!(Identifier::resident_id(writing).unwrap(), one, "{writing}");
        }
        let lengthened = Identifier::resident_id("999999880101001").unwrap();
        let digits = "99999919880101001";
        let whole = format!("{digits}{}", check_character(digits).unwrap());
        assert_eq!(lengthened, Identifier::resident_id(&whole).unwrap());
    }

    #[test]
    fn t2_what_is_not_a_number_of_a_person_is_refused() {
        let refused = |text| Identifier::resident_id(text).unwrap_err();
        assert_eq!(refused("110105194912310021"), CheckDigit);
        assert_eq!(refused("111111111111111111"), StandIn);
        assert_eq!(refused("11010519491231002"), Form);
        assert_eq!(refused("1101051949123100ab"), Form);
        assert_eq!(refused("十一"), Form);
        assert_eq!(Identifier::health_card("00000000"), Err(StandIn));
        assert_eq!(Identifier::health_card("1234"), Err(Form));
        assert_eq!(Identifier::permit("CAN000000000000"), Err(StandIn));
        for text in
            ["CAN11006705010", "CAN1100670501011", "C1N110067050101", "110110067050101", "CAÑ10067050101", ""]
        {
            assert_eq!(Identifier::permit(text), Err(Form), "{text}");
        }
        assert_eq!(
            Identifier::permit("can 1100-6705 0101").unwrap(),
            Identifier::permit("ＣＡＮ１１００６７０５０１０１").unwrap()
        );
        assert_eq!(
            Identifier::health_card("a123-4567 8").unwrap(),
            Identifier::health_card("A12345678").unwrap()
        );
    }

    #[test]
    fn t2_a_passport_is_its_state_and_its_number() {
        let one = Identifier::passport("USA", "a1234567").unwrap();
        assert_eq!(one, Identifier::passport("ｕｓａ", " A 1234-567").unwrap());
        assert_eq!((one.value().expose().as_str(), one.issued()), ("USAA1234567", ("USA", "A1234567")));
        assert_ne!(one, Identifier::passport("CAN", "A1234567").unwrap());
        for (state, number) in [("", "A1234567"), ("HIS", "A1234567"), ("USA", "A123"), ("USA", "PASSPORT")] {
            assert_eq!(Identifier::passport(state, number), Err(Form), "{state} {number}");
        }
        assert_eq!(Identifier::passport("USA", "00000000"), Err(StandIn));
    }

    #[test]
    fn t2_a_travel_permit_that_was_given_anew_is_the_same() {
        let value = |text| Identifier::travel_permit(text).map(|id| id.value().expose().clone());
        for text in ["H01234567", "h01234567 02", "Ｈ0123456701"] {
            assert_eq!(value(text).unwrap(), "H01234567", "{text}");
        }
        assert_eq!(
            (value("M01234567").unwrap(), value("01234567").unwrap()),
            ("M01234567".to_owned(), "01234567".to_owned())
        );
        for text in ["H0123456", "0123456701", "A01234567", "H012345670", "H01234567é", ""] {
            assert_eq!(value(text), Err(Form), "{text}");
        }
        assert_eq!(value("H00000000"), Err(StandIn));
    }

    #[test]
    fn what_an_identifier_is_kept_as_gives_it_again() {
        let all = [
            Identifier::resident_id("11010519491231002X"),
            Identifier::health_card("A12345678"),
            Identifier::permit("CAN110067050101"),
            Identifier::passport("USA", "A1234567"),
            Identifier::travel_permit("H0123456701"),
        ];
        for (kind, id) in IdentifierKind::ALL.into_iter().zip(all) {
            assert_eq!(Identifier::of_kind(kind, id.as_ref().unwrap().value().expose()), id);
            assert_eq!((id.unwrap().kind(), IdentifierKind::from_number(kind as u32)), (kind, Some(kind)));
        }
        assert_eq!(IdentifierKind::from_number(0), None);
        assert_eq!(Identifier::of_kind(IdentifierKind::Passport, "é1"), Err(Form));
    }

    #[test]
    fn an_identifier_does_not_print() {
        let printed = format!("{:?}", Identifier::health_card("A12345678").unwrap());
        assert_eq!(printed, "Identifier { kind: HealthCard, value: <phi> }");
    }
}
