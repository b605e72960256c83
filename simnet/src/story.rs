//! The cast of the demo: seven people whose names, numbers and courses never change, among neighbours from a fixed seed.
//!
//! Their visits lie so many days before the town's day, so that a demo looks fresh whenever it runs.

use jiff::{
    ToSpan,
    civil::{Date, DateTime, date},
};

use crate::conditions;
use crate::hospitals::{CHILDREN, COMMUNITY, Hospital, PEOPLES, Specialty, TRADITIONAL, UNIVERSITY};
use crate::labs;
use crate::people::{Register, Settler, Sex};
use crate::resident_id::Share;
use crate::town::{Patient, Town};
use crate::visits::{Kind, Plan, Referral};

/// The seed of the neighbours.
const SEED: u64 = 20_260_101;

/// How many people the town of the story has: enough that each hospital knows twenty.
const SIZE: usize = 140;

/// A part in the story. The discriminant is the person's index in the town.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Role {
    /// 陈志远: diabetes treated at B, chest pain worked up at A, which refers him to cardiology at C.
    Referred = 0,
    /// 刘素芬: walks into C today; her thyroid is treated at A.
    WalkIn = 1,
    /// 黄建军: hepatitis B at A and B; grants, and later revokes.
    Revoker = 2,
    /// 周敏: mother of the child.
    Guardian = 3,
    /// 陈乐怡: a child with asthma, known to A and D.
    Child = 4,
    /// 林子涵: born on the same day as her twin, and known under one phone number.
    TwinElder = 5,
    /// 林子晗: her twin's name sounds the same, and the family's phone is the same.
    TwinYounger = 6,
}

impl Role {
    /// All parts.
    pub const ALL: [Self; 7] = [
        Self::Referred,
        Self::WalkIn,
        Self::Revoker,
        Self::Guardian,
        Self::Child,
        Self::TwinElder,
        Self::TwinYounger,
    ];

    /// The person's index in [`Town::patients`] of the story.
    pub const fn index(self) -> usize {
        self as usize
    }

    fn settler(self) -> Settler {
        let guardian = |role: Self| (Some(role.index()), Some(role.index()));
        let (name, pinyin, sex, birth, (with, guardian)) = match self {
            Self::Referred => ("陈志远", "Chen Zhiyuan", Sex::Male, date(1958, 3, 12), (None, None)),
            Self::WalkIn => ("刘素芬", "Liu Sufen", Sex::Female, date(1971, 9, 5), (None, None)),
            Self::Revoker => ("黄建军", "Huang Jianjun", Sex::Male, date(1983, 1, 23), (None, None)),
            Self::Guardian => ("周敏", "Zhou Min", Sex::Female, date(1990, 7, 30), (None, None)),
            Self::Child => ("陈乐怡", "Chen Leyi", Sex::Female, date(2019, 5, 16), guardian(Self::Guardian)),
            Self::TwinElder => ("林子涵", "Lin Zihan", Sex::Female, date(2016, 6, 18), (None, None)),
            Self::TwinYounger => {
                ("林子晗", "Lin Zihan", Sex::Female, date(2016, 6, 18), (Some(Self::TwinElder.index()), None))
            }
        };
        Settler { name, pinyin, sex, birth, with, guardian }
    }
}

impl Town {
    /// The town of the demo on this day: the cast first, then their neighbours.
    pub fn story(day: Date) -> Self {
        let mut register = Register::new(SEED, Share::WHOLE);
        for role in Role::ALL {
            register.settle(role.settler());
        }
        register.grow_to(SIZE);
        let mut town = Self::of(SEED, day, register.into_people(), Role::ALL.len());
        referred(&mut town);
        walk_in(&mut town);
        revoker(&mut town);
        family(&mut town);
        twins(&mut town);
        for neighbour in Role::ALL.len()..town.patients.len() {
            town.live(neighbour);
        }
        town
    }

    /// Who plays a part; of use in the town of the story only.
    pub fn cast(&self, role: Role) -> Option<&Patient> {
        self.patients.get(role.index())
    }

    /// A visit so many days ago at this hour, for this condition, with these values settled.
    fn plan(
        &self,
        hospital: &'static Hospital,
        kind: Kind,
        ago: (i64, i8),
        code: &str,
        settled: &'static str,
    ) -> Plan {
        let from = moment(self.day(), ago.0, ago.1);
        let settled = labs::moved(settled);
        Plan { settled, ..Plan::new(hospital, kind, from, conditions::condition(code)) }
    }
}

