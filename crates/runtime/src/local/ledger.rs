//! Runs in the local kernel: leased while they go on, and ended in the transaction that posts
//! their reply (rulings 17 to 19).

use std::time::Duration;

use async_trait::async_trait;
use stationmaster_access::Database;
use stationmaster_kernel::run::{
    self, Done, Ending, NewStep, NewToolCall, NewTrace, Run, Spend, Start, StepKind, TurnStep,
};
use stationmaster_kernel::{
    ApprovalId, Error, Kind, MicroUsd, Principal, Result, RunId, TaskId, TenantId, Timestamp,
    ToolCallId, Tx, budget, document, message,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::backend::{new_document, new_message};
use super::steps;
use super::{principal, turn_error};
use crate::SessionKey;
use crate::ledger::{
    Answered, Begun, CallResult, Finished, Gate, Held, Ledger, NewCall, NewRun, OpenRun, Pause,
    Step, TakenUp,
};
use crate::turn::{Outcome, Spent, TurnError};

/// How long a run is held between renewals: what a crash may keep others waiting.
const LEASE: Duration = Duration::from_secs(15);

/// Keeps runs in the kernel.
#[derive(Clone)]
pub struct KernelLedger {
    database: Database,
    /// Names this instance in leases.
    owner: String,
    tasks: TaskTracker,
}

impl KernelLedger {
    /// `tasks` gets what must go on beside a turn: renewing its lease, giving it up.
    #[must_use]
    pub fn new(database: Database, owner: impl Into<String>, tasks: TaskTracker) -> Self {
        Self {
            database,
            owner: owner.into(),
            tasks,
        }
    }

    async fn begin_or_wait(
        &self,
        who: &Principal,
        new: &run::NewRun,
    ) -> std::result::Result<Begun, TurnError> {
        let mut commits = self.database.commits();
        loop {
            commits.mark_unchanged();
            let (caller, asked) = (who.clone(), new.clone());
            let (now, begun) = self
                .database
                .write(move |tx| Ok((tx.now(), run::begin(tx, &caller, &asked)?)))
                .await
                .map_err(|error| turn_error(error, ""))?;
            match begun {
                run::Begun::Ours(run) => {
                    let steps = self.steps(&run).await?;
                    return Ok(Begun::Ours(Box::new(self.open(who.clone(), run, steps))));
                }
                run::Begun::Answered(run) => return answer(&run),
                run::Begun::Waiting(run) => return Ok(Begun::Paused(pause(&run))),
                run::Begun::Busy { until } => {
                    self.wait_for(who, new, now, until, &mut commits).await?
                }
            }
        }
    }

    /// Waits until the run that another is at ends, with a commit, or its lease runs out. Looking
    /// costs no commit.
    async fn wait_for(
        &self,
        who: &Principal,
        new: &run::NewRun,
        now: Timestamp,
        until: Timestamp,
        commits: &mut watch::Receiver<u64>,
    ) -> std::result::Result<(), TurnError> {
        let lapses = Instant::now() + left(now, until);
        loop {
            tokio::select! {
                _ = commits.changed() => {}
                () = sleep_until(lapses) => return Ok(()),
            }
            let (who, key) = (who.clone(), new.key.clone().unwrap_or_default());
            let running = self.database.read(move |tx| {
                let (Some(tenant), Some(handle)) = (&who.tenant, who.handle()) else {
                    return Ok(false);
                };
                let run = tx.run_with_key(tenant, handle, &key)?;
                Ok(run.is_some_and(|run| {
                    run.status == run::Status::Running && run.lease.is_held(tx.now())
                }))
            });
            if !running.await.map_err(|error| turn_error(error, ""))? {
                return Ok(());
            }
        }
    }

    /// What the run has done so far. A new one has done nothing, so nothing is read for it.
    async fn steps(&self, run: &Run) -> std::result::Result<Vec<TurnStep>, TurnError> {
        if run.lease.fence.0 <= 1 {
            return Ok(Vec::new());
        }
        let id = run.id.clone();
        let read = self.database.read(move |tx| tx.turn_steps(&id)).await;
        read.map_err(|error| turn_error(error, ""))
    }

    fn open(&self, who: Principal, run: Run, steps: Vec<TurnStep>) -> Open {
        let stop = CancellationToken::new();
        let renewing = renew(
            self.database.clone(),
            who.clone(),
            run.clone(),
            stop.clone(),
        );
        self.tasks.spawn(renewing);
        Open {
            database: self.database.clone(),
            who,
            run,
            tasks: self.tasks.clone(),
            renewing: Some(stop.drop_guard()),
            ended: false,
            steps: steps::told(steps),
            booked: Spent::default(),
        }
    }
}

#[async_trait]
impl Ledger for KernelLedger {
    async fn begin(&self, new: NewRun) -> std::result::Result<Begun, TurnError> {
        let who = principal(new.session.agent());
        let asked = run::NewRun {
            key: new.key,
            request: serde_json::to_string(&new.request).map_err(steps::unreadable)?,
            task: task(new.task_id),
            worst: MicroUsd(new.worst),
            trace: Some(NewTrace {
                id: new.trace_id,
                workspace: new.workspace,
                provider: new.provider,
            }),
            model: new.model,
            owner: self.owner.clone(),
            lease: LEASE,
        };
        timeout_at(new.deadline, self.begin_or_wait(&who, &asked))
            .await
            .unwrap_or(Err(TurnError::Deadline))
    }

    async fn look(
        &self,
        session: &SessionKey,
        key: &str,
    ) -> std::result::Result<Option<Begun>, TurnError> {
        let (who, key) = (session.agent().clone(), key.to_owned());
        let found = self
            .database
            .read(move |tx| tx.run_with_key(&who.user_id, &who.role, &key));
        let Some(run) = found.await.map_err(|error| turn_error(error, ""))? else {
            return Ok(None);
        };
        match (run.status, &run.waits_for) {
            (run::Status::Completed, _) => answer(&run).map(Some),
            (run::Status::Running, Some(_)) => Ok(Some(Begun::Paused(pause(&run)))),
            _ => Ok(None),
        }
    }

    async fn take_up(&self, id: &str) -> std::result::Result<Option<TakenUp>, TurnError> {
        let (id, owner) = (RunId::new(id), self.owner.clone());
        let taken = self
            .database
            .write(move |tx| run::take_up(tx, &id, &owner, LEASE))
            .await;
        let Some(run) = taken.map_err(|error| turn_error(error, ""))? else {
            return Ok(None);
        };
        let steps = self.steps(&run).await?;
        let who = Principal::agent(run.tenant.clone(), run.agent.clone());
        let request = steps::request(&steps);
        let run: Box<dyn OpenRun> = Box::new(self.open(who, run, steps));
        match request {
            Ok(request) => Ok(Some(TakenUp { run, request })),
            Err(error) => {
                run.fail(&error, &Spent::default()).await;
                Err(error)
            }
        }
    }

    async fn hold_aside(
        &self,
        tenant: &TenantId,
        worst: u64,
        time: Duration,
    ) -> std::result::Result<Held, TurnError> {
        let who = system_for(tenant).map_err(|error| turn_error(error, ""))?;
        let held = self
            .database
            .write(move |tx| budget::hold_aside(tx, &who, MicroUsd(worst), time))
            .await;
        Ok(Held {
            tenant: tenant.clone(),
            name: held.map_err(|error| turn_error(error, ""))?,
        })
    }

    async fn settle_aside(&self, held: Held, model: &str, spent: &Spent) {
        let (model, spend, Held { tenant, name }) = (model.to_owned(), spend(spent), held);
        let settled = self
            .database
            .write(move |tx| {
                let who = system_for(&tenant)?;
                budget::settle_aside(tx, &who, name.as_deref(), &model, spend)
            })
            .await;
        if let Err(error) = settled {
            tracing::warn!(code = error.code, cause = ?error.cause, "what a model was paid outside a turn could not be entered");
        }
    }
}

/// The installation, for a tenant.
fn system_for(tenant: &TenantId) -> Result<Principal> {
    Principal::system().within(tenant.clone())
}

/// The task of this id; a turn may have none.
fn task(id: String) -> Option<TaskId> {
    (!id.is_empty()).then(|| TaskId::new(id))
}

/// What a run that has stopped waits for. Its approval is a tool request, too, of the same id.
fn pause(run: &Run) -> Pause {
    let approval = run.waits_for.as_ref().map(ToString::to_string);
    let approval = approval.unwrap_or_default();
    Pause {
        task_id: run
            .task
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        run_id: run.id.to_string(),
        tool_request_id: approval.clone(),
        approval_id: approval,
    }
}

fn left(now: Timestamp, until: Timestamp) -> Duration {
    Duration::from_millis(until.0.saturating_sub(now.0).max(0).unsigned_abs() + 1)
}

fn answer(run: &Run) -> std::result::Result<Begun, TurnError> {
    let kept = run.answer.as_deref().unwrap_or_default();
    serde_json::from_str(kept)
        .map(|outcome| Begun::Answered(Box::new(outcome)))
        .map_err(|_| TurnError::Internal {
            message: format!("the answer kept for {} cannot be read", run.id),
        })
}

/// Keeps the lease until told to stop.
async fn renew(database: Database, who: Principal, run: Run, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LEASE / 3) => {}
        }
        let (who, id, fence) = (who.clone(), run.id.clone(), run.lease.fence);
        let renewed = database
            .write(move |tx| run::renew(tx, &who, &id, fence, LEASE))
            .await;
        match renewed {
            Ok(()) => {}
            // Taken over: whatever this turn still writes will be refused.
            Err(error) if error.kind == Kind::Conflict => return,
            Err(error) => tracing::warn!(run = %run.id, code = error.code, "renewing a run failed"),
        }
    }
}

