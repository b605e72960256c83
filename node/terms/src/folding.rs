//! One way of writing for comparisons: full width becomes half width, the three letters for "micro" one, and blanks go.

/// The text with one form for each letter, without blanks; case is kept.
pub(crate) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut raised = false;
    for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
        let power = power(letter);
        if power.is_some() && !raised {
            folded.push('^');
        }
        raised = power.is_some();
        folded.push(power.unwrap_or_else(|| plain(letter)));
    }
    folded
}

/// As [`folded`], and in small letters.
pub(crate) fn key(text: &str) -> String {
    folded(text).to_lowercase()
}

/// The first bytes of a text, at most `bytes`, cut between letters.
pub(crate) fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn plain(letter: char) -> char {
    match letter {
        'µ' | 'μ' => 'u',
        '×' | '✕' | '╳' => 'x',
        '·' | '⋅' | '・' | '•' | '．' => '.',
        '∕' | '⁄' => '/',
        '－' | '—' | '–' | '−' | '‐' | '‑' => '-',
        '～' | '〜' => '~',
        '\u{FF01}'..='\u{FF5E}' => {
            u32::from(letter).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(letter)
        }
        other => other,
    }
}

/// The digit that stands raised.
const fn power(letter: char) -> Option<char> {
    Some(match letter {
        '⁰' => '0',
        '¹' => '1',
        '²' => '2',
        '³' => '3',
        '⁴' => '4',
        '⁵' => '5',
        '⁶' => '6',
        '⁷' => '7',
        '⁸' => '8',
        '⁹' => '9',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_one_meaning_are_one() {
        assert_eq!(folded("μ mol／L"), "umol/L");
        assert_eq!(folded("µg"), "ug");
        assert_eq!(folded("×10¹²/L"), "x10^12/L");
        assert_eq!(key("阴性（－）"), "阴性(-)");
        assert_eq!(key("％"), "%");
    }

    #[test]
    fn a_head_is_cut_between_letters() {
        assert_eq!((head("钾钠", 4), head("ab", 8)), ("钾", "ab"));
    }
}
