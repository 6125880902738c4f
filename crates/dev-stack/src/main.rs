//! `dev-stack up|down|status|env|database`: the shared servers of the tests, by hand and for the Makefile.

use std::process::ExitCode;

use anyhow::Result;
use dev_stack::{Component, shared_state, stop_shared, test};

const USAGE: &str = "usage: dev-stack up | down | status | env | database
  up        start the servers that all tests share, or find those that run
  down      end them
  status    say which of them answer
  env       print them as shell variables: eval \"$(dev-stack env)\"
  database  make a database with all migrations and print its URL; it lives as long as the shared PostgreSQL";

#[tokio::main]
async fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let outcome = match command.as_str() {
        "up" => up().await,
        "down" => stop_shared().await,
        "status" => status().await,
        "env" => environment().await,
        "database" => database().await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn up() -> Result<()> {
    let (postgres, redis, kafka) = tokio::join!(test::postgres(), test::redis(), test::kafka());
    for url in [postgres, redis, kafka] {
        url?;
    }
    status().await
}

async fn status() -> Result<()> {
    let shared = shared_state().await;
    for component in Component::ALL {
        match std::env::var(component.test_url_variable()) {
            Ok(_) => println!("  {component:<11} external, from {}", component.test_url_variable()),
            Err(_) => match shared.iter().find(|state| state.component == component) {
                Some(state) => println!("  {component:<11} {} at {}:{}", state.origin, state.host, state.port),
                None => println!("  {component:<11} not running"),
            },
        }
    }
    Ok(())
}

async fn environment() -> Result<()> {
    for state in shared_state().await {
        println!("export {}={}", state.component.test_url_variable(), state.url());
    }
    Ok(())
}

async fn database() -> Result<()> {
    let database = test::whole_database().await?;
    println!("{}", database.admin_url());
    std::mem::forget(database); // its destructor would drop what was asked for
    Ok(())
}
