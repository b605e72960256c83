//! A seed is a name for bytes: whoever changes what a town sends sees it here first.

use yiqiao_simnet::town::Town;

use crate::DAY;

fn digest(town: &Town) -> String {
    let mut hasher = blake3::Hasher::new();
    for feed in town.feeds() {
        hasher.update(feed.id.as_bytes());
        hasher.update(feed.kind.as_bytes());
        hasher.update(&feed.at.unix_ms().to_le_bytes());
        hasher.update(&feed.bytes);
    }
    hasher.finalize().to_hex().to_string()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    assert_eq!(digest(&Town::new(5, 30, DAY)), digest(&Town::new(5, 30, DAY)));
    assert_ne!(digest(&Town::new(5, 30, DAY)), digest(&Town::new(6, 30, DAY)));
}

#[test]
fn a_small_town_and_the_story_are_frozen() {
    assert_eq!(
        digest(&Town::new(1, 24, DAY)),
        "509e65d646673409ae1b8c8be8b85722985757515fe3e4084bed21ad4e06bf89"
    );
    assert_eq!(digest(&Town::story(DAY)), "c4179430906a37b880bb2d18ed546666fb5d1f988f1b90ac0ff761f781686332");
}
