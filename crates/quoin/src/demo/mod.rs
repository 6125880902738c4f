//! The demo: a telecom catalog in two tenants, and a tour from the first search to a fulfilled order.
//!
//! Owns the demo's data (`demo/*.json`) and its script. Speaks only through the API, so everything it shows can be
//! repeated with curl; the one thing it does behind the API's back is to stop Redis.

mod data;
mod telling;
mod tour;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use dev_stack::Stack;
use service_runtime::Role;

use crate::{
    api::{Api, Credential, Endpoints, Person},
    people::{IDENTITIES, TENANTS},
};

/// How long a call of the tour is repeated while something passes: it stops servers on purpose.
const PATIENCE: Duration = Duration::from_secs(20);

/// The demo against one running product.
#[derive(Debug)]
pub struct Demo {
    url: String,
    anybody: Api,
}

impl Demo {
    /// The demo at a base URL whose development issuer is on.
    pub fn at(url: &str) -> anyhow::Result<Self> {
        let nobody = Credential::issued(Person::new(TENANTS[0], "nobody", &[]));
        let anybody = Api::new(Arc::new(Endpoints::single(url)), nobody, PATIENCE)?;
        Ok(Self { url: url.to_owned(), anybody })
    }

    /// The person of the demo with this role, in this tenant.
    fn person(&self, tenant: &str, role: Role) -> anyhow::Result<Api> {
        let identity = IDENTITIES.iter().find(|identity| identity.roles.contains(&role));
        let roles = identity.map(|identity| identity.roles).unwrap_or_default();
        self.person_with(tenant, role, roles)
    }

    /// The same person, with these roles instead.
    fn person_with(&self, tenant: &str, role: Role, roles: &[Role]) -> anyhow::Result<Api> {
        let identity = IDENTITIES.iter().find(|identity| identity.roles.contains(&role));
        let identity = identity.with_context(|| format!("nobody in the demo is {role}"))?;
        let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        Ok(self.anybody.acting_as(Credential::issued(Person::new(tenant, identity.subject, &roles))))
    }

    /// Loads both tenants. A second time changes nothing.
    pub async fn load(&self) -> anyhow::Result<()> {
        for tenant in data::tenants()? {
            let admin = self.person(&tenant.tenant, Role::TenantAdmin)?;
            tenant.load(&admin).await.with_context(|| format!("cannot load the demo tenant {}", tenant.tenant))?;
        }
        Ok(())
    }

    /// Walks through the product, step by step, and stops Redis on the way. Fails when anything is not as it should be.
    pub async fn tour(&self, stack: &Stack) -> anyhow::Result<()> {
        tour::walk(self, stack).await
    }

    /// Ready-made commands.
    pub fn how_to_go_on(&self) -> String {
        let url = &self.url;
        let tenant = TENANTS[0];
        format!(
            r#"
Everything stays up. To go on by hand:

  console      {url}
  a token      TOKEN=$(curl -s {url}/dev/v1/tokens -d '{{"tenant":"{tenant}","subject":"sales","roles":["salesRep"]}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
  catalog      curl -s -H "Authorization: Bearer $TOKEN" {url}/catalog/v1/publications/active
  price books  curl -s -H "Authorization: Bearer $TOKEN" {url}/pricing/v1/price-books
  quotes       curl -s -H "Authorization: Bearer $TOKEN" "{url}/quote/v1/quotes?limit=5"
  orders       curl -s -H "Authorization: Bearer $TOKEN" "{url}/order/v1/orders?limit=5"
  API          curl -s {url}/quote/v1/openapi.json
  real input   quoin import online-retail FILE --url {url}; quoin replay online-retail FILE --url {url} --limit 200

Ctrl-C ends everything.
"#
        )
    }
}
