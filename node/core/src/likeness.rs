//! How alike two patients of the hospital are: whether they are one person by all that is said of them, may be one, or are two.
//!
//! One identity number (or card) makes two records one person only where name and birth date do not say otherwise (I-6). Names, birth
//! dates and telephones never do: they bring a pair before a person. What is looked for here never leaves the hospital. Not here: the
//! pairs and what people decide of them: `pairs`.

use std::collections::BTreeSet;

use yiqiao_proto::id::Digest;
use yiqiao_proto::person::{Identifier, IdentifierKind};

use crate::at_rest::{AtRest, Tag};
use crate::person::{is_of_person, tokenable};
use crate::state::kept::{BirthDate, PersonData};

/// What two records are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// One person.
    One,
    /// Only a person can say.
    Doubtful,
    /// Two, as far as anything is said.
    Two,
}

/// How far one thing that is said of both agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It is the same.
    Same,
    /// As a slip of the pen, another writing or another calendar would leave it.
    Near,
    /// It is another.
    Other,
    /// One of them says nothing that could be compared.
    Unsaid,
}

use Agreement::{Near, Other, Same, Unsaid};

/// How far two patients agree in all that is compared, for a person to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The names.
    pub name: Agreement,
    /// The birth dates.
    pub birth: Agreement,
    /// Male or female.
    pub sex: Agreement,
    /// The telephones.
    pub phone: Agreement,
    /// Identity numbers and cards.
    pub number: Agreement,
}

pub(crate) fn compared(one: &PersonData, other: &PersonData) -> Compared {
    let told = |same: Option<bool>| same.map_or(Unsaid, |same| if same { Same } else { Other });
    let stated = [one.sex, other.sex].iter().all(|sex| [2, 3].contains(sex));
    let number = told(same_number(one, other));
    Compared {
        name: names(one, other),
        birth: births(one, other),
        sex: told(stated.then_some(one.sex == other.sex)),
        phone: told(phones(one, other)),
        number: if number == Unsaid && share_a_number(one, other) { Near } else { number },
    }
}

impl Agreement {
    /// Whether it speaks against one person.
    pub(crate) const fn contradicts(self) -> bool {
        matches!(self, Near | Other)
    }

    const fn is_close(self) -> bool {
        matches!(self, Same | Near)
    }
}

/// What two records are to each other.
pub(crate) fn of(one: &PersonData, other: &PersonData) -> Likeness {
    let (name, birth) = (names(one, other), births(one, other));
    match same_number(one, other) {
        Some(true) if agree(one, other) => Likeness::One,
        // A newborn is often sent with its mother's card; a passport has one holder.
        Some(true) if birth == Other && !share_a_passport(one, other) => Likeness::Two,
        Some(true) => Likeness::Doubtful,
        Some(false) => doubtful_if(name == Same && birth == Same && phones(one, other) == Some(true)),
        None => doubtful_if(may_be_one(one, other, name, birth)),
    }
}

/// Whether name and birth date bear out what a number says: neither speaks against it, and one of them for it. Who is named by a number
/// and nothing else is who has it.
pub(crate) fn agree(one: &PersonData, other: &PersonData) -> bool {
    let (name, birth) = (names(one, other), births(one, other));
    let told = |data: &PersonData| !data.name.is_empty() || data.birth.is_some();
    let borne_out = name == Same || birth == Same || !told(one) || !told(other);
    borne_out && !name.contradicts() && !birth.contradicts() && !differ(one, other)
}

const fn doubtful_if(holds: bool) -> Likeness {
    if holds { Likeness::Doubtful } else { Likeness::Two }
}

