//! Residents of a large town.

use std::collections::BTreeSet;

use yiqiao_simnet::limits::CENSUS;
use yiqiao_simnet::people::{Sex, people};
use yiqiao_simnet::resident_id::{REGION, check};

#[test]
fn identity_numbers_are_valid_unassigned_and_agree_with_the_person() {
    for person in people(2, 4000) {
        let id = person.resident_id.as_str();
        assert_eq!(id.len(), 18);
        assert!(id.starts_with(REGION));
        assert_eq!(check(id.get(..17).unwrap()), id.chars().last());
        assert_eq!(id.get(6..14).unwrap(), person.birth.strftime("%Y%m%d").to_string());
        let odd = (id.as_bytes()[16] - b'0') % 2 == 1;
        assert_eq!(odd, person.sex == Sex::Male);
    }
}

#[test]
fn no_two_people_share_an_identity_number_or_health_card() {
    let people = people(3, 20_000);
    let ids: BTreeSet<&str> = people.iter().map(|person| person.resident_id.as_str()).collect();
    let cards: BTreeSet<&str> = people.iter().map(|person| person.health_card.as_str()).collect();
    assert_eq!((ids.len(), cards.len()), (people.len(), people.len()));
}

#[test]
fn phone_numbers_are_nobodys() {
    for person in people(4, 2000) {
        assert_eq!(person.phone.len(), 11);
        assert!(person.phone.starts_with("111"));
    }
}

#[test]
fn the_town_has_young_and_old_men_and_women_and_minorities() {
    let people = people(1, 3000);
    let share = |count: usize| count * 100 / people.len();
    let ages = |from, to| people.iter().filter(|one| (from..=to).contains(&one.age(CENSUS))).count();
    assert!((8..35).contains(&share(ages(0, 14))), "{}", share(ages(0, 14)));
    assert!((45..80).contains(&share(ages(15, 64))), "{}", share(ages(15, 64)));
    assert!((8..30).contains(&share(ages(65, 120))), "{}", share(ages(65, 120)));
    assert!((42..58).contains(&share(people.iter().filter(|one| one.sex == Sex::Female).count())));
    assert!(people.iter().any(|one| one.name.text.contains('·')));
    assert!(people.iter().all(|one| one.age(CENSUS) <= 110));
}
