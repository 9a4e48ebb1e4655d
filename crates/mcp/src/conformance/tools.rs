//! The tools the suite calls.

use std::{sync::Arc, time::Duration};

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResult, ContentBlock, CustomNotification,
        ProgressNotificationParam, ResourceContents, ServerNotification, Tool,
    },
    service::{RequestContext, ServiceError},
};
use serde_json::{Value, json};

use super::{IMAGE, ask};

/// A WAV file with one silent sample.
const SOUND: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA==";
/// What the suite wants between two steps of a tool that takes its time.
const STEP: Duration = Duration::from_millis(50);

type Context = RequestContext<RoleServer>;

/// Every fixture among the tools.
pub(super) fn all() -> Vec<Tool> {
    let nothing = || json!({ "type": "object", "properties": {} });
    let text = |name: &str| json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name] });
    [
        ("test_simple_text", "Answers with a text", nothing()),
        ("test_image_content", "Answers with an image", nothing()),
        ("test_audio_content", "Answers with a sound", nothing()),
        (
            "test_embedded_resource",
            "Answers with a resource",
            nothing(),
        ),
        (
            "test_multiple_content_types",
            "Answers with a text, an image and a resource",
            nothing(),
        ),
        ("test_tool_with_logging", "Logs while it works", nothing()),
        (
            "test_tool_with_progress",
            "Reports progress while it works",
            nothing(),
        ),
        ("test_error_handling", "Always fails", nothing()),
        ("test_reconnection", "Answers after a moment", nothing()),
        ("test_sampling", "Asks the client's model", text("prompt")),
        (
            "test_elicitation",
            "Asks the client's user",
            text("message"),
        ),
        (
            "test_elicitation_sep1034_defaults",
            "Asks the client's user, with defaults",
            nothing(),
        ),
        (
            "test_elicitation_sep1330_enums",
            "Asks the client's user to choose",
            nothing(),
        ),
        (
            "json_schema_2020_12_tool",
            "Has a schema with all kinds of keywords",
            rich_schema(),
        ),
    ]
    .into_iter()
    .map(|(name, description, schema)| Tool::new(name, description, Arc::new(ask::members(schema))))
    .collect()
}

fn rich_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": { "name": { "type": "string" }, "address": { "$ref": "#/$defs/address" } },
        "additionalProperties": false,
    })
}

/// Calls a fixture; `None` if the tool is not one.
pub(super) async fn call(
    request: &CallToolRequestParams,
    context: &Context,
) -> Option<Result<CallToolResult, ErrorData>> {
    let text = |said: &str| Ok(vec![ContentBlock::text(said)]);
    let given = |name: &str| {
        let value = request
            .arguments
            .as_ref()
            .and_then(|arguments| arguments.get(name));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let content = match request.name.as_ref() {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => Ok(vec![ContentBlock::image(IMAGE, "image/png")]),
        "test_audio_content" => Ok(vec![ContentBlock::audio(SOUND, "audio/wav")]),
        "test_embedded_resource" => Ok(vec![ContentBlock::resource(ResourceContents::text(
            "This is an embedded resource content.",
            "test://embedded-resource",
        ))]),
        "test_multiple_content_types" => Ok(mixed()),
        "test_tool_with_logging" => with_logging(context).await,
        "test_tool_with_progress" => with_progress(context).await,
        "test_error_handling" => {
            let said = ContentBlock::text("This tool intentionally returns an error for testing");
            return Some(Ok(CallToolResult::error(vec![said])));
        }
        "test_reconnection" => {
            tokio::time::sleep(STEP).await;
            text("Reconnection test completed")
        }
        "json_schema_2020_12_tool" => text("The schema is what matters."),
        "test_sampling" => ask::model(context, &given("prompt")).await,
        "test_elicitation" => ask::user(context, &given("message")).await,
        "test_elicitation_sep1034_defaults" => ask::with_defaults(context).await,
        "test_elicitation_sep1330_enums" => ask::with_choices(context).await,
        _ => return None,
    };
    Some(content.map(CallToolResult::success).map_err(broken))
}

fn broken(failure: ServiceError) -> ErrorData {
    match failure {
        ServiceError::McpError(error) => error,
        other => ErrorData::internal_error(other.to_string(), None),
    }
}

fn mixed() -> Vec<ContentBlock> {
    let resource = ResourceContents::text(
        r#"{"test":"data","value":123}"#,
        "test://mixed-content-resource",
    );
    vec![
        ContentBlock::text("Multiple content types test:"),
        ContentBlock::image(IMAGE, "image/png"),
        ContentBlock::resource(resource.with_mime_type("application/json")),
    ]
}

async fn with_logging(context: &Context) -> Result<Vec<ContentBlock>, ServiceError> {
    let said = [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ];
    for (step, data) in said.into_iter().enumerate() {
        if step > 0 {
            tokio::time::sleep(STEP).await;
        }
        let params = json!({ "level": "info", "data": data });
        let message = CustomNotification::new("notifications/message", Some(params));
        context
            .peer
            .send_notification(ServerNotification::CustomNotification(message))
            .await?;
    }
    Ok(vec![ContentBlock::text("Tool with logging executed")])
}

async fn with_progress(context: &Context) -> Result<Vec<ContentBlock>, ServiceError> {
    for (step, progress) in [0.0, 50.0, 100.0].into_iter().enumerate() {
        if step > 0 {
            tokio::time::sleep(STEP).await;
        }
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, progress).with_total(100.0);
            context.peer.notify_progress(progress).await?;
        }
    }
    Ok(vec![ContentBlock::text("Tool with progress executed")])
}