/// Two of whom no identity number tells anything. Few surnames and given names cover most people: so it takes two things that agree.
fn may_be_one(one: &PersonData, other: &PersonData, name: Agreement, birth: Agreement) -> bool {
    let phone = phones(one, other) == Some(true);
    let sex = one.sex == other.sex || ![2, 3].contains(&one.sex) || ![2, 3].contains(&other.sex);
    if name.is_close() && (phone || share_a_number(one, other)) {
        return name == Same || birth.is_close();
    }
    match (name, birth) {
        (Same, Same) => true,
        (Same, Near) | (Near, Same) => sex,
        (Same, Other | Unsaid) | (Near | Other | Unsaid, _) => {
            let renamed = is_newborns(&one.name) || is_newborns(&other.name);
            birth == Same && sex && (share_a_number(one, other) || (phone && renamed))
        }
    }
}

/// Whether two have the same identity number or card; nothing if they cannot be compared.
pub(crate) fn same_number(one: &PersonData, other: &PersonData) -> Option<bool> {
    let (own, others) = (tokenable(one).0, tokenable(other).0);
    let shared = own.iter().any(|id| others.contains(id));
    (shared || differ(one, other)).then_some(shared)
}

/// Whether two have an identifier of one kind each, and not the same. Who has a passport gets another one every ten years.
pub(crate) fn differ(one: &PersonData, other: &PersonData) -> bool {
    let (one, other) = (tokenable(one).0, tokenable(other).0);
    let lasts = |id: &&Identifier| id.kind() != IdentifierKind::Passport;
    one.iter().filter(lasts).any(|id| other.iter().any(|known| known.kind() == id.kind() && known != id))
}

fn share_a_passport(one: &PersonData, other: &PersonData) -> bool {
    let others = tokenable(other).0;
    tokenable(one).0.iter().any(|id| id.kind() == IdentifierKind::Passport && others.contains(id))
}

/// Whether two have a number of the person in common that is no identifier, because its check digit is wrong or it is of no kind that
/// the region knows; or one that a slip of the pen made of the other's.
fn share_a_number(one: &PersonData, other: &PersonData) -> bool {
    let others: Vec<(u32, String)> = numbers(other).collect();
    numbers(one).any(|(kind, value)| {
        others.iter().any(|(known, text)| *known == kind && (*text == value || is_slip(&value, text)))
    })
}

/// The numbers of the person, alike in writing; a permit is one whatever a system calls its kind.
fn numbers(data: &PersonData) -> impl Iterator<Item = (u32, String)> + '_ {
    data.identifiers.iter().filter_map(|id| {
        let permits = [IdentifierKind::Permit, IdentifierKind::TravelPermit];
        if let Some(permit) = permits.iter().find_map(|kind| id.normalised(*kind)) {
            return Some((0, permit.value().expose().clone()));
        }
        let value = plain(&id.value).to_uppercase();
        (is_of_person(id.id_kind()) && value.chars().count() >= 6).then_some((id.kind, value))
    })
}

/// Whether one character was mistaken, or two beside each other changed places.
fn is_slip(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len() != other.len() {
        return false;
    }
    let apart: Vec<usize> =
        one.iter().zip(&other).enumerate().filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect();
    match apart.as_slice() {
        [_] => true,
        [first, second] => {
            first + 1 == *second
                && one.get(*first) == other.get(*second)
                && one.get(*second) == other.get(*first)
        }
        _ => false,
    }
}

/// How far the names agree. One in Chinese and one in Latin letters tell nothing, if no transcription of the first is known.
pub(crate) fn names(one: &PersonData, other: &PersonData) -> Agreement {
    let (own, others) = (plain(&one.name), plain(&other.name));
    if own.is_empty() || others.is_empty() {
        return Unsaid;
    }
    if NOBODY.contains(&own.as_str()) || NOBODY.contains(&others.as_str()) {
        return Other;
    }
    if own == others {
        // Twins have one such name.
        return if is_newborns(&one.name) { Near } else { Same };
    }
    match (own.is_ascii(), others.is_ascii()) {
        (true, false) => transcribed(&one.name, &other.pinyin),
        (false, true) => transcribed(&other.name, &one.pinyin),
        _ if is_near(&own, &others)
            || letters(&one.pinyin).is_some_and(|own| Some(own) == letters(&other.pinyin)) =>
        {
            Near
        }
        _ => Other,
    }
}

