//! One stack for one program: `quoin dev`, a bench, a fault test that needs servers of its own.

use std::fmt;

use anyhow::{Result, anyhow};

use crate::component::Component;
use crate::keeper::Lifetime;
use crate::server::Server;
use crate::settings::{Durability, Source, variable};

/// Whether a component must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Without it the stack does not start.
    Required,
    /// Without it the stack starts, and [`Stack::describe`] says why it is absent.
    Optional,
    /// Not started.
    No,
}

/// What a program wants of the stack.
#[derive(Debug, Clone, Copy)]
pub struct StackRequest {
    /// The authority.
    pub postgres: Need,
    /// The accelerator.
    pub redis: Need,
    /// The log of facts.
    pub kafka: Need,
    /// Whether data must survive a power cut, at its price in time.
    pub durability: Durability,
}

impl StackRequest {
    /// What `quoin dev` asks for: it goes on without Redis (memory store) and without Kafka (in-process bus).
    pub fn for_development() -> Self {
        Self {
            postgres: Need::Required,
            redis: Need::Optional,
            kafka: Need::Optional,
            durability: Durability::Throwaway,
        }
    }

    /// All three, or an error.
    pub fn everything() -> Self {
        Self {
            postgres: Need::Required,
            redis: Need::Required,
            kafka: Need::Required,
            durability: Durability::Throwaway,
        }
    }

    fn need(self, component: Component) -> Need {
        match component {
            Component::Postgres => self.postgres,
            Component::Redis => self.redis,
            Component::Kafka => self.kafka,
        }
    }
}

/// Running servers that end with this value.
#[derive(Debug, Default)]
pub struct Stack {
    postgres: Option<Server>,
    redis: Option<Server>,
    kafka: Option<Server>,
    absent: Vec<(Component, String)>,
}

impl Stack {
    /// Starts the requested components side by side.
    pub async fn start(request: StackRequest) -> Result<Self> {
        let (postgres, redis, kafka) = tokio::join!(
            one(Component::Postgres, request),
            one(Component::Redis, request),
            one(Component::Kafka, request)
        );
        let mut stack = Self::default();
        stack.postgres = stack.keep(postgres?);
        stack.redis = stack.keep(redis?);
        stack.kafka = stack.keep(kafka?);
        Ok(stack)
    }

    fn keep(&mut self, outcome: Outcome) -> Option<Server> {
        match outcome {
            Outcome::Running(server) => Some(*server),
            Outcome::NotWanted => None,
            Outcome::Absent(component, reason) => {
                self.absent.push((component, reason));
                None
            }
        }
    }

    /// URL of an account that may create roles and databases. An error when PostgreSQL was not asked for.
    pub fn postgres_url(&self) -> Result<&str> {
        self.postgres.as_ref().map(Server::url).ok_or_else(|| anyhow!("this stack was started without PostgreSQL"))
    }

    /// URL of Redis, when it is there.
    pub fn redis_url(&self) -> Option<&str> {
        self.redis.as_ref().map(Server::url)
    }

    /// Bootstrap servers of Kafka, when it is there.
    pub fn kafka_brokers(&self) -> Option<&str> {
        self.kafka.as_ref().map(Server::url)
    }

    /// The server of a component, to stop it and start it again.
    pub fn server(&self, component: Component) -> Option<&Server> {
        match component {
            Component::Postgres => self.postgres.as_ref(),
            Component::Redis => self.redis.as_ref(),
            Component::Kafka => self.kafka.as_ref(),
        }
    }

    /// How each component came to be, or why it is absent: one pair a component, for the banner.
    pub fn describe(&self) -> Vec<(Component, String)> {
        let running = Component::ALL.into_iter().filter_map(|component| {
            let server = self.server(component)?;
            Some((component, format!("{} at {}", server.origin(), without_password(server.url()))))
        });
        let absent = self.absent.iter().map(|(component, reason)| (*component, format!("absent: {reason}")));
        running.chain(absent).collect()
    }

    /// Ends every server this stack started and waits until they are gone. Dropping the stack does the same.
    pub async fn stop(self) -> Result<()> {
        tokio::task::spawn_blocking(move || drop(self)).await?;
        Ok(())
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (component, how) in self.describe() {
            writeln!(f, "  {component:<11} {how}")?;
        }
        Ok(())
    }
}

enum Outcome {
    Running(Box<Server>),
    Absent(Component, String),
    NotWanted,
}

async fn one(component: Component, request: StackRequest) -> Result<Outcome> {
    let need = request.need(component);
    if need == Need::No {
        return Ok(Outcome::NotWanted);
    }
    let name = component.url_variable();
    if let Some(url) = variable(name) {
        return Ok(Outcome::Running(Box::new(Server::external(component, name, url))));
    }
    match Server::obtain(component, Source::from_environment()?, request.durability, &Lifetime::Owned).await {
        Ok(server) => Ok(Outcome::Running(Box::new(server))),
        Err(error) if need == Need::Optional => Ok(Outcome::Absent(component, format!("{error:#}"))),
        Err(error) => Err(error),
    }
}

/// A URL fit for a banner.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((account, address)) = rest.rsplit_once('@') else { return url.to_owned() };
    let user = account.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{address}")
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_banner_shows_no_password() {
        assert_eq!(without_password("postgres://quoin:secret@db:5432/quoin"), "postgres://quoin@db:5432/quoin");
        assert_eq!(without_password("redis://127.0.0.1:6379"), "redis://127.0.0.1:6379");
        assert_eq!(without_password("broker-1:9092,broker-2:9092"), "broker-1:9092,broker-2:9092");
    }
}