/// Diabetes at B, angina at A, and the way to C.
fn referred(town: &mut Town) {
    let who = Role::Referred.index();
    town.allergic(who, conditions::allergy("AL01"));
    for (ago, settled) in [
        (402, "HbA1c=7.9,GLU=8.64,TG=2.05,TC=5.42,HDL-C=1.12"),
        (218, "HbA1c=7.2,GLU=7.51,TG=1.88,TC=5.10,HDL-C=1.15"),
        (96, "HbA1c=7.6,GLU=8.02,TG=2.14,TC=5.36,HDL-C=1.09"),
    ] {
        let plan = town.plan(&TRADITIONAL, Kind::Outpatient, (ago, 9), "E11.900", settled);
        town.visit(who, Plan { past: "2型糖尿病病史6年。".to_owned(), ..plan });
    }
    let plan = town.plan(
        &PEOPLES,
        Kind::Emergency,
        (8, 7),
        "I20.000",
        "hs-cTnT=18.6,CK-MB=19,CK=142,NT-proBNP=268,GLU=9.35,CREA=84.2,TC=5.88,TG=2.31,HDL-C=1.05",
    );
    let account = (
        "阵发性胸痛3天，加重2小时",
        "3天来活动后胸骨后压榨样疼痛，向左肩放射，每次约5分钟；2小时前静息时再发，含服硝酸甘油后缓解。",
    );
    let past = "2型糖尿病6年，在桥州市中医医院规律随诊；吸烟30年，已戒2年。".to_owned();
    town.visit(who, Plan { past: past.clone(), account: Some(account), ..plan });
    let plan = town.plan(
        &PEOPLES,
        Kind::Inpatient,
        (8, 14),
        "I20.000",
        "hs-cTnT=22.4,CK-MB=21,CK=155,NT-proBNP=312,GLU=8.90,CREA=86.5,TC=5.93,TG=2.28,HDL-C=1.04,HbA1c=8.1,HGB=142,MCH=30.4,MCV=90.2",
    );
    town.visit(
        who,
        Plan {
            past,
            account: Some(account),
            stay: Some(7),
            others: vec![conditions::condition("E11.900")],
            images: vec![conditions::imaging("ECHO"), conditions::imaging("CTA")],
            referral: Some(Referral {
                to: &UNIVERSITY,
                specialty: Specialty::Cardiology,
                reason: "冠脉CTA提示左前降支近段重度狭窄，需行冠状动脉造影及介入治疗，本院条件有限，转上级医院心血管内科。",
            }),
            ..plan
        },
    );
}

/// Thyroid disease at A; this morning she stands at the desk of C.
fn walk_in(town: &mut Town) {
    let who = Role::WalkIn.index();
    town.allergic(who, conditions::allergy("AL04"));
    for (ago, settled) in [
        (260, "TSH=0.008,FT3=18.40,FT4=54.20"),
        (170, "TSH=0.060,FT3=8.20,FT4=27.10"),
        (58, "TSH=0.950,FT3=5.10,FT4=16.80"),
    ] {
        let plan = town.plan(&PEOPLES, Kind::Outpatient, (ago, 9), "E05.900", settled);
        town.visit(who, plan);
    }
    let plan = town.plan(&UNIVERSITY, Kind::Outpatient, (0, 8), "I48.x00", "");
    let account =
        ("间断心悸1周", "1周来间断心悸，每次约半小时，伴乏力，曾在外院诊断甲状腺功能亢进症并服药。");
    town.visit(
        who,
        Plan {
            account: Some(account), past: "甲状腺功能亢进症病史，外院治疗。".to_owned(), ..plan
        },
    );
}

/// Hepatitis B, of which he wants to decide himself who knows.
fn revoker(town: &mut Town) {
    let who = Role::Revoker.index();
    for (hospital, ago, settled) in [
        (&PEOPLES, 340, "HBsAg=2180.00,HBV-DNA=86400,ALT=92"),
        (&PEOPLES, 150, "HBsAg=1460.00,HBV-DNA=1240,ALT=48"),
    ] {
        let plan = town.plan(hospital, Kind::Outpatient, (ago, 10), "B18.100", settled);
        town.visit(who, plan);
    }
    let plan = town.plan(&TRADITIONAL, Kind::Outpatient, (75, 15), "M54.200", "");
    town.visit(who, Plan { past: "慢性乙型病毒性肝炎，规律抗病毒治疗。".to_owned(), ..plan });
}

/// A child whose asthma two hospitals and a centre know, and her mother.
fn family(town: &mut Town) {
    let (mother, child) = (Role::Guardian.index(), Role::Child.index());
    town.allergic(child, conditions::allergy("AL02"));
    for (hospital, ago, code, settled) in [
        (&COMMUNITY, 300, "J06.900", ""),
        (&PEOPLES, 190, "J45.900x002", "IgE=620.0"),
        (&CHILDREN, 41, "J45.900x002", "IgE=580.0"),
    ] {
        let plan = town.plan(hospital, Kind::Outpatient, (ago, 14), code, settled);
        town.visit(child, plan);
    }
    let plan = town.plan(&PEOPLES, Kind::Outpatient, (120, 9), "K29.500", "");
    town.visit(mother, plan);
}

/// Two girls, one phone, one sound, one birthday; what tells them apart is in the identity number.
fn twins(town: &mut Town) {
    for (role, code, settled) in [
        (Role::TwinElder, "J18.900", "CRP=64.2,WBC=14.80"),
        (Role::TwinYounger, "J03.900", "CRP=22.6,WBC=11.90"),
    ] {
        let plan = town.plan(&PEOPLES, Kind::Outpatient, (33, 10), code, settled);
        town.visit(role.index(), plan);
    }
    let plan = town.plan(&CHILDREN, Kind::Outpatient, (20, 9), "J20.900x001", "");
    town.visit(Role::TwinYounger.index(), plan);
}

fn moment(day: Date, ago: i64, hour: i8) -> DateTime {
    // Minutes that differ between visits without chance: nobody is registered on the full hour.
    let minute = i8::try_from((ago * 7 + 13) % 60).unwrap_or(0);
    day.saturating_sub(ago.days()).at(hour, minute, 20, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cast_has_its_names_whatever_the_day() {
        let today = Town::story(date(2026, 11, 20));
        let later = Town::story(date(2027, 2, 1));
        for role in Role::ALL {
            let (one, two) = (today.cast(role).unwrap(), later.cast(role).unwrap());
            assert_eq!(one.person.name.text, role.settler().name);
            assert_eq!(one.person.resident_id, two.person.resident_id);
        }
    }
}
