//! Tools that ask the client something in the middle of a call.

use rmcp::{
    RoleServer,
    model::{ContentBlock, CustomRequest, JsonObject, ServerRequest},
    service::{RequestContext, ServiceError},
};
use serde_json::{Value, json};

type Content = Result<Vec<ContentBlock>, ServiceError>;

/// The members of an object; none of anything else.
pub(super) fn members(value: Value) -> JsonObject {
    match value {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    }
}

/// Lets the client's model answer `prompt`.
pub(super) async fn model(context: &RequestContext<RoleServer>, prompt: &str) -> Content {
    let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
    let answer = ask(
        context,
        "sampling/createMessage",
        json!({ "messages": [message], "maxTokens": 100 }),
    )
    .await?;
    let said = answer
        .pointer("/content/text")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Ok(vec![ContentBlock::text(format!("LLM response: {said}"))])
}

/// Asks the client's user for a name and an address.
pub(super) async fn user(context: &RequestContext<RoleServer>, message: &str) -> Content {
    let schema = json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" },
        },
        "required": ["username", "email"],
    });
    elicit(context, message, schema, "User response: ").await
}

/// Asks with a default of every primitive type.
pub(super) async fn with_defaults(context: &RequestContext<RoleServer>) -> Content {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "User name", "default": "John Doe" },
            "age": { "type": "integer", "description": "User age", "default": 30 },
            "score": { "type": "number", "description": "User score", "default": 95.5 },
            "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
            "verified": { "type": "boolean", "description": "Verification status", "default": true },
        },
        "required": [],
    });
    elicit(
        context,
        "Please review the values",
        schema,
        "Elicitation completed: ",
    )
    .await
}

/// Asks with every way to write a choice.
pub(super) async fn with_choices(context: &RequestContext<RoleServer>) -> Content {
    let titled = |first: &str, second: &str, third: &str| {
        json!([
            { "const": "value1", "title": first },
            { "const": "value2", "title": second },
            { "const": "value3", "title": third },
        ])
    };
    let plain = json!(["option1", "option2", "option3"]);
    let schema = json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": plain },
            "titledSingle": { "type": "string", "oneOf": titled("First Option", "Second Option", "Third Option") },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
            "titledMulti": {
                "type": "array",
                "items": { "anyOf": titled("First Choice", "Second Choice", "Third Choice") },
            },
        },
        "required": [],
    });
    elicit(context, "Please choose", schema, "Elicitation completed: ").await
}

async fn elicit(
    context: &RequestContext<RoleServer>,
    message: &str,
    schema: Value,
    intro: &str,
) -> Content {
    let params = json!({ "message": message, "requestedSchema": schema });
    let answer = ask(context, "elicitation/create", params).await?;
    let action = answer
        .get("action")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let content = answer.get("content").unwrap_or(&Value::Null);
    Ok(vec![ContentBlock::text(format!(
        "{intro}action={action}, content={content}"
    ))])
}

/// Sends a request to the client and waits for its answer.
///
/// The request is written out rather than put together from rmcp's types: the suite looks at the very
/// keywords, among them some that rmcp holds to be out of date and will drop.
async fn ask(
    context: &RequestContext<RoleServer>,
    method: &str,
    params: Value,
) -> Result<Value, ServiceError> {
    let request = ServerRequest::CustomRequest(CustomRequest::new(method, Some(params)));
    let answer = context.peer.send_request(request).await?;
    serde_json::to_value(answer).map_err(|_| ServiceError::UnexpectedResponse)
}
