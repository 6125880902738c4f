//! `quoin token`.

use chrono::TimeDelta;
use clap::Args;
use kernel::TenantId;
use service_runtime::{Role, Roles, auth::Identity};

use super::Verdict;
use crate::config::Config;

/// A working day.
const DEFAULT_TTL_MINUTES: u32 = 8 * 60;

#[derive(Debug, Args)]
pub struct TokenArgs {
    /// For this tenant
    #[arg(long)]
    tenant: TenantId,
    /// The person, the token's `sub`
    #[arg(long)]
    subject: String,
    /// A role; may be repeated
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<Role>,
    /// Minutes the token is valid
    #[arg(long, value_name = "MINUTES", default_value_t = DEFAULT_TTL_MINUTES)]
    ttl: u32,
    /// For machines
    #[arg(long)]
    json: bool,
}

pub async fn run(args: TokenArgs, config: Config) -> anyhow::Result<Verdict> {
    anyhow::ensure!(
        !config.runtime.auth.issuer_key_file.as_os_str().is_empty(),
        "name the key the services trust in QUOIN__AUTH__ISSUER_KEY_FILE"
    );
    let identity = Identity::from_config(&config.runtime.auth, std::sync::Arc::new(kernel::SystemClock)).await?;
    let roles: Roles = args.roles.into_iter().collect();
    let token = identity.issuer.issue(&args.tenant, &args.subject, roles, TimeDelta::minutes(args.ttl.into()))?;
    if args.json {
        println!("{}", serde_json::json!({ "token": token.expose(), "ttlMinutes": args.ttl }));
    } else {
        println!("{}", token.expose());
    }
    Ok(Verdict::Holds)
}
