//! Configuration: defaults in the program, then a file, then the environment (`QUOIN__HTTP__REQUEST_TIMEOUT_MS`).

use std::{collections::HashMap, path::Path};

use config::{Config, Environment, File, FileFormat, Value};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{CursorConfig, DatabaseConfig, HttpConfig, LimitsConfig, auth::AuthConfig, telemetry::TelemetryConfig};

/// The runtime's own defaults.
const RUNTIME_DEFAULTS: &str = include_str!("../default.toml");

/// The settings cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not usable")]
pub struct SettingsError(#[from] config::ConfigError);

/// The sections this crate reads itself.
#[derive(Debug, Clone, Deserialize)]
pub struct RuntimeConfig {
    /// The HTTP side.
    pub http: HttpConfig,
    /// Who is believed.
    pub auth: AuthConfig,
    /// List positions.
    pub cursors: CursorConfig,
    /// PostgreSQL.
    pub database: DatabaseConfig,
    /// Rate limits.
    pub limits: LimitsConfig,
    /// Logs, traces, metrics.
    pub telemetry: TelemetryConfig,
}

/// All settings of a process, by section.
#[derive(Debug, Clone)]
pub struct Settings(Config);

impl Settings {
    /// Reads the layers: the runtime's defaults, then `defaults` (TOML text of each service), then `file`, then the environment.
    pub fn load(defaults: &[&str], file: Option<&Path>) -> Result<Self, SettingsError> {
        Self::layered(defaults, file, environment(None))
    }

    fn layered(defaults: &[&str], file: Option<&Path>, environment: Environment) -> Result<Self, SettingsError> {
        let mut builder = Config::builder().add_source(File::from_str(RUNTIME_DEFAULTS, FileFormat::Toml));
        for text in defaults {
            builder = builder.add_source(File::from_str(text, FileFormat::Toml));
        }
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml));
        }
        Ok(Self(builder.add_source(environment).build()?))
    }

    /// One section as its own type.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, SettingsError> {
        Ok(self.0.get(name)?)
    }

    /// One section as its own type, without what somebody else reads of it, with other texts in place of some it has, and with
    /// whole sections it shares with others, under their names. Numbers that come from the environment are texts until here, and read as numbers.
    pub fn section_of<T: DeserializeOwned>(
        &self,
        name: &str,
        without: &[&str],
        instead: &[(String, String)],
        shared: &[&str],
    ) -> Result<T, SettingsError> {
        let mut values: HashMap<String, Value> = self.0.get(name)?;
        values.retain(|key, _| !without.contains(&key.as_str()));
        for (key, text) in instead {
            if let Some(value) = values.get_mut(key) {
                *value = text.clone().into();
            }
        }
        for section in shared {
            values.insert((*section).to_owned(), self.0.get(section)?);
        }
        Ok(Value::new(None, values).try_deserialize()?)
    }

    /// The runtime's sections.
    pub fn runtime(&self) -> Result<RuntimeConfig, SettingsError> {
        Ok(self.0.clone().try_deserialize()?)
    }
}

/// `QUOIN__HTTP__BIND` is `bind` in `[http]`; `variables` stand in for the process's own in tests.
fn environment(variables: Option<HashMap<String, String>>) -> Environment {
    let layer = Environment::with_prefix("QUOIN").prefix_separator("__").separator("__");
    layer.source(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete() {
        Settings::load(&[], None).unwrap().runtime().unwrap();
    }

    #[test]
    fn later_layers_win() {
        #[derive(Deserialize)]
        struct Quote {
            approval_threshold: u32,
        }
        let settings =
            Settings::load(&["[quote]\napproval_threshold = 20", "[quote]\napproval_threshold = 25"], None).unwrap();
        assert_eq!(settings.section::<Quote>("quote").unwrap().approval_threshold, 25);
    }

    #[test]
    fn the_environment_wins_over_everything_and_is_typed() {
        let variables = [
            ("QUOIN__HTTP__BIND", "0.0.0.0:80"),
            ("QUOIN__HTTP__REQUEST_TIMEOUT_MS", "5"),
            ("QUOIN__LIMITS__ENABLED", "false"),
            ("QUOIN__AUTH__EXTERNAL_ISSUER", "007"),
            ("HTTP__BIND", "0.0.0.0:1"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let settings =
            Settings::layered(&["[http]\nrequest_timeout_ms = 7"], None, environment(Some(variables))).unwrap();
        let runtime = settings.runtime().unwrap();
        assert_eq!((runtime.http.bind.port(), runtime.http.request_timeout_ms), (80, 5));
        assert!(!runtime.limits.enabled);
        assert_eq!(runtime.auth.external_issuer, "007");
    }

    #[test]
    fn a_part_of_a_section_is_typed_too() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Order {
            task_lease_ms: u64,
            quote_url: String,
            shared: HashMap<String, u16>,
        }
        let defaults = "[shared]\nlimit = 7\n[order]\nurl = 'u'\ntask_lease_ms = 60000\nquote_url = 'http://default'";
        let variables = HashMap::from([("QUOIN__ORDER__TASK_LEASE_MS".to_owned(), "5000".to_owned())]);
        let settings = Settings::layered(&[defaults], None, environment(Some(variables))).unwrap();
        let instead = ["quote_url", "unknown_url"].map(|key| (key.to_owned(), "http://quote".to_owned()));
        let order: Order = settings.section_of("order", &["url"], &instead, &["shared"]).unwrap();
        assert_eq!((order.task_lease_ms, order.quote_url.as_str()), (5_000, "http://quote"));
        assert_eq!(order.shared["limit"], 7);
        let error = settings.section_of::<Order>("order", &[], &[], &["shared"]).unwrap_err();
        assert!(format!("{:?}", error.0).contains("url"), "what is left over is still an error: {error:?}");
    }

    #[test]
    fn an_unknown_setting_of_ours_is_an_error() {
        let settings = Settings::load(&["[http]\nrequest_timout_ms = 1"], None).unwrap();
        assert!(settings.runtime().is_err());
    }
}
