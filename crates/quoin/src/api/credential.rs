//! Who speaks: a token that was given, or one fetched from the development issuer and renewed when it is refused.

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{ApiError, Endpoints};

/// Where the development issuer answers.
const ISSUER_PATH: &str = "/dev/v1/tokens";

/// A person the development issuer vouches for.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// Tenant.
    pub tenant: String,
    /// Stable name, the token's `sub`.
    pub subject: String,
    /// Roles, as tokens spell them.
    pub roles: Vec<String>,
}

impl Person {
    /// A person of a tenant with these roles.
    pub fn new(tenant: &str, subject: &str, roles: &[&str]) -> Self {
        Self {
            tenant: tenant.to_owned(),
            subject: subject.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        }
    }
}

/// Where the bearer token comes from.
#[derive(Debug)]
pub enum Credential {
    /// A token somebody issued; it cannot be renewed here.
    Given(SecretString),
    /// Tokens of the development issuer.
    Issued {
        /// For whom.
        person: Person,
        /// The token in use.
        current: Mutex<Option<SecretString>>,
    },
}

#[derive(Deserialize)]
struct Issued {
    token: SecretString,
}

impl Credential {
    /// Tokens for this person, fetched when first needed.
    pub fn issued(person: Person) -> Self {
        Self::Issued { person, current: Mutex::new(None) }
    }

    pub(super) async fn token(&self, http: &Client, endpoints: &Endpoints) -> Result<String, ApiError> {
        match self {
            Self::Given(token) => Ok(token.expose_secret().to_owned()),
            Self::Issued { person, current } => {
                let mut current = current.lock().await;
                let token = match current.take() {
                    Some(token) => token,
                    None => issue(http, endpoints, person).await?,
                };
                Ok(current.insert(token).expose_secret().to_owned())
            }
        }
    }

    /// Drops the token in use, so that the next call fetches another.
    pub(super) async fn forget(&self) {
        if let Self::Issued { current, .. } = self {
            *current.lock().await = None;
        }
    }
}

async fn issue(http: &Client, endpoints: &Endpoints, person: &Person) -> Result<SecretString, ApiError> {
    let sent = http.post(endpoints.url(ISSUER_PATH)?).json(person).send().await;
    let response = sent.map_err(ApiError::Unreachable)?;
    if !response.status().is_success() {
        return Err(ApiError::refused(format!("POST {ISSUER_PATH}"), response).await);
    }
    Ok(response.json::<Issued>().await.map_err(ApiError::Unreachable)?.token)
}
