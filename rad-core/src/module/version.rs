//! The version of the engine that a module asks for: `required_version`, as Terraform and OpenTofu read it
//! (<https://developer.hashicorp.com/terraform/language/expressions/version-constraints>).

use std::cmp::Ordering;
use std::str::FromStr;

/// Conditions that a version must all meet, such as `>= 1.2, < 2.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredVersion {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    operator: Operator,
    version: Numbers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    Above,
    AtLeast,
    Below,
    AtMost,
    /// `~>`: only the last of the numbers may be higher.
    Pessimistic,
}

/// In the order in which they are tried: none is the beginning of one after it.
const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::IsNot),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("~>", Operator::Pessimistic),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("=", Operator::Is),
];

/// The numbers of a version as they are written; what is not written is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbers(Vec<u64>);

/// Why a constraint or a version cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// It is not a version after an operator.
    #[error(
        "{text:?} is no version constraint: write an operator (=, !=, >, >=, <, <=, ~>) and a version, such as >= 1.5.0"
    )]
    Malformed {
        /// The condition, or the version.
        text: String,
    },
    /// It names a pre-release, which engines do not compare with.
    #[error("{text:?} names a pre-release, which engines refuse in required_version: name the release")]
    PreRelease {
        /// The condition.
        text: String,
    },
}

impl RequiredVersion {
    /// Reads conditions separated by commas.
    ///
    /// # Errors
    /// [`VersionError`] naming the first condition that an engine would refuse.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let conditions = text.split(',').map(condition).collect::<Result<_, _>>()?;
        Ok(Self { conditions })
    }

    /// Whether an engine of this version may run the module. A pre-release of an engine counts as its release, as engines
    /// themselves count.
    ///
    /// # Errors
    /// [`VersionError::Malformed`] for what is no version.
    pub fn admits(&self, engine: &str) -> Result<bool, VersionError> {
        let version: Numbers = release_of(engine).parse()?;
        Ok(self.conditions.iter().all(|condition| condition.admits(&version)))
    }
}

impl Condition {
    fn admits(&self, engine: &Numbers) -> bool {
        let order = engine.compare(&self.version);
        match self.operator {
            Operator::Is => order.is_eq(),
            Operator::IsNot => order.is_ne(),
            Operator::Above => order.is_gt(),
            Operator::AtLeast => order.is_ge(),
            Operator::Below => order.is_lt(),
            Operator::AtMost => order.is_le(),
            Operator::Pessimistic => {
                let fixed = self.version.0.len().saturating_sub(1);
                order.is_ge() && (0..fixed).all(|place| engine.at(place) == self.version.at(place))
            }
        }
    }
}

impl Numbers {
    fn at(&self, place: usize) -> u64 {
        self.0.get(place).copied().unwrap_or(0)
    }

    fn compare(&self, other: &Self) -> Ordering {
        let places = 0..self.0.len().max(other.0.len());
        let mut orders = places.map(|place| self.at(place).cmp(&other.at(place)));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl FromStr for Numbers {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(|number| {
            let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse().ok().filter(|_| plain)
        });
        let numbers: Option<Vec<u64>> = numbers.collect();
        numbers.map(Self).ok_or_else(|| VersionError::Malformed { text: text.to_owned() })
    }
}

fn condition(text: &str) -> Result<Condition, VersionError> {
    let text = text.trim();
    let written = OPERATORS.iter().find_map(|(sign, operator)| Some((text.strip_prefix(sign)?, *operator)));
    let (version, operator) = written.unwrap_or((text, Operator::Is));
    let version = version.trim_start();
    let without_metadata = version.split_once('+').map_or(version, |(version, _)| version);
    let release = release_of(version);
    let numbers: Numbers = release.parse().map_err(|_| VersionError::Malformed { text: text.to_owned() })?;
    if release != without_metadata {
        return Err(VersionError::PreRelease { text: text.to_owned() });
    }
    Ok(Condition { operator, version: numbers })
}

/// A version without its pre-release and metadata: `1.10.0` of `1.10.0-beta1+build`.
fn release_of(version: &str) -> &str {
    version.split(['-', '+']).next().unwrap_or(version).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Terraform 1.11.4 says of each constraint: `None` where it refuses the constraint itself.
    #[test]
    fn constraints_are_judged_as_terraform_judges_them() {
        for (constraint, admitted) in [
            ("~> 1", Some(true)),
            ("~>1.0", Some(true)),
            ("~> 1.11.3", Some(true)),
            ("~> 1.10.0", Some(false)),
            ("~> 1.12", Some(false)),
            ("~> 99", Some(false)),
            ("= 1.0, >= 0.1", Some(false)),
            ("v1.5", Some(false)),
            ("1.11.4", Some(true)),
            ("= 1", Some(false)),
            (">=1.2.3.4", Some(true)),
            ("!= 1.0.0", Some(true)),
            ("!= 1.11.4", Some(false)),
            (" >=   1.0 ", Some(true)),
            (">= 01.0", Some(true)),
            (">= 0.1+meta", Some(true)),
            ("> 1.11.4", Some(false)),
            ("< 1.11.4", Some(false)),
            ("<= 1.11.4, >= 1.11.4", Some(true)),
            (">= 1.5.0-beta1", None),
            (">= 1.5,", None),
            ("> 1 < 9", None),
            ("=> 1.0", None),
            ("1.x", None),
            ("", None),
        ] {
            let judged = RequiredVersion::parse(constraint).and_then(|wanted| wanted.admits("1.11.4"));
            assert_eq!(judged.ok(), admitted, "{constraint:?}");
        }
    }

    #[test]
    fn a_pre_release_of_an_engine_counts_as_its_release() {
        let wanted = RequiredVersion::parse(">= 1.12, < 1.13").unwrap();
        for (engine, admitted) in
            [("1.12.0-alpha20250101", true), ("1.12.0", true), ("1.13.0-rc1", false), ("1.11.9", false)]
        {
            assert_eq!(wanted.admits(engine), Ok(admitted), "{engine}");
        }
        assert!(matches!(wanted.admits("newest"), Err(VersionError::Malformed { .. })));
        let refused = RequiredVersion::parse(">= 1.5.0-beta1").unwrap_err();
        assert!(matches!(refused, VersionError::PreRelease { .. }), "{refused}");
    }
}
