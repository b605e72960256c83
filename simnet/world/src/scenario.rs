//! A world that is written down: a TOML file. What it does not say is as in the world of its seed; `calm` begins with nothing that
//! breaks instead. See docs/simulation.md, "Scenarios".

use serde::{Deserialize, Serialize};

use crate::plant::{Plant, PlantUnknown};
use crate::setup::{Attacked, Kept, Rates, Scripted, Setup, Today};

/// A world as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows.
    pub about: String,
    /// Its seed.
    pub seed: u64,
    /// Hospitals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hospitals: Option<usize>,
    /// Residents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients: Option<usize>,
    /// How long things break and people act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u64>,
    /// When all heals, if before that, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heals_at_ms: Option<u64>,
    /// Real signatures.
    #[serde(default)]
    pub real: bool,
    /// Nothing breaks but what is written.
    #[serde(default)]
    pub calm: bool,
    /// A day with a morning peak.
    #[serde(default)]
    pub rhythm: bool,
    /// People come for passkeys and in emergencies, too.
    #[serde(default)]
    pub more: bool,
    /// Only a part of the residents come, each with the last visits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<Today>,
    /// A planted fault of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plant: Option<String>,
    /// Rates that are not those drawn.
    #[serde(default)]
    pub rates: Changed,
    /// What of all that is drawn happens.
    #[serde(default)]
    pub kept: Kept,
    /// What is written to happen.
    #[serde(default)]
    pub happens: Vec<Scripted>,
}

/// Rates that are not those drawn, by the names of [`Rates`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields of Rates")]
pub struct Changed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twice: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crashes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pauses: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rot: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takeovers: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostile: Option<Attacked>,
}

/// Why a text is no scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is not TOML of this form.
    #[error("the scenario cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// It plants a fault that there is not.
    #[error(transparent)]
    Plant(#[from] PlantUnknown),
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// [`ScenarioError`] saying what is wrong with the text.
    pub fn read(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        scenario.plant()?;
        Ok(scenario)
    }

    /// The scenario of a world.
    pub fn of(setup: &Setup, about: &str) -> Self {
        Self {
            about: about.to_owned(),
            seed: setup.seed,
            hospitals: Some(setup.hospitals),
            patients: Some(setup.patients),
            minutes: Some(setup.minutes),
            heals_at_ms: setup.heals_at_ms,
            real: !setup.cheap,
            calm: false,
            rhythm: setup.rhythm,
            more: setup.more,
            today: setup.today,
            plant: setup.plant.map(|plant| plant.to_string()),
            rates: setup.rates.map(Changed::all).unwrap_or_default(),
            kept: setup.kept.clone(),
            happens: setup.script.clone(),
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The world that it is.
    ///
    /// # Errors
    /// [`ScenarioError`] if it plants a fault that there is not.
    pub fn setup(&self) -> Result<Setup, ScenarioError> {
        let standard = Setup::standard(self.seed);
        let drawn = if self.calm { Rates::CALM } else { Rates::of(self.seed) };
        Ok(Setup {
            hospitals: self.hospitals.unwrap_or(standard.hospitals),
            patients: self.patients.unwrap_or(standard.patients),
            minutes: self.minutes.unwrap_or(standard.minutes),
            heals_at_ms: self.heals_at_ms,
            cheap: !self.real,
            rhythm: self.rhythm,
            more: self.more,
            today: self.today,
            plant: self.plant()?,
            rates: Some(self.rates.over(drawn)),
            kept: self.kept.clone(),
            script: self.happens.clone(),
            ..standard
        })
    }

    fn plant(&self) -> Result<Option<Plant>, PlantUnknown> {
        self.plant.as_ref().map(|name| name.parse()).transpose()
    }
}

impl Changed {
    fn over(&self, rates: Rates) -> Rates {
        Rates {
            lost: self.lost.unwrap_or(rates.lost),
            twice: self.twice.unwrap_or(rates.twice),
            latency: self.latency.unwrap_or(rates.latency),
            jitter: self.jitter.unwrap_or(rates.jitter),
            crashes: self.crashes.unwrap_or(rates.crashes),
            cuts: self.cuts.unwrap_or(rates.cuts),
            resets: self.resets.unwrap_or(rates.resets),
            pauses: self.pauses.unwrap_or(rates.pauses),
            disks: self.disks.unwrap_or(rates.disks),
            rot: self.rot.unwrap_or(rates.rot),
            clocks: self.clocks.unwrap_or(rates.clocks),
            takeovers: self.takeovers.unwrap_or(rates.takeovers),
            members: self.members.unwrap_or(rates.members),
            drift: self.drift.unwrap_or(rates.drift),
            long: self.long.unwrap_or(rates.long),
            hostile: self.hostile.unwrap_or(rates.hostile),
        }
    }

    const fn all(rates: Rates) -> Self {
        Self {
            lost: Some(rates.lost),
            twice: Some(rates.twice),
            latency: Some(rates.latency),
            jitter: Some(rates.jitter),
            crashes: Some(rates.crashes),
            cuts: Some(rates.cuts),
            resets: Some(rates.resets),
            pauses: Some(rates.pauses),
            disks: Some(rates.disks),
            rot: Some(rates.rot),
            clocks: Some(rates.clocks),
            takeovers: Some(rates.takeovers),
            members: Some(rates.members),
            drift: Some(rates.drift),
            long: Some(rates.long),
            hostile: Some(rates.hostile),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_a_world_is_that_world() {
        let mut setup = Setup { plant: Some(Plant::AckEarly), ..Setup::small(7) };
        setup.kept.faults = Some([3, 5].into());
        setup.rates = Some(Rates { hostile: Attacked::Hospital(2), ..Rates::CALM });
        let text = Scenario::of(&setup, "a world").text();
        let read = Scenario::read(&text).unwrap().setup().unwrap();
        assert_eq!(format!("{read:?}"), format!("{setup:?}"), "{text}");
    }

    #[test]
    fn a_scenario_with_a_word_that_is_not_known_is_refused() {
        let refused = Scenario::read("about = \"x\"\nseed = 1\nhospital = 3\n").unwrap_err().to_string();
        assert!(refused.contains("unknown field `hospital`"), "{refused}");
        assert!(Scenario::read("about = \"x\"\nseed = 1\nplant = \"nothing\"\n").is_err());
    }
}
