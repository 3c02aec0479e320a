//! Settings from the environment.
//!
//! `DRAFTGATE_LIMITS__MESSAGE` is the key `message` of the table `limits`: two
//! underscores part table and key, one stands for a hyphen. Only scalar keys
//! of tables that stand once can be set so; which listener or route would be
//! meant cannot be said in a variable's name. The variables come as an
//! argument, so that a test need not change those of its process.

use std::ffi::OsString;

use toml::de::DeValue;

/// Variables with a meaning of their own, read elsewhere.
const RESERVED: [&str; 3] = [
    "DRAFTGATE_ADMIN_TOKEN",
    "DRAFTGATE_CONFIG",
    "DRAFTGATE_FOREIGN",
];

pub(super) const PREFIX: &str = "DRAFTGATE_";

/// The variables that begin with `DRAFTGATE_`.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<Variable>);

#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    /// The key it stands for: `limits.message`.
    pub(super) key: String,
    /// As it was set; with replacements where it is not Unicode.
    pub(super) text: String,
}

impl Environment {
    /// Picks the variables of draftgate out of all, such as those of
    /// [`std::env::vars_os`].
    pub fn new<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut picked: Vec<Variable> = variables
            .into_iter()
            .filter_map(|(name, value)| Variable::new(&name.into(), &value.into()))
            .collect();
        picked.sort_by(|one, other| one.name.cmp(&other.name));
        Self(picked)
    }

    pub(super) fn variables(&self) -> &[Variable] {
        &self.0
    }
}

impl Variable {
    /// As a value of TOML; a string where it is no other value.
    pub(super) fn value(&self) -> DeValue<'_> {
        match DeValue::parse(&self.text) {
            Ok(value) => value.into_inner(),
            Err(_) => DeValue::String(self.text.as_str().into()),
        }
    }

    fn new(name: &OsString, text: &OsString) -> Option<Self> {
        let name = name.to_string_lossy();
        let key = name.strip_prefix(PREFIX)?;
        if RESERVED.contains(&name.as_ref()) {
            return None;
        }
        let text = text.to_string_lossy();
        Some(Self {
            key: key
                .to_ascii_lowercase()
                .replace("__", ".")
                .replace('_', "-"),
            text: text.into_owned(),
            name: name.into_owned(),
        })
    }
}

/// The variable for a key: `DRAFTGATE_LIMITS__MESSAGE`.
pub(super) fn variable_name(key: &str) -> String {
    format!(
        "{PREFIX}{}",
        key.to_ascii_uppercase()
            .replace('.', "__")
            .replace('-', "_")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_lead_to_each_other() {
        let environment = Environment::new([
            ("PATH", "/bin"),
            ("DRAFTGATE_CONFIG", "a.toml"),
            ("DRAFTGATE_FOREIGN", "off"),
            ("DRAFTGATE_LIMITS__MAX_CONNECTIONS", "7"),
        ]);
        let [variable] = environment.variables() else {
            panic!("{environment:?}");
        };
        assert_eq!(variable.key, "limits.max-connections");
        assert_eq!(variable_name(&variable.key), variable.name);
        assert!(variable.value().is_integer());
    }

    #[test]
    fn what_is_no_toml_value_is_a_string() {
        for text in ["16MiB", "5s", "off", "", "= 1", "info"] {
            let environment = Environment::new([("DRAFTGATE_X", text)]);
            assert_eq!(environment.variables()[0].value().as_str(), Some(text));
        }
    }
}
