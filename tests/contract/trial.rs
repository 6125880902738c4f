//! The trial of one operation after the other, and what was found.

use std::{fmt, time::Instant};

use anyhow::Result;
use quoin::services::Service;
use reqwest::Method;
use serde_json::Value;

use crate::{
    body_faults,
    chance::Chance,
    document::{Document, Operation, Place},
    judge::{self, Expect, short},
    ledger::Mark,
    request_faults,
    sample::Sampler,
    stage::{self, Good, bodies},
    wire::{Call, Reply},
    world::World,
};

/// Bodies at random an operation gets.
const SAMPLES: usize = 12;

/// What was tried and found so far.
#[derive(Default)]
pub struct Trial {
    /// Operations tried.
    pub operations: usize,
    /// Calls sent.
    pub calls: usize,
    /// Calls let in.
    pub let_in: usize,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// One thing to be tried: what is made of the good call, and what must come of it.
struct Attempt {
    name: String,
    act: Act,
    expect: Expect,
}

/// What is made of a good call.
enum Act {
    /// Something outside its body is changed.
    Call(request_faults::Change),
    /// Something in its body is changed.
    Body(body_faults::Change),
    /// It has another body.
    Sample(Vec<u8>),
}

impl Attempt {
    fn call(&self, good: &Good) -> Call {
        match &self.act {
            Act::Call(change) => change.applied_to(&good.call),
            Act::Body(change) => {
                good.call.clone().with_bytes(change.applied_to(good.body.as_ref().unwrap_or(&Value::Null)))
            }
            Act::Sample(bytes) => good.call.clone().with_bytes(bytes.clone()),
        }
    }
}

impl Trial {
    /// Tries every operation of a service.
    pub async fn service(&mut self, world: &mut World, service: Service) -> Result<()> {
        let document = world.document(service).await?;
        for operation in document.operations()? {
            let started = Instant::now();
            let before = self.calls;
            self.operation(world, &document, &operation).await?;
            println!("{:>6} calls {:>6} ms  {}", self.calls - before, started.elapsed().as_millis(), operation.name());
        }
        Ok(())
    }

    async fn operation(&mut self, world: &mut World, document: &Document, operation: &Operation) -> Result<()> {
        self.operations += 1;
        let mut good = stage::set(world, operation).await?;
        let mut mark = world.ledger.mark().await?;
        for attempt in attempts(world, document, operation, &good) {
            let call = attempt.call(&good);
            let reply = self.tried(world, operation, &attempt, &call, &mut mark).await?;
            if !reply.refused() && !operation.is_safe() {
                // The thing has changed, or its name is taken: the next attempt gets another one.
                good = stage::set(world, operation).await?;
                mark = world.ledger.mark().await?;
            }
        }
        self.good_is_let_in(world, operation, &good).await
    }

    async fn tried(
        &mut self,
        world: &mut World,
        operation: &Operation,
        attempt: &Attempt,
        call: &Call,
        mark: &mut Mark,
    ) -> Result<Reply> {
        self.calls += 1;
        let reply = world.wire.send(call).await?;
        let mut faults = judge::faults(operation, call, &attempt.expect, &reply);
        if (reply.refused() || attempt.expect == Expect::Harmless) && !operation.is_safe() {
            let written = world.ledger.written_since(*mark).await?;
            if !written.is_empty() {
                faults.push(format!("it wrote {}", written.join(", ")));
                *mark = world.ledger.mark().await?;
            }
        }
        self.let_in += usize::from(!reply.refused());
        self.found(operation, &attempt.name, &reply, faults);
        Ok(reply)
    }

    async fn good_is_let_in(&mut self, world: &World, operation: &Operation, good: &Good) -> Result<()> {
        self.calls += 1;
        let reply = world.wire.send(&good.call).await?;
        let expect = good.answer.map_or(Expect::Documented, Expect::Status);
        let mut faults = judge::faults(operation, &good.call, &expect, &reply);
        if good.answer.is_none() && reply.refused() {
            faults.push("the good call is refused: the bad ones prove nothing".to_owned());
        }
        self.found(operation, "nothing is wrong", &reply, faults);
        Ok(())
    }

    fn found(&mut self, operation: &Operation, attempt: &str, reply: &Reply, faults: Vec<String>) {
        let body = short(&String::from_utf8_lossy(&reply.body));
        let line = |fault: String| format!("{}: {attempt}\n    {} {fault}\n    {body}", operation.name(), reply.status);
        self.faults.extend(faults.into_iter().map(line));
    }

    /// What is wrong, as much of it as anybody reads.
    pub fn verdict(&self) -> String {
        const READ: usize = 20_000;
        let shown: Vec<&str> = self.faults.iter().take(READ).map(String::as_str).collect();
        format!("{} faults in {self}\n{}", self.faults.len(), shown.join("\n"))
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} operations, {} calls, {} of them let in", self.operations, self.calls, self.let_in)
    }
}

/// Everything to be tried on an operation, the same in every run but for ids.
fn attempts(world: &World, document: &Document, operation: &Operation, good: &Good) -> Vec<Attempt> {
    let mut chance = Chance::of(&operation.name());
    let mut attempts = people(world, operation);
    let calls = request_faults::of(operation, &good.call, &mut chance).into_iter();
    attempts.extend(calls.map(|it| Attempt { name: it.name, act: Act::Call(it.change), expect: it.expect }));
    if good.answer.is_some() {
        attempts.iter_mut().filter(|it| it.expect == Expect::LetIn).for_each(|it| it.expect = Expect::Documented);
    }
    let (Some(shape), Some(body)) = (&operation.body, &good.body) else { return attempts };
    let faults = body_faults::of(body, shape, &mut chance).into_iter();
    attempts.extend(faults.map(|it| Attempt { name: it.name, act: Act::Body(it.change), expect: it.expect }));
    let known = bodies::known(&world.shop);
    let mut sampler = Sampler { document, known: &known, chance };
    attempts.extend((0..SAMPLES).map(|number| {
        let sample = sampler.value(&shape.schema).to_string();
        let name = format!("sample {number}: {}", short(&sample));
        Attempt { name, act: Act::Sample(sample.into_bytes()), expect: Expect::Documented }
    }));
    attempts
}

/// Other people with the same call: whoever has no role changes nothing; another tenant's things do not exist.
fn people(world: &World, operation: &Operation) -> Vec<Attempt> {
    let called_by = |who: &str, token: &str, expect: Expect| Attempt {
        name: format!("called by {who}"),
        act: Act::Call(request_faults::Change::Authorization(Some(token.to_owned()))),
        expect,
    };
    let mut attempts = vec![called_by("somebody without a role", &world.people.visitor, Expect::Harmless)];
    let names_a_thing = operation.parameters_in(Place::Path).count() > 0 && operation.method != Method::PUT;
    if names_a_thing {
        attempts.push(called_by("another tenant", &world.people.stranger, Expect::Status(404)));
    }
    attempts
}
