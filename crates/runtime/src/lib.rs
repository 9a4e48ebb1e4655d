//! Runs one turn of one agent: load the workspace, build the prompt, let the model and its tools
//! take turns, post the reply (agent-runtime §§2–10).
//!
//! [`Runtime::send`] is the entry. What it needs stands behind ports, so that the same turn works
//! for the program's own kernel and for somebody else's backend:
//!
//! | port | what it is | here |
//! |---|---|---|
//! | [`Model`] | answers | [`stationmaster_model::Client`] |
//! | [`Backend`] | tasks, messages, documents, as one agent sees them | [`LocalBackend`], [`HttpBackend`] |
//! | [`Ledger`] | which turns were asked for, and their end | [`KernelLedger`], [`PostingLedger`] |
//! | [`Observer`] | watches turns happen | whoever wants to |
//! | [`Tracer`] | makes a trace of each turn | whoever collects them |
//!
//! What must stay true: nothing is posted but a non-empty answer of the model, once per key; a
//! tool call that goes wrong is told to the model and never ends the turn; ids and the tenant come
//! from the caller's identity, never from what a model says; every wait has an end.
//!
//! What is absent on purpose: HTTP routes and status codes, which are the surface's, and any state
//! of its own beyond what [`PostingLedger`] remembers.

mod aside;
mod backend;
mod forecast;
mod ledger;
mod local;
mod mcp;
mod model;
mod observe;
mod session;
mod tools;
mod tracer;
mod turn;
mod usage;
mod workspace;

pub use aside::{
    CompactRequest, Compacted, JsonAnswer, JsonTask, JsonTaskError, Schema, SchemaFault,
};
pub use backend::{
    Backend, BackendError, BackendErrorKind, BackendResult, DocumentRef, ExtraCall, HttpBackend,
    MessageRef, NewDocument, NewMessage, NewTask, NewThread, NewToolRequest, NotificationFilter,
    NotificationRef, TaskChange, TaskChoice, TaskFilter, TaskRef, TokenMinter, ToolRequestRef,
};
pub use forecast::Forecast;
pub use ledger::{
    Answered, Begun, CallResult, Finished, Gate, Held, Journal, JournalLimits, Keyed, Ledger,
    ModelCall, NewCall, NewRun, OpenRun, Pause, Place, PostingLedger, Step, TakenUp,
};
pub use local::{Deed, KernelLedger, LocalBackend, Trace, TraceStep};
pub use model::Model;
pub use observe::{Observer, TurnEvent, TurnEventKind, describe_metrics};
pub use session::{AgentIdentity, SessionKey, SessionKeyError};
pub use stationmaster_model::Listener;
pub use tools::own_tool_names;
pub use tracer::{ModelSpan, ToolSpan, TraceParent, Tracer, TurnEnd, TurnHead, TurnTrace};
pub use turn::{
    Clock, Config, Ended, Follower, HistoryEntry, HistoryRole, Outcome, Parts, Runtime,
    SendRequest, Spent, ToolCallRecord, TurnError,
};
pub use usage::Usage;
pub use workspace::{
    ContextFile, ContextReport, Fault, Glance, MAX_FILE_CHARS, MAX_SKILLS, Machine, Part, PartName,
    Problem, Prompt, PromptRequest, SKILLS_BUDGET, Severity, Skill, SkillState, Workspace,
    WorkspaceError,
};