/// A run that this process is at.
struct Open {
    database: Database,
    who: Principal,
    run: Run,
    tasks: TaskTracker,
    renewing: Option<DropGuard>,
    ended: bool,
    /// What the run had done before it was taken up.
    steps: Vec<Step>,
    /// What of its cost is in the books.
    booked: Spent,
}

impl Open {
    fn ending(
        &mut self,
        spent: &Spent,
        ending: Ending,
    ) -> impl Fn(&mut dyn Tx) -> Result<()> + Send + 'static {
        self.ended = true;
        self.renewing = None;
        let (who, id, fence, spend) = (
            self.who.clone(),
            self.run.id.clone(),
            self.run.lease.fence,
            self.unbooked(spent),
        );
        move |tx| run::end(tx, &who, &id, fence, None, spend, ending.clone()).map(drop)
    }
}

impl Open {
    /// What of `spent` is not in the books yet.
    fn unbooked(&self, spent: &Spent) -> Spend {
        spend(&spent.since(&self.booked))
    }

    async fn keep(&self, step: NewStep) -> std::result::Result<(), TurnError> {
        let (who, id, fence) = (self.who.clone(), self.run.id.clone(), self.run.lease.fence);
        self.database
            .write(move |tx| run::keep(tx, &who, &id, fence, step.clone()))
            .await
            .map_err(|error| turn_error(error, ""))
    }
}

