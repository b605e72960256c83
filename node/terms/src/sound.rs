//! How Chinese names sound: people type `gbzam` for 谷丙转氨酶, and write 肌肝 for 肌酐.

use pinyin::ToPinyin as _;

/// How a name sounds, without tones; of a letter with several readings the usual one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sound {
    /// All syllables: `xuetang`.
    whole: String,
    /// Their first letters: `xt`.
    initials: String,
    /// How many letters of the name have a sound.
    syllables: usize,
}

/// Fewer syllables than this say nothing: 钾 and 钙 are a letter each.
const SYLLABLES_MIN: usize = 2;

impl Sound {
    /// Of a name in small letters of half width; letters and digits that are no Chinese sound as they are written.
    pub(crate) fn of(name: &str) -> Self {
        let mut sound = Self::default();
        for letter in name.chars() {
            if let Some(syllable) = letter.to_pinyin() {
                sound.whole.push_str(syllable.plain());
                sound.initials.push_str(syllable.first_letter());
                sound.syllables += 1;
            } else if letter.is_ascii_alphanumeric() {
                sound.whole.push(letter);
                sound.initials.push(letter);
            }
        }
        sound
    }

    /// Whether what was typed is this sound, as syllables or as their first letters.
    pub(crate) fn is_typed(&self, typed: &str) -> bool {
        self.syllables >= SYLLABLES_MIN && (typed == self.whole || typed == self.initials)
    }

    /// Whether two names sound alike.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        self.syllables >= SYLLABLES_MIN && self.syllables == other.syllables && self.whole == other.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u7_a_name_is_typed_by_its_sound_or_its_first_letters() {
        let sugar = Sound::of("血糖");
        assert!(sugar.is_typed("xuetang") && sugar.is_typed("xt") && !sugar.is_typed("x"));
        assert!(Sound::of("γ-谷氨酰转肽酶").is_typed("gaxztm"));
        assert!(!Sound::of("钾").is_typed("jia") && !Sound::of("alt").is_typed("alt"), "no two syllables");
        assert!(
            Sound::of("肌肝").is_alike(&Sound::of("肌酐")) && !Sound::of("肌酸").is_alike(&Sound::of("肌酐"))
        );
    }
}
