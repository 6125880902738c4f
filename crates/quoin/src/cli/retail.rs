//! What the commands over the online-retail file have in common: where the API is, and who speaks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::{
    api::{Api, Credential, Endpoints, Person},
    people::RETAIL_TENANT,
    replay::Speakers,
};

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// UCI "Online Retail", CSV, gzipped or plain
    OnlineRetail,
}

/// The file and the API it goes through.
#[derive(Debug, Args)]
pub struct Target {
    /// What kind of file it is
    pub format: Format,
    /// The file
    pub file: PathBuf,
    /// Where the services answer
    #[arg(long, env = "QUOIN_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// For which tenant
    #[arg(long, default_value = RETAIL_TENANT)]
    tenant: String,
    /// A token to speak with; without one the development issuer at the URL is asked
    #[arg(long, env = "QUOIN_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// Seconds a call is repeated while a service or its database is away
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// For machines
    #[arg(long)]
    pub json: bool,
}

impl Target {
    /// The API, spoken by somebody with these roles.
    pub fn api(&self, subject: &str, roles: &[&str]) -> anyhow::Result<Api> {
        let credential = self.credential(self.token.as_ref(), subject, roles);
        Ok(Api::new(Arc::new(Endpoints::single(&self.url)), credential, Duration::from_secs(self.patience))?)
    }

    /// The two people of a replay.
    pub fn speakers(&self, approver_token: Option<&SecretString>) -> anyhow::Result<Speakers> {
        let requester = self.api(Speakers::REQUESTER, &Speakers::REQUESTER_ROLES)?;
        let approver = self.credential(approver_token, Speakers::APPROVER, &Speakers::APPROVER_ROLES);
        Ok(Speakers { approver: requester.acting_as(approver), requester })
    }

    fn credential(&self, token: Option<&SecretString>, subject: &str, roles: &[&str]) -> Credential {
        match token {
            Some(token) => Credential::Given(token.clone()),
            None => Credential::issued(Person::new(&self.tenant, subject, roles)),
        }
    }
}