#[async_trait]
impl OpenRun for Open {
    fn steps(&mut self) -> Vec<Step> {
        let steps = std::mem::take(&mut self.steps);
        // What was kept with an answer is in the books.
        let mut answers = steps.iter().filter_map(|step| match step {
            Step::Answer(answer) => Some(answer.spent),
            _ => None,
        });
        self.booked = answers.next_back().unwrap_or_default();
        steps
    }

    async fn hold(&mut self, worst: u64) -> std::result::Result<(), TurnError> {
        let (who, id, fence) = (self.who.clone(), self.run.id.clone(), self.run.lease.fence);
        self.database
            .write(move |tx| run::hold(tx, &who, &id, fence, MicroUsd(worst)))
            .await
            .map_err(|error| turn_error(error, ""))
    }

    async fn answered(&mut self, answer: Answered) -> std::result::Result<(), TurnError> {
        let body = serde_json::to_string(&answer).map_err(steps::unreadable)?;
        let step = NewStep {
            spend: self.unbooked(&answer.spent),
            ..NewStep::of(StepKind::Answer, body)
        };
        self.keep(step).await?;
        self.booked = answer.spent;
        Ok(())
    }

    async fn start_tool(&mut self, call: NewCall) -> std::result::Result<Gate, TurnError> {
        let (who, id, fence) = (self.who.clone(), self.run.id.clone(), self.run.lease.fence);
        let new = NewToolCall {
            body: serde_json::to_string(&call.place).map_err(steps::unreadable)?,
            tool: call.tool,
            arguments: call.arguments,
            listed: call.listed,
            asked: call.asked.map(ApprovalId::new),
        };
        let started = self
            .database
            .write(move |tx| run::start_tool(tx, &who, &id, fence, new.clone()))
            .await;
        Ok(match started.map_err(|error| turn_error(error, ""))? {
            Start::Go(call) => Gate::Go(call.to_string()),
            Start::Refused(why) => Gate::Refused(why),
            Start::Waits(approval) => {
                self.run.waits_for = Some(approval.id);
                Gate::Paused(pause(&self.run))
            }
        })
    }

