//! A question whose answer is a JSON value (§11).

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::Value;
use stationmaster_http::body;
use stationmaster_http::fields::Fields;
use stationmaster_kernel::{Error, Object};
use stationmaster_runtime::{JsonTask, Schema, SchemaFault, TurnError};
use utoipa::ToSchema;

use super::Daemon;
use super::error::{ErrorBody, Problem};
use super::request::payer;
use super::send::{BODY_LIMIT, Cost, Usage};

/// What to ask.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only describes the body; it is read member by member"
)]
pub(super) struct LlmTaskBody {
    prompt: String,
    /// Any JSON value to work on.
    #[schema(value_type = Option<Object>)]
    input: Option<Value>,
    /// A JSON Schema that refers to nothing outside of itself.
    #[schema(value_type = Option<Object>)]
    schema: Option<Value>,
    model: Option<String>,
    /// 0 to 2; 0.3 when left out.
    temperature: Option<f64>,
    max_tokens: Option<u32>,
    /// Whose budget it is on; `default` when left out.
    user_id: Option<String>,
}

/// The answer, and whether it is what the schema asks for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LlmTaskReply {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    #[schema(value_type = Object)]
    output: Value,
    usage: Usage,
    cost: Cost,
    /// Whether there was a schema and the output is valid by it.
    validated: bool,
    /// Only where the output is not valid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<ValidationError>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ValidationError {
    /// A JSON pointer into the output.
    path: String,
    message: String,
}

impl From<SchemaFault> for ValidationError {
    fn from(SchemaFault { path, message }: SchemaFault) -> Self {
        Self { path, message }
    }
}

/// Ask a model for a JSON value, checked against a JSON Schema
#[utoipa::path(post, path = "/llm-task", tag = "Agent runtime", security(("daemon_key" = []), ()), request_body = LlmTaskBody,
    responses((status = 200, body = LlmTaskReply), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 500, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(super) async fn llm_task(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    content: Body,
) -> Result<Json<LlmTaskReply>, Problem> {
    daemon.app.gate.daemon(&headers)?;
    let bytes = body::read(content, BODY_LIMIT)
        .await
        .map_err(Problem::Body)?;
    let members = body::object(&bytes)?;
    // A large schema takes its time to be understood.
    let task = tokio::task::spawn_blocking(move || read(members))
        .await
        .map_err(|error| TurnError::Internal {
            message: format!("the request could not be read: {error}"),
        })??;
    let (has_schema, names_model) = (task.schema.is_some(), task.model.is_some());
    let runtime = daemon.runtime.clone();
    let answer = daemon
        .see_through(async move { runtime.json_task(task).await })
        .await
        .map_err(|problem| match problem {
            Problem::Turn(TurnError::UnknownModel { message }) if names_model => {
                Error::invalid("model", message)
                    .with_code("model_unknown")
                    .into()
            }
            other => other,
        })?;
    Ok(Json(LlmTaskReply {
        status: "ok",
        output: answer.output,
        usage: Usage::from(&answer.spent),
        cost: Cost::of(answer.model, &answer.spent),
        validated: has_schema && answer.faults.is_empty(),
        validation_errors: answer.faults.into_iter().map(Into::into).collect(),
    }))
}

fn read(members: Object) -> Result<JsonTask, Error> {
    let is_text = members.get("prompt").is_some_and(Value::is_string);
    let mut fields = Fields::new(members);
    let prompt = fields.required_string("prompt");
    if is_text && prompt.trim().is_empty() {
        fields.problem("prompt", "must not be blank");
    }
    let task = JsonTask {
        tenant: payer(&mut fields),
        prompt,
        input: fields.value("input"),
        schema: schema(&mut fields),
        model: fields
            .string("model")
            .filter(|name| !name.trim().is_empty()),
        temperature: temperature(&mut fields),
        max_tokens: max_tokens(&mut fields),
    };
    fields.finish()?;
    Ok(task)
}

fn schema(fields: &mut Fields) -> Option<Schema> {
    match Schema::new(&fields.value("schema")?) {
        Ok(schema) => Some(schema),
        Err(why) => {
            fields.problem("schema", why);
            None
        }
    }
}

fn temperature(fields: &mut Fields) -> Option<f64> {
    let given = fields.value("temperature")?.as_f64();
    let fit = given.filter(|it| (0.0..=2.0).contains(it));
    if fit.is_none() {
        fields.problem("temperature", "must be a number from 0 to 2");
    }
    fit
}

fn max_tokens(fields: &mut Fields) -> Option<u32> {
    let given = fields.integer("max_tokens")?;
    let fit = u32::try_from(given).ok().filter(|it| *it > 0);
    if fit.is_none() {
        fields.problem("max_tokens", "must be a positive whole number");
    }
    fit
}
