//! The rate limits of the configuration, checked against the routes there are.
//!
//! Owns only that check: a policy for a route that nobody serves would protect nothing, and nobody would notice.

use anyhow::{Context, bail};
use http::Method;
use service_runtime::{Limits, LimitsConfig, RoutePattern};
use utoipa::openapi::path::PathItem;

use crate::services::Service;

/// The limits, or what is wrong with them.
pub fn in_force(config: &LimitsConfig) -> anyhow::Result<Limits> {
    let limits = Limits::new(config).context("the configuration is not usable")?;
    let named: Vec<_> = config.routes().collect();
    if named.is_empty() {
        return Ok(limits);
    }
    let served: Vec<(Method, String)> = Service::ALL.into_iter().flat_map(routes_of).collect();
    for (place, text) in named {
        let pattern: RoutePattern = text.parse().map_err(anyhow::Error::msg)?;
        if !served.iter().any(|(method, route)| pattern.matches(method, route)) {
            bail!("limits.{place}: no service has a route `{text}`; docs/api lists them");
        }
    }
    Ok(limits)
}

fn routes_of(service: Service) -> Vec<(Method, String)> {
    let methods = |item: &PathItem| {
        let known = [
            (Method::GET, item.get.is_some()),
            (Method::POST, item.post.is_some()),
            (Method::PUT, item.put.is_some()),
            (Method::PATCH, item.patch.is_some()),
            (Method::DELETE, item.delete.is_some()),
        ];
        known.into_iter().filter_map(|(method, there)| there.then_some(method)).collect::<Vec<_>>()
    };
    let paths = service.openapi().paths.paths;
    paths.into_iter().flat_map(|(path, item)| methods(&item).into_iter().map(move |m| (m, path.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_defaults_name_routes_that_are_served() {
        let config = Config::load(None).unwrap();
        assert!(config.runtime.limits.routes().count() > 3, "the classes of expensive operations");
        in_force(&config.runtime.limits).unwrap();
    }

    #[test]
    fn a_route_that_nobody_serves_stops_the_start() {
        let mut config = Config::load(None).unwrap();
        let routes = vec!["POST /catalog/v1/import".to_owned()];
        config.runtime.limits.classes.insert("imports".to_owned(), routes);
        let error = in_force(&config.runtime.limits).unwrap_err().to_string();
        assert_eq!(
            error,
            "limits.classes.imports: no service has a route `POST /catalog/v1/import`; docs/api lists them"
        );
    }
}
