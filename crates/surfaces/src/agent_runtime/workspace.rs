//! What agents work from: `/skills` and `/context` (§§5, 6, 11).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::query::Query;
use stationmaster_kernel::{Error, Handle};
use stationmaster_runtime::{ContextFile, MAX_FILE_CHARS, Skill, TurnError};
use utoipa::ToSchema;

use super::Daemon;
use super::error::{ErrorBody, Problem};

/// Whose prompt is meant when none is named.
const USUAL_ROLE: &str = "agent";

/// The skills of the workspace, by folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SkillsReply {
    enabled: usize,
    total: usize,
    skills: Vec<SkillBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SkillBody {
    name: String,
    description: String,
    enabled: bool,
    /// Why it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    gate_reason: Option<String>,
    /// Its file, in the workspace.
    #[schema(example = "skills/weather/SKILL.md")]
    location: String,
    /// The front matter's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

impl From<Skill> for SkillBody {
    fn from(it: Skill) -> Self {
        Self {
            enabled: it.is_enabled(),
            gate_reason: it.gate_reason(),
            location: it.location(),
            name: it.name,
            description: it.description,
            metadata: it.metadata,
        }
    }
}

/// How much of each file is in a role's prompt. Tokens are estimated at four characters each.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContextReply {
    workspace_path: String,
    max_chars_per_file: usize,
    files: Vec<FileBody>,
    /// Of all files together, as far as they are in the prompt.
    total_bootstrap_chars: usize,
    /// Without memory and time.
    system_prompt_chars: usize,
    estimated_system_prompt_tokens: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FileBody {
    name: String,
    exists: bool,
    raw_chars: u64,
    /// 0 for a file whose place another has, or that other turns are told.
    injected_chars: usize,
    truncated: bool,
    estimated_tokens: usize,
}

impl From<ContextFile> for FileBody {
    fn from(it: ContextFile) -> Self {
        Self {
            name: it.name,
            exists: it.exists,
            raw_chars: it.raw_characters,
            injected_chars: it.injected_characters,
            truncated: it.is_truncated,
            estimated_tokens: tokens(it.injected_characters),
        }
    }
}

fn tokens(characters: usize) -> usize {
    characters.div_ceil(4)
}

/// Which skills agents have, and why they lack the others
#[utoipa::path(get, path = "/skills", tag = "Agent runtime", security(("daemon_key" = []), ()),
    responses((status = 200, body = SkillsReply), (status = 403, body = ErrorBody), (status = 500, body = ErrorBody)))]
pub(super) async fn skills(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
) -> Result<Json<SkillsReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    let skills = daemon.runtime.workspace().skills().await;
    let skills = skills.map_err(TurnError::from)?;
    Ok(Json(SkillsReply {
        enabled: skills.iter().filter(|skill| skill.is_enabled()).count(),
        total: skills.len(),
        skills: skills.into_iter().map(SkillBody::from).collect(),
    }))
}

/// How much of each workspace file is in a role's prompt
#[utoipa::path(get, path = "/context", tag = "Agent runtime", security(("daemon_key" = []), ()),
    params(("role" = Option<String>, Query, description = "`agent` when left out")),
    responses((status = 200, body = ContextReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 500, body = ErrorBody)))]
pub(super) async fn context(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<ContextReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    let query = Query::of(&uri)?;
    let role: Handle =
        query
            .get("role")
            .unwrap_or(USUAL_ROLE)
            .parse()
            .map_err(|error: Error| {
                let why = error.problems.first().map(|it| it.message.clone());
                Error::invalid("role", why.unwrap_or(error.message))
            })?;
    let workspace = daemon.runtime.workspace();
    let report = workspace.context(role, daemon.runtime.now()).await;
    let report = report.map_err(TurnError::from)?;
    let injected = report.files.iter().map(|file| file.injected_characters);
    Ok(Json(ContextReply {
        workspace_path: workspace.dir().display().to_string(),
        max_chars_per_file: MAX_FILE_CHARS,
        total_bootstrap_chars: injected.sum(),
        files: report.files.into_iter().map(FileBody::from).collect(),
        system_prompt_chars: report.prompt_characters,
        estimated_system_prompt_tokens: tokens(report.prompt_characters),
    }))
}
