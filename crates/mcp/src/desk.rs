//! Carries out an action: parameters in, API calls out, an answer back.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    action::{self, Actor, Call, Problem, table::Action},
    carrier::{ApiReply, ApiRequest, Caller, Carrier, CarrierError, Method},
    reply::Answer,
};

/// A call that asks us to come back within this time is waited for, once (contract section 1.2, status 429).
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A carrier has its own time limits; this one only keeps a broken carrier from holding a call for ever.
const LONGEST_CALL: Duration = Duration::from_secs(180);
/// Calls in flight at once over one connection or server; more wait their turn.
const MOST_CALLS: usize = 64;

/// Carries out actions through a [`Carrier`].
#[derive(Clone)]
pub(crate) struct Desk {
    carrier: Arc<dyn Carrier>,
    places: Arc<Semaphore>,
}

impl Desk {
    pub(crate) fn new(carrier: Arc<dyn Carrier>) -> Self {
        Self {
            carrier,
            places: Arc::new(Semaphore::new(MOST_CALLS)),
        }
    }

    /// Carries out the action that `arguments` name, as `actor`, for `caller`.
    pub(crate) async fn act(
        &self,
        arguments: &Map<String, Value>,
        actor: &Actor,
        caller: Caller,
    ) -> Answer {
        let action = match chosen(arguments) {
            Ok(action) => action,
            Err(problem) => return Answer::invalid(None, &[problem]),
        };
        let (key, plan) = match (key(arguments), action::plan(action, arguments, actor)) {
            (Ok(key), Ok(plan)) => (key, plan),
            (key, plan) => {
                let mut problems = plan.err().unwrap_or_default();
                problems.extend(key.err());
                return Answer::invalid(Some(action), &problems);
            }
        };
        let asks_first = plan.first.method == Method::Get;
        let first = match self.send(plan.first, &key, caller.clone()).await {
            Ok(reply) => reply,
            Err(failure) => return Answer::unreachable(&failure),
        };
        let then = plan.then.filter(|_| first.is_success());
        let Some(second) = then.and_then(|then| then(&first.body)) else {
            return Answer::from_reply(first);
        };
        let answer = match self.send(second, &second_key(&key), caller).await {
            Ok(reply) => Answer::from_reply(reply),
            Err(failure) => Answer::unreachable(&failure),
        };
        if answer.is_error && !asks_first {
            answer.with_earlier(&first.body)
        } else {
            answer
        }
    }

    /// Reads `path` for `caller`.
    pub(crate) async fn read(
        &self,
        path: String,
        caller: Caller,
    ) -> Result<ApiReply, CarrierError> {
        self.send(Call::get(path), "", caller).await
    }

    async fn send(&self, call: Call, key: &str, caller: Caller) -> Result<ApiReply, CarrierError> {
        let ending = |_| CarrierError::Unreachable("this service is ending".to_owned());
        let _place = self.places.acquire().await.map_err(ending)?;
        let request = ApiRequest {
            method: call.method,
            path_and_query: call.path,
            body: call.body,
            idempotency_key: (call.method != Method::Get).then(|| key.to_owned()),
            caller,
        };
        let reply = self.carry(request.clone()).await?;
        match reply
            .retry_after
            .filter(|wait| reply.status == 429 && *wait <= LONGEST_WAIT)
        {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                self.carry(request).await
            }
            None => Ok(reply),
        }
    }

    async fn carry(&self, request: ApiRequest) -> Result<ApiReply, CarrierError> {
        tokio::time::timeout(LONGEST_CALL, self.carrier.call(request))
            .await
            .unwrap_or(Err(CarrierError::TimedOut(LONGEST_CALL)))
    }
}

fn chosen(arguments: &Map<String, Value>) -> Result<Action, Problem> {
    let problem = |said: &str| {
        let names = Action::names().collect::<Vec<_>>().join(", ");
        Problem {
            field: "action".to_owned(),
            message: format!("{said}; it must be one of {names}"),
        }
    };
    match arguments.get("action") {
        None | Some(Value::Null) => Err(problem("is missing")),
        Some(Value::String(name)) => Action::parse(name).ok_or_else(|| problem("is not known")),
        Some(_) => Err(problem("is not a text")),
    }
}

/// The caller's idempotency key, or a new one (contract section 1.3).
fn key(arguments: &Map<String, Value>) -> Result<String, Problem> {
    let problem = || Problem {
        field: "idempotencyKey".to_owned(),
        message: "must be a text of 1 to 255 printable ASCII characters".to_owned(),
    };
    match arguments.get("idempotencyKey") {
        None | Some(Value::Null) => Ok(Uuid::new_v4().to_string()),
        Some(Value::String(key)) if key.is_empty() => Ok(Uuid::new_v4().to_string()),
        Some(Value::String(key))
            if key.len() <= 255 && key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) =>
        {
            Ok(key.clone())
        }
        Some(_) => Err(problem()),
    }
}

/// The key of an action's second request: a key belongs to one route (contract section 1.3), yet a repeat of
/// the action should find both its requests answered.
fn second_key(key: &str) -> String {
    let derived = format!("{key}-2");
    if derived.len() <= 255 {
        derived
    } else {
        Uuid::new_v4().to_string()
    }
}