    async fn finish_tool(
        &mut self,
        call: Option<String>,
        result: CallResult,
        next: Option<u64>,
    ) -> std::result::Result<(), TurnError> {
        let body = serde_json::to_string(&result).map_err(steps::unreadable)?;
        let (who, id, fence) = (self.who.clone(), self.run.id.clone(), self.run.lease.fence);
        let done = Done {
            call: call.map(ToolCallId::new),
            ok: result.record.ok,
            output: result.content,
            body,
        };
        let finished = self
            .database
            .write(move |tx| run::finish_tool(tx, &who, &id, fence, done.clone()))
            .await;
        finished.map_err(|error| turn_error(error, ""))?;
        match next {
            Some(worst) => self.hold(worst).await,
            None => Ok(()),
        }
    }

    fn leave(mut self: Box<Self>) {
        self.ended = true;
        self.renewing = None;
    }

    async fn complete(
        mut self: Box<Self>,
        finished: Finished,
    ) -> std::result::Result<Outcome, TurnError> {
        let (who, id, fence) = (self.who.clone(), self.run.id.clone(), self.run.lease.fence);
        let (task_id, spent) = (finished.outcome.task_id.clone(), finished.outcome.spent);
        let spend = self.unbooked(&spent);
        let posted = self
            .database
            .write(move |tx| {
                let outcome = post(tx, &who, &finished)?;
                let answer = serde_json::to_string(&outcome).map_err(Error::internal)?;
                let task = task(outcome.task_id.clone());
                run::end(
                    tx,
                    &who,
                    &id,
                    fence,
                    task,
                    spend,
                    Ending::Completed { answer },
                )?;
                Ok(outcome)
            })
            .await;
        match posted {
            Ok(outcome) => {
                self.ended = true;
                Ok(outcome)
            }
            Err(error) => {
                let error = turn_error(error, &task_id);
                self.fail(&error, &spent).await;
                Err(error)
            }
        }
    }

    async fn fail(mut self: Box<Self>, error: &TurnError, spent: &Spent) {
        let end = self.ending(
            spent,
            Ending::Failed {
                error: error.to_string(),
            },
        );
        if let Err(error) = self.database.write(end).await {
            tracing::warn!(run = %self.run.id, code = error.code, "a failed run could not be ended; its lease will run out");
        }
    }
}

impl Drop for Open {
    /// The caller went away: gives the run up, so that the next one need not wait for the lease.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let booked = self.booked;
        let end = self.ending(
            &booked,
            Ending::Failed {
                error: "the caller went away".to_owned(),
            },
        );
        let (database, id) = (self.database.clone(), self.run.id.clone());
        self.tasks.spawn(async move {
            if let Err(error) = database.write(end).await {
                tracing::warn!(run = %id, code = error.code, "a run could not be given up; its lease will run out");
            }
        });
    }
}

/// Posts the reply and the document. A document that is refused is a remark in the outcome.
fn post(tx: &mut dyn Tx, who: &Principal, finished: &Finished) -> Result<Outcome> {
    let mut outcome = finished.outcome.clone();
    if let Some(reply) = &finished.reply {
        let posted = message::post(tx, who, new_message(&reply.what))?;
        outcome.message_id = Some(posted.id.to_string());
    }
    if let Some(plan) = &finished.document {
        match document::create(tx, who, new_document(&plan.what)) {
            Ok(document) => outcome.document_id = Some(document.id.to_string()),
            Err(error)
                if matches!(error.kind, Kind::Invalid | Kind::NotFound | Kind::Forbidden) =>
            {
                outcome.document_error = Some(error.message);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

fn spend(spent: &Spent) -> Spend {
    Spend {
        input_tokens: spent.input_tokens,
        output_tokens: spent.output_tokens,
        cost_microusd: spent.cost_microusd(),
    }
}
