//! The three components of the stack and every name that hangs on them: environment variables, images, ports.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One server of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The authority.
    Postgres,
    /// The accelerator.
    Redis,
    /// The log of facts.
    Kafka,
}

impl Component {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Redis, Self::Kafka];

    /// Lower-case name used in file names and container labels.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
        }
    }

    /// The variable that names a server which already runs and may be used by `quoin dev`.
    pub const fn url_variable(self) -> &'static str {
        match self {
            Self::Postgres => "QUOIN_POSTGRES_URL",
            Self::Redis => "QUOIN_REDIS_URL",
            Self::Kafka => "QUOIN_KAFKA_BROKERS",
        }
    }

    /// The variable that names a server which already runs and whose content tests may throw away.
    pub const fn test_url_variable(self) -> &'static str {
        match self {
            Self::Postgres => "QUOIN_TEST_POSTGRES_URL",
            Self::Redis => "QUOIN_TEST_REDIS_URL",
            Self::Kafka => "QUOIN_TEST_KAFKA_BROKERS",
        }
    }

    /// The variable that replaces [`Self::default_image`].
    pub const fn image_variable(self) -> &'static str {
        match self {
            Self::Postgres => "QUOIN_IMAGE_POSTGRES",
            Self::Redis => "QUOIN_IMAGE_REDIS",
            Self::Kafka => "QUOIN_IMAGE_KAFKA",
        }
    }

    /// The official image. The tags are the oldest versions supported, which are also what Debian 12 packages, so that
    /// `deploy/local-images/build` can make images of the same names and contents where none can be pulled.
    pub const fn default_image(self) -> &'static str {
        match self {
            Self::Postgres => "postgres:15",
            Self::Redis => "redis:7.0",
            Self::Kafka => "apache/kafka:4.1.1",
        }
    }

    /// The image to use: the variable, else the default.
    pub(crate) fn image(self) -> String {
        crate::settings::variable(self.image_variable()).unwrap_or_else(|| self.default_image().to_owned())
    }

    /// The port the server listens on inside its container.
    pub(crate) const fn container_port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Redis => 6379,
            Self::Kafka => 9092,
        }
    }

    /// How a client addresses this component at `host:port`.
    pub(crate) fn url(self, host: &str, port: u16) -> String {
        match self {
            Self::Postgres => format!("postgres://postgres:postgres@{host}:{port}/postgres"),
            Self::Redis => format!("redis://{host}:{port}"),
            Self::Kafka => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
            Self::Kafka => "Kafka",
        })
    }
}
