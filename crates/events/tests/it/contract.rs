//! The in-process bus keeps the contract of a log.

use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use dev_stack::test::unique_name;
use events::{InProcessBus, Publisher, Source, contract_suite};

struct InProcess(InProcessBus);

#[async_trait]
impl contract_suite::Log for InProcess {
    async fn topic(&self) -> String {
        unique_name("topic")
    }

    async fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.0.clone())
    }

    async fn source(&self) -> Box<dyn Source> {
        self.0.source()
    }
}

#[tokio::test]
async fn the_in_process_bus_keeps_the_contract() -> Result<()> {
    contract_suite::run(&InProcess(InProcessBus::new())).await.map_err(anyhow::Error::from_boxed)
}
