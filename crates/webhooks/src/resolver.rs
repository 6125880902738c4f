//! Where a host is, asked by ourselves: an address that is not allowed is never connected to, whatever the name says.
//!
//! The client connects to the addresses this resolver answers and to no other, so a name that points elsewhere between the
//! look and the connection (DNS rebinding) gains nothing.

use std::{io, net::SocketAddr, time::Duration};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::rules::{
    address::is_public,
    callback::{CallbackFault, spelled_out},
};

/// How long looking up a name may take.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those on the internet.
    Public,
    /// Any, for development.
    Anywhere,
}

impl Reach {
    fn admits(self, address: SocketAddr) -> bool {
        self == Self::Anywhere || is_public(address.ip())
    }

    /// Where the host of a callback is: all of its addresses, if each is allowed. One that is not spoils the others.
    pub async fn find(self, callback: &Url) -> Result<Vec<SocketAddr>, CallbackFault> {
        let port = callback.port_or_known_default().unwrap_or_default();
        match spelled_out(callback) {
            Some(address) => self.checked(vec![SocketAddr::new(address, port)]),
            None => self.look_up(callback.host_str().unwrap_or_default(), port).await,
        }
    }

    async fn look_up(self, host: &str, port: u16) -> Result<Vec<SocketAddr>, CallbackFault> {
        let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((host, port))).await;
        let found = found.map_err(|_| CallbackFault::Unknown)?.map_err(|_| CallbackFault::Unknown)?;
        self.checked(found.collect())
    }

    fn checked(self, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, CallbackFault> {
        if addresses.is_empty() {
            return Err(CallbackFault::Unknown);
        }
        if addresses.iter().all(|address| self.admits(*address)) { Ok(addresses) } else { Err(CallbackFault::Address) }
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = *self;
        Box::pin(async move {
            let found = reach.look_up(name.as_str(), 0).await;
            let addresses =
                found.map_err(|fault| io::Error::new(io::ErrorKind::AddrNotAvailable, fault.to_string()))?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(reach: Reach, callback: &str) -> Result<usize, CallbackFault> {
        reach.find(&callback.parse().unwrap()).await.map(|found| found.len())
    }

    #[tokio::test]
    async fn a_name_counts_as_what_it_points_to() {
        assert_eq!(find(Reach::Public, "https://localhost/").await, Err(CallbackFault::Address));
        assert!(find(Reach::Anywhere, "https://localhost/").await.is_ok());
        assert_eq!(find(Reach::Public, "https://127.0.0.1/").await, Err(CallbackFault::Address));
        assert_eq!(find(Reach::Public, "https://[::ffff:10.0.0.1]/").await, Err(CallbackFault::Address));
        assert_eq!(find(Reach::Public, "https://1.1.1.1/").await, Ok(1));
        assert_eq!(find(Reach::Public, "https://no-such-host.invalid/").await, Err(CallbackFault::Unknown));
    }

    #[tokio::test]
    async fn the_client_cannot_be_led_to_a_forbidden_address() {
        let http =
            reqwest::Client::builder().no_proxy().dns_resolver(std::sync::Arc::new(Reach::Public)).build().unwrap();
        let error = http.get("http://localhost:9/").send().await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        assert!(format!("{error:?}").contains(&CallbackFault::Address.to_string()), "{error:?}");
    }

    #[test]
    fn one_forbidden_address_spoils_the_others() {
        let addresses = |list: &[&str]| list.iter().map(|it| it.parse().unwrap()).collect::<Vec<SocketAddr>>();
        assert!(Reach::Public.checked(addresses(&["1.1.1.1:443", "8.8.8.8:443"])).is_ok());
        assert_eq!(Reach::Public.checked(addresses(&["1.1.1.1:443", "10.0.0.1:443"])), Err(CallbackFault::Address));
    }
}
