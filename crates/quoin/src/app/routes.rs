//! The public side: the services' routers, and in development the issuer; behind them all, the console.

use axum::Router;

use super::{Parts, console, identities};
use crate::{config::Duty, services::Service};

/// Everything a browser or a client may ask.
pub fn public(parts: &Parts, services: &[Service]) -> anyhow::Result<Router> {
    let mut router = Router::new();
    for service in services {
        let pool = parts.pool(*service, Duty::Serve)?;
        router = router.merge(service.router(parts.state(*service, pool), &parts.config)?);
    }
    if parts.config.development.issuer {
        router = router.merge(identities::router(&parts.identity));
    }
    Ok(router.merge(console::router(&parts.config.web.folder)))
}
