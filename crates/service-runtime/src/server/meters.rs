//! Request durations by route, method and status class. Handles are kept: registering by label on every request would cost
//! more than the request's own work.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use http::{Method, StatusCode};
use metrics::Histogram;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "other"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Default)]
struct RouteMeters([[OnceLock<Histogram>; CLASSES.len()]; METHODS.len()]);

/// One histogram for each route, method and status class seen.
#[derive(Default)]
pub(super) struct Meters {
    by_route: RwLock<HashMap<Box<str>, Arc<RouteMeters>>>,
}

impl Meters {
    pub(super) fn record(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let method = METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1);
        let class = (usize::from(status.as_u16()) / 100).clamp(1, CLASSES.len()) - 1;
        let meters = self.of(route);
        let (Some(method_name), Some(class_name)) = (METHODS.get(method), CLASSES.get(class)) else { return };
        let histogram = meters.0.get(method).and_then(|classes| classes.get(class)).map(|cell| {
            cell.get_or_init(|| {
                metrics::histogram!(
                    "http_request_duration_seconds",
                    "route" => route.to_owned(), "method" => *method_name, "status" => *class_name
                )
            })
        });
        if let Some(histogram) = histogram {
            histogram.record(took.as_secs_f64());
        }
    }

    /// Routes come from the router's own table, so their number is bounded.
    fn of(&self, route: &str) -> Arc<RouteMeters> {
        if let Some(known) = self.by_route.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return Arc::clone(known);
        }
        let mut by_route = self.by_route.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(by_route.entry(route.into()).or_default())
    }
}
