//! The files built into the program: dated rules, one per venue, and the scenarios.

/// A file built into the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Venue or list.
    pub name: &'static str,
    /// What it is called in messages.
    pub source: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! embedded {
    ($($folder:literal / $name:literal),* $(,)?) => {
        &[$(Embedded {
            name: $name,
            source: concat!("embedded configs/", $folder, "/", $name, ".yaml"),
            text: include_str!(concat!("../../../../configs/", $folder, "/", $name, ".yaml")),
        }),*]
    };
}

/// The rules of venues.
pub const VENUES: &[Embedded] = embedded![
    "venues" / "binance",
    "venues" / "bybit",
    "venues" / "instadapp",
    "venues" / "okx",
    "venues" / "wallet"
];

/// The scenarios of `basis stress`.
pub const SCENARIOS: &[Embedded] = embedded!["stress" / "default"];

/// The scenarios of `basis stress --tiers`.
pub const TIERS: &[Embedded] = embedded!["stress" / "tiers"];

/// The rules of the venue `name`, if the program has any.
#[must_use]
pub fn venue(name: &str) -> Option<&'static Embedded> {
    VENUES.iter().find(|venue| venue.name == name)
}

#[cfg(test)]
mod tests {
    use basis_core::config::Problems;
    use basis_core::rules::VenueRules;

    use super::*;
    use crate::config::yaml;

    #[test]
    fn every_embedded_file_reads_without_a_problem() {
        for mode in basis_strategies::builtin().rows() {
            let node = yaml::parse(mode.settings, mode.source).unwrap();
            assert!(node.get("mode").is_some(), "{}", mode.source);
        }
        for file in VENUES {
            let node = yaml::parse(file.text, file.source).unwrap();
            let problems = Problems::new();
            let rules = VenueRules::read(&node, &problems).unwrap();
            assert_eq!(problems.into_sorted(), [], "{}", file.source);
            assert_eq!(rules.venue.as_str(), file.name);
        }
    }
}
