//! How requests bring a document of rules, and say what it is for.

use serde_json::Value;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::kind::TaskKind;
use stationmaster_kernel::policy::{self, Document, Scope, Source};
use stationmaster_kernel::{Error, Result, TaskId, TenantId};
use utoipa::ToSchema;

use super::super::read::kinds;

/// The scope of rules that nobody wrote.
const BUILT_IN: &str = "BUILT_IN";
const SCOPES: &str = "GLOBAL, TENANT, AGENT, TASK_TYPE, TASK";

/// A document of rules: as JSON, or as TOML text. A document alone, or a whole answer of
/// `GET /policy/active`, will do.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(in super::super) struct DocumentBody {
    /// The document as `GET /policy/active` shows it.
    #[schema(value_type = Option<Object>)]
    document: Option<Value>,
    /// The same as TOML text, instead.
    toml: Option<String>,
    /// `GLOBAL` (when absent), `TENANT`, `AGENT`, `TASK_TYPE` or `TASK`.
    scope: Option<String>,
    /// Which agent, type of tasks or task.
    scope_id: Option<String>,
    tenant_id: Option<String>,
}

/// As [`DocumentBody`], and how much to try it out on.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
#[schema(rename_all = "camelCase")]
pub(in super::super) struct TrialBody {
    #[schema(value_type = Option<Object>)]
    document: Option<Value>,
    toml: Option<String>,
    scope: Option<String>,
    scope_id: Option<String>,
    tenant_id: Option<String>,
    /// On how many of the last judged actions: 100 when absent, at most 1000.
    last: Option<u32>,
}

/// Takes the document out of a request, of which everything else was taken; its faults name line
/// or path. A body with neither `document` nor `toml` is a document itself (§4: the full document).
pub(super) fn document(fields: &mut Fields) -> Result<Document> {
    let (document, toml) = (fields.value("document"), fields.string("toml"));
    match (document, toml) {
        (None, None) => {
            let bare = fields.rest();
            if bare.is_empty() {
                return Err(nothing());
            }
            policy::read(Source::Json(&Value::Object(bare)))
        }
        (Some(document), None) => policy::read(Source::Json(&document)),
        (None, Some(text)) => policy::read(Source::Toml(&text)),
        (Some(_), Some(_)) => Err(nothing()),
    }
}

fn nothing() -> Error {
    Error::invalid(
        "document",
        "is required: the rules as an object, or as text in \"toml\"; not both",
    )
}

/// What a request says the rules are for. What is built in, as a look at the rules in force may
/// have said, cannot be changed: it is for all.
pub(super) fn scope(fields: &mut Fields, tenant: &TenantId) -> Option<Scope> {
    let word = fields.string("scope").filter(|word| word != BUILT_IN);
    let id = fields.string("scopeId");
    match scope_of(word.as_deref(), id.as_deref(), tenant) {
        Ok(scope) => Some(scope),
        Err(fault) => {
            fields.problem(fault.0, fault.1);
            None
        }
    }
}

/// The scope that a word and an id name, or which of them is wrong and why.
pub(super) fn scope_of(
    word: Option<&str>,
    id: Option<&str>,
    tenant: &TenantId,
) -> Result<Scope, (&'static str, String)> {
    let required = |what: &str| ("scopeId", format!("is required: {what}"));
    Ok(match (word.unwrap_or("GLOBAL"), id) {
        ("GLOBAL", _) => Scope::Global,
        ("TENANT", None) => Scope::Tenant(tenant.clone()),
        ("TENANT", Some(id)) => Scope::Tenant(
            id.parse()
                .map_err(|_| ("scopeId", "must be 1 to 255 characters".to_owned()))?,
        ),
        ("AGENT", Some(id)) => Scope::Agent(
            tenant.clone(),
            id.parse()
                .map_err(|_| ("scopeId", "must be the id of an agent".to_owned()))?,
        ),
        ("AGENT", None) => return Err(required("the id of an agent")),
        ("TASK_TYPE", Some(id)) => Scope::TaskType(
            TaskKind::parse(id)
                .ok_or_else(|| ("scopeId", format!("must be one of {}", kinds())))?,
        ),
        ("TASK_TYPE", None) => return Err(required("a type of tasks")),
        ("TASK", Some(id)) => Scope::Task(TaskId::new(id)),
        ("TASK", None) => return Err(required("the id of a task")),
        _ => return Err(("scope", format!("must be one of {SCOPES}"))),
    })
}