/// Names that stand for nobody's.
const NOBODY: [&str; 8] = ["无名氏", "无名", "无名男", "无名女", "不详", "未知", "unknown", "测试"];

fn transcribed(latin: &str, pinyin: &str) -> Agreement {
    match (letters(latin), letters(pinyin)) {
        (Some(latin), Some(pinyin)) => {
            if latin == pinyin {
                Same
            } else {
                Other
            }
        }
        _ => Unsaid,
    }
}

/// The letters of a transcription, whichever part of the name stands first; none if it has none.
fn letters(text: &str) -> Option<Vec<char>> {
    let mut letters: Vec<char> =
        text.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    letters.sort_unstable();
    (!letters.is_empty()).then_some(letters)
}

/// Whether one character is another, is missing, cannot be read or changed places, or the longer name goes on where the other was cut.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if short.len() < 2 {
        return false;
    }
    if short.len() < long.len() {
        let cut = short.len() >= 3 && long.starts_with(&short);
        let missing = short.len() + 1 == long.len();
        return cut || (missing && is_within(&short, &long));
    }
    let apart: Vec<(&char, &char)> = short.iter().zip(&long).filter(|(a, b)| a != b).collect();
    match apart.as_slice() {
        [(a, b), (c, d)] if a == d && b == c => true,
        all => {
            all.iter().filter(|(a, b)| !is_unreadable(**a) && !is_unreadable(**b)).count()
                <= usize::from(all.len() == 1)
        }
    }
}

/// Whether all of the one stands in the other in this order.
fn is_within(short: &[char], long: &[char]) -> bool {
    let mut rest = long.iter();
    short.iter().all(|wanted| rest.any(|found| found == wanted))
}

/// What systems keep of a character that they do not have.
const fn is_unreadable(c: char) -> bool {
    matches!(c, '?' | '□' | '〇' | '*' | '\u{fffd}' | '\u{e000}'..='\u{f8ff}')
}

