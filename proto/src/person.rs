//! A person's identifiers, made alike before they become tokens (T-2). Pure text work; nothing here is kept or sent.

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
    /// Not 15 or 18 characters of a resident ID, a health card of 8 to 32 letters and digits, or three letters and twelve digits of a permit.
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

    /// Which identifier.
    pub const fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The one form.
    pub const fn value(&self) -> &Phi<String> {
        &self.value
    }
}

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
    fn an_identifier_does_not_print() {
        let printed = format!("{:?}", Identifier::health_card("A12345678").unwrap());
        assert_eq!(printed, "Identifier { kind: HealthCard, value: <phi> }");
    }
}
