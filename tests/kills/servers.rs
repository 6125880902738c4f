//! PostgreSQL and Kafka, killed in turns as the sales go on, and started again at once.

use anyhow::Result;
use dev_stack::Server;

use crate::{
    crew::Crew,
    scale::Scale,
    tally::{Cause, Tally},
};

/// Kills each of them as often as the scale says, spread over the sales.
pub async fn strike(crew: &Crew, scale: Scale, postgres: &Server, kafka: &Server) -> Result<()> {
    let mut sold = crew.sold.subscribe();
    let strikes = 2 * scale.server_kills;
    for strike in 0..strikes {
        let at = scale.sales * (strike + 1) / (strikes + 1);
        if sold.wait_for(|sold| *sold >= at).await.is_err() {
            break;
        }
        let (server, cause) = if strike % 2 == 0 { (kafka, Cause::Kafka) } else { (postgres, Cause::Postgres) };
        flicker(server, cause, &crew.tally).await?;
    }
    Ok(())
}

async fn flicker(server: &Server, cause: Cause, tally: &Tally) -> Result<()> {
    server.stop().await?;
    tally.killed(cause);
    server.start().await?;
    // It answers; whether those who need it have noticed shows in what is counted in the end.
    tally.recovered(cause);
    Ok(())
}