/// Whether somebody has no name yet but is called after the mother.
pub(crate) fn is_newborns(name: &str) -> bool {
    let name = plain(name);
    ["之子", "之女", "之婴", "婴", "之长子", "之次子", "之长女", "之次女"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// A name or number as all writings of it are: narrow, small, simplified, without blanks and dots.
fn plain(text: &str) -> String {
    let narrow = |c: char| match u32::from(c) {
        full @ 0xff01..=0xff5e => char::from_u32(full - 0xfee0).unwrap_or(c),
        _ => c,
    };
    let is_dot = |c: &char| {
        matches!(c, '·' | '•' | '・' | '‧' | '∙' | '．' | '.' | '-' | '_' | '\'' | '\u{feff}' | '\u{200b}')
    };
    let kept = text.chars().filter(|c| !c.is_whitespace() && !is_dot(c)).map(narrow);
    kept.map(simplified).collect::<String>().to_lowercase()
}

fn simplified(c: char) -> char {
    let place = WRITINGS.binary_search_by_key(&c, |(written, _)| *written);
    place.ok().and_then(|place| WRITINGS.get(place)).map_or(c, |(_, simple)| *simple)
}

/// Traditional and variant characters of names, ascending, each with that of the standard table (通用规范汉字表).
#[rustfmt::skip]
const WRITINGS: [(char, char); 261] = [
    ('偉', '伟'), ('傑', '杰'), ('兒', '儿'), ('兩', '两'), ('劉', '刘'), ('動', '动'), ('勛', '勋'), ('勝', '胜'), ('勞', '劳'), ('勳', '勋'),
    ('區', '区'), ('吳', '吴'), ('呉', '吴'), ('啓', '启'), ('啟', '启'), ('喬', '乔'), ('單', '单'), ('嘯', '啸'), ('嚴', '严'), ('國', '国'),
    ('園', '园'), ('圓', '圆'), ('堅', '坚'), ('壽', '寿'), ('夢', '梦'), ('嫻', '娴'), ('嬋', '婵'), ('嬌', '娇'), ('孫', '孙'), ('學', '学'),
    ('寧', '宁'), ('寶', '宝'), ('峯', '峰'), ('崗', '岗'), ('嶺', '岭'), ('巖', '岩'), ('幹', '干'), ('廣', '广'), ('張', '张'), ('強', '强'),
    ('彊', '强'), ('彥', '彦'), ('後', '后'), ('從', '从'), ('恆', '恒'), ('惲', '恽'), ('愛', '爱'), ('愷', '恺'), ('慶', '庆'), ('憶', '忆'),
    ('應', '应'), ('懷', '怀'), ('戰', '战'), ('揚', '扬'), ('摯', '挚'), ('擇', '择'), ('暉', '晖'), ('曉', '晓'), ('書', '书'), ('會', '会'),
    ('東', '东'), ('楊', '杨'), ('榮', '荣'), ('槍', '枪'), ('樂', '乐'), ('樓', '楼'), ('標', '标'), ('樹', '树'), ('機', '机'), ('權', '权'),
    ('歐', '欧'), ('歡', '欢'), ('歲', '岁'), ('氣', '气'), ('淨', '净'), ('淩', '凌'), ('淵', '渊'), ('淸', '清'), ('湯', '汤'), ('溫', '温'),
    ('滿', '满'), ('漢', '汉'), ('潔', '洁'), ('潤', '润'), ('澤', '泽'), ('濤', '涛'), ('濱', '滨'), ('瀾', '澜'), ('灝', '灏'), ('灣', '湾'),
    ('無', '无'), ('煇', '辉'), ('煥', '焕'), ('燦', '灿'), ('爾', '尔'), ('獻', '献'), ('玆', '兹'), ('珎', '珍'), ('瑋', '玮'), ('瑤', '瑶'),
    ('瑩', '莹'), ('環', '环'), ('瓊', '琼'), ('甦', '苏'), ('甯', '宁'), ('畢', '毕'), ('畫', '画'), ('當', '当'), ('疊', '叠'), ('發', '发'),
    ('盡', '尽'), ('盧', '卢'), ('眞', '真'), ('祿', '禄'), ('禎', '祯'), ('禮', '礼'), ('穎', '颖'), ('穩', '稳'), ('競', '竞'), ('筆', '笔'),
    ('節', '节'), ('範', '范'), ('簡', '简'), ('紀', '纪'), ('紅', '红'), ('純', '纯'), ('紹', '绍'), ('結', '结'), ('絲', '丝'), ('綠', '绿'),
    ('維', '维'), ('綱', '纲'), ('綵', '彩'), ('綺', '绮'), ('緯', '纬'), ('練', '练'), ('縣', '县'), ('羅', '罗'), ('羣', '群'), ('義', '义'),
    ('聖', '圣'), ('聰', '聪'), ('聲', '声'), ('聶', '聂'), ('興', '兴'), ('艷', '艳'), ('莊', '庄'), ('華', '华'), ('萬', '万'), ('葉', '叶'),
    ('蓮', '莲'), ('蔣', '蒋'), ('蕭', '萧'), ('藍', '蓝'), ('藝', '艺'), ('蘇', '苏'), ('蘭', '兰'), ('衛', '卫'), ('衞', '卫'), ('裏', '里'),
    ('規', '规'), ('親', '亲'), ('觀', '观'), ('訓', '训'), ('記', '记'), ('許', '许'), ('詠', '咏'), ('詩', '诗'), ('誠', '诚'), ('誼', '谊'),
    ('調', '调'), ('諾', '诺'), ('謝', '谢'), ('譚', '谭'), ('讓', '让'), ('豔', '艳'), ('財', '财'), ('貴', '贵'), ('賀', '贺'), ('賈', '贾'),
    ('賢', '贤'), ('賴', '赖'), ('贇', '赟'), ('趙', '赵'), ('軍', '军'), ('軒', '轩'), ('載', '载'), ('輝', '辉'), ('運', '运'), ('達', '达'),
    ('遠', '远'), ('郷', '乡'), ('鄉', '乡'), ('鄒', '邹'), ('鄧', '邓'), ('鄭', '郑'), ('銀', '银'), ('銘', '铭'), ('銳', '锐'), ('鋒', '锋'),
    ('鋼', '钢'), ('錢', '钱'), ('錦', '锦'), ('鍾', '钟'), ('鎮', '镇'), ('鏡', '镜'), ('鐘', '钟'), ('鐵', '铁'), ('長', '长'), ('閃', '闪'),
    ('閆', '闫'), ('開', '开'), ('間', '间'), ('閔', '闵'), ('閻', '阎'), ('關', '关'), ('闢', '辟'), ('陳', '陈'), ('陸', '陆'), ('陽', '阳'),
    ('隨', '随'), ('隱', '隐'), ('雋', '隽'), ('雙', '双'), ('雲', '云'), ('霑', '沾'), ('靑', '青'), ('靜', '静'), ('韋', '韦'), ('韓', '韩'),
    ('韻', '韵'), ('順', '顺'), ('頌', '颂'), ('頓', '顿'), ('頴', '颖'), ('顧', '顾'), ('顯', '显'), ('風', '风'), ('飛', '飞'), ('馬', '马'),
    ('馮', '冯'), ('馳', '驰'), ('駿', '骏'), ('騰', '腾'), ('驍', '骁'), ('髙', '高'), ('魯', '鲁'), ('鮑', '鲍'), ('鳳', '凤'), ('鴻', '鸿'),
    ('鵑', '鹃'), ('鵬', '鹏'), ('鶴', '鹤'), ('鷹', '鹰'), ('麗', '丽'), ('麥', '麦'), ('黃', '黄'), ('齊', '齐'), ('齡', '龄'), ('龍', '龙'),
    ('龔', '龚'),
];

/// How far the birth dates agree. A part that is not known agrees with any.
pub(crate) fn births(one: &PersonData, other: &PersonData) -> Agreement {
    let (Some(one), Some(other)) = (read(one.birth.as_ref()), read(other.birth.as_ref())) else {
        return Unsaid;
    };
    let part = |one: u32, other: u32| one == 0 || other == 0 || one == other;
    let same = [one.0 == other.0, part(one.1, other.1), part(one.2, other.2)];
    let first = |(_, month, day): (i64, u32, u32)| month == 1 && day == 1;
    let swapped = same[0] && one.1 == other.2 && one.2 == other.1;
    match same.iter().filter(|same| **same).count() {
        3 => Same,
        2 => Near,
        _ if swapped || (same[0] && (first(one) || first(other))) || is_other_calendar(one, other) => Near,
        _ => Other,
    }
}

/// Year, month and day; nothing of a date that stands for none.
fn read(birth: Option<&BirthDate>) -> Option<(i64, u32, u32)> {
    let birth = birth
        .filter(|birth| birth.year > 1900 || (birth.year == 1900 && (birth.month, birth.day) != (1, 1)))?;
    Some((i64::from(birth.year), birth.month, birth.day))
}

/// A day of the lunar calendar that was written as one of the other comes three to eight weeks too early.
fn is_other_calendar(one: (i64, u32, u32), other: (i64, u32, u32)) -> bool {
    let day = |(year, month, day): (i64, u32, u32)| year * 365 + i64::from(month * 61 / 2 + day);
    (15..=60).contains(&(day(one) - day(other)).abs())
}

/// Whether the telephones are the same; nothing if one is not known.
fn phones(one: &PersonData, other: &PersonData) -> Option<bool> {
    let (one, other) = (phone(one)?, phone(other)?);
    Some(one == other)
}

fn phone(data: &PersonData) -> Option<String> {
    let digits: String = plain(&data.phone).chars().filter(char::is_ascii_digit).collect();
    let local = digits.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(&digits);
    let varied = local.chars().any(|c| !local.starts_with(c));
    (local.len() >= 7 && varied).then(|| local.to_owned())
}

/// The tags under which those are found who may be this person: keyed, of this node alone.
pub(crate) fn tags(at_rest: &AtRest, data: &PersonData) -> BTreeSet<Digest> {
    let name = plain(&data.name);
    let (first, rest) = name.split_at(name.chars().next().map_or(0, char::len_utf8));
    let mut tags = BTreeSet::new();
    let mut tag = |parts: &[&str]| {
        if parts.iter().all(|part| !part.is_empty()) {
            let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            tags.insert(at_rest.tag(Tag::Likeness, &parts));
        }
    };
    let phone = phone(data).unwrap_or_default();
    tag(&["name-phone", &name, &phone]);
    if let Some((year, month, day)) = read(data.birth.as_ref()) {
        let (year, date) = (year.to_string(), format!("{month}-{day}"));
        let born = format!("{year}-{date}");
        tag(&["name-year", &name, &year]);
        tag(&["name-date", &name, &date]);
        tag(&["born-first", &born, first]);
        tag(&["born-rest", &born, rest]);
        tag(&["born-phone", &born, &phone]);
    }
    for (kind, value) in numbers(data) {
        tag(&["number", &kind.to_string(), &value]);
    }
    tags
}

#[cfg(test)]
mod tests {
    use yiqiao_intake::patient::IdKind;

    use super::*;
    use crate::person::kind_number;
    use crate::state::kept::PersonIdentifier;

    fn person(name: &str, born: (i32, u32, u32), phone: &str) -> PersonData {
        let birth = Some(BirthDate { year: born.0, month: born.1, day: born.2 });
        PersonData { name: name.to_owned(), birth, phone: phone.to_owned(), sex: 2, ..PersonData::default() }
    }

    fn with(mut data: PersonData, number: &str) -> PersonData {
        let (kind, assigner) = (kind_number(IdKind::ResidentId), String::new());
        data.identifiers.push(PersonIdentifier {
            kind,
            value: number.to_owned(),
            assigner,
            ..PersonIdentifier::default()
        });
        data
    }

    #[test]
    fn names_agree_in_every_writing_and_come_near_by_a_slip() {
        let agree =
            |one: &str, other: &str| names(&person(one, (1990, 5, 6), ""), &person(other, (1990, 5, 6), ""));
        for (one, other) in
            [("劉麗", "刘丽"), ("阿依古丽·买买提", "阿依古丽 • 买买提"), ("Ａｎｎａ Li", "anna li")]
        {
            assert_eq!(agree(one, other), Same, "{one} {other}");
        }
        for (one, other) in [
            ("李娜", "李那"),
            ("王小明", "王明"),
            ("王?明", "王翀明"),
            ("阿依古丽", "阿依古丽·买买提"),
            ("王小明", "王明小"),
        ] {
            assert_eq!(agree(one, other), Near, "{one} {other}");
        }
        for (one, other) in [("李娜", "王娜娜"), ("李娜", "张伟"), ("无名氏", "无名氏")] {
            assert_eq!(agree(one, other), Other, "{one} {other}");
        }
        assert_eq!(agree("李娜之子", "李娜之子"), Near, "perhaps its twin");
        assert_eq!((agree("", "李娜"), agree("Li Na", "李娜")), (Unsaid, Unsaid));
    }

    #[test]
    fn writings_are_looked_up_in_order() {
        assert!(WRITINGS.is_sorted_by_key(|(written, _)| *written));
        assert!(WRITINGS.iter().all(|(_, simple)| simplified(*simple) == *simple));
    }

    #[test]
    fn birth_dates_come_near_by_one_part_by_the_calendar_and_by_a_stand_in() {
        let agree = |one, other| births(&person("", one, ""), &person("", other, ""));
        assert_eq!(agree((1990, 5, 6), (1990, 5, 0)), Same);
        for other in [(1991, 5, 6), (1990, 6, 5), (1990, 1, 1), (1990, 4, 12), (1990, 5, 16)] {
            assert_eq!(agree((1990, 5, 6), other), Near, "{other:?}");
        }
        assert_eq!(agree((1990, 5, 6), (1961, 7, 9)), Other);
        assert_eq!(agree((1990, 5, 6), (1900, 1, 1)), Unsaid);
    }

    #[test]
    fn i6_a_number_makes_one_of_two_only_if_name_and_birth_agree() {
        let number = "11010519491231002X";
        let held = with(person("李娜", (1949, 12, 31), "13800000001"), number);
        let verdict = |name: &str, born| of(&held, &with(person(name, born, ""), number));
        assert_eq!(verdict("李娜", (1949, 12, 31)), Likeness::One);
        assert_eq!(verdict("李那", (1949, 12, 31)), Likeness::Doubtful, "perhaps a twin's");
        let unsaid =
            |name: &str| of(&held, &with(PersonData { birth: None, ..person(name, (1, 1, 1), "") }, number));
        assert_eq!((unsaid("李娜"), unsaid("")), (Likeness::One, Likeness::One));
        assert_eq!(unsaid("LI NA"), Likeness::Doubtful, "neither can be compared");
        assert_eq!(
            verdict("李娜", (2026, 11, 1)),
            Likeness::Doubtful,
            "its own birth date is not that of the number"
        );
        assert_eq!(verdict("王芳", (2026, 11, 1)), Likeness::Two);
    }

    #[test]
    fn i6_without_a_number_nothing_makes_one_of_two() {
        let held = person("李娜", (1990, 5, 6), "13800000001");
        let verdict = |name: &str, born, phone: &str| of(&held, &person(name, born, phone));
        assert_eq!(verdict("李娜", (1990, 5, 6), "13800000001"), Likeness::Doubtful);
        assert_eq!(verdict("李那", (1990, 5, 6), "13900000002"), Likeness::Doubtful);
        assert_eq!(verdict("李娜", (1961, 7, 9), "13900000002"), Likeness::Two, "a name alone");
        assert_eq!(verdict("李明", (1961, 7, 9), "13800000001"), Likeness::Two, "a telephone alone");
    }

    #[test]
    fn a_passport_brings_two_before_a_person_and_makes_nobody_one_and_a_permit_is_as_a_card() {
        let shown = |name: &str, kind, value: &str| {
            let mut data = person(name, (1990, 5, 6), "");
            let (kind, value, assigner) = (kind_number(kind), value.to_owned(), String::new());
            data.identifiers.push(PersonIdentifier { kind, value, assigner, ..PersonIdentifier::default() });
            data
        };
        let held = shown("Anna Li", IdKind::Other, "CAN110067050101");
        assert_eq!(of(&held, &shown("Anna Li", IdKind::Passport, "can 110067050101")), Likeness::One);
        assert_eq!(of(&held, &shown("Bo Chen", IdKind::ResidentId, "CAN110067050101")), Likeness::Doubtful);
        assert_eq!(
            of(&held, &shown("Anne Li", IdKind::Passport, "CAN110067050110")),
            Likeness::Two,
            "a slip"
        );
        let held = shown("Anna Li", IdKind::Passport, "AB123456");
        assert_eq!(of(&held, &shown("Li Anna Maria", IdKind::Passport, "AB123465")), Likeness::Doubtful);
        assert_eq!(of(&held, &shown("Li Anna Maria", IdKind::Other, "AB123456")), Likeness::Two);
    }

    #[test]
    fn two_identity_numbers_are_two_persons_unless_all_else_agrees() {
        let held = with(person("李娜", (1949, 12, 31), "13800000001"), "11010519491231002X");
        let other = |phone| with(person("李娜", (1949, 12, 31), phone), "110105194912310038");
        assert_eq!(of(&held, &other("13900000002")), Likeness::Two);
        assert_eq!(of(&held, &other("13800000001")), Likeness::Doubtful);
    }
}
