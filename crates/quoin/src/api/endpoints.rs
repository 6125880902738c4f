//! Where the services answer.

use std::collections::BTreeMap;

use super::ApiError;

/// Base addresses by the first word of the path; one address may serve all.
#[derive(Debug, Clone)]
pub struct Endpoints {
    everything_else: Option<String>,
    by_service: BTreeMap<String, String>,
}

impl Endpoints {
    /// One address for every service, as in `quoin dev` or behind one entry.
    pub fn single(url: &str) -> Self {
        Self { everything_else: Some(trimmed(url)), by_service: BTreeMap::new() }
    }

    /// Another address for one service.
    #[must_use]
    pub fn with(mut self, service: &str, url: &str) -> Self {
        self.by_service.insert(service.to_owned(), trimmed(url));
        self
    }

    /// The full address of a path such as `/quote/v1/quotes`.
    pub fn url(&self, path: &str) -> Result<String, ApiError> {
        let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let base = self.by_service.get(service).or(self.everything_else.as_ref());
        base.map(|base| format!("{base}{path}")).ok_or_else(|| ApiError::UnknownService(path.to_owned()))
    }
}

fn trimmed(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_the_path_chooses_the_address() {
        let endpoints = Endpoints::single("http://all:1/").with("order", "http://orders:2");
        assert_eq!(endpoints.url("/quote/v1/quotes").unwrap(), "http://all:1/quote/v1/quotes");
        assert_eq!(endpoints.url("/order/v1/orders").unwrap(), "http://orders:2/order/v1/orders");
    }
}
