//! The MCP server: what it says of itself, and where each request of the protocol goes.

use std::{borrow::Cow, sync::Arc};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
        ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
        ToolAnnotations,
    },
    service::RequestContext,
};

use crate::{
    action::{Actor, is_id},
    carrier::{Caller, Carrier},
    desk::Desk,
    reply::Answer,
    resource, schema,
};

const INSTRUCTIONS: &str = "\
Mission Control gives you tasks, watches what you spend, and asks a person where you may not act alone. Everything is done with the \
tool mission_control.

The usual way through a task:
1. heartbeat at the start and every few minutes: it shows your assigned and claimable tasks and what others want from you. Acknowledge \
notifications you have dealt with (ackNotificationIds), or they come again.
2. task_claim a task nobody has, task_get to read it, task_start with a plan of 3 to 6 steps.
3. policy_check before you run a tool that changes something. ALLOW: go on. DENY: do not. NEEDS_APPROVAL: approval_request, then \
approval_check now and then until it is decided; do other work meanwhile.
4. task_comment with messageType PROGRESS as you get on, task_artifact for files. report_run and report_tool_call keep the record of \
models and tools you use.
5. task_submit with the deliverable and a checklist: every item checked, or with a note why not. A person finishes the task.

When a call fails, error.code and error.message say why. needsApproval: ask with approval_request. alreadyProcessed: it was done \
before, go on. To repeat a call without doing it twice, give it the same idempotencyKey.";

/// Whom the process speaks for where the API call does not say so itself.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The agent's id (`MC_AGENT_ID`). Without it the API is asked for `me`, the agent of the token.
    pub agent_id: Option<String>,
    /// The session key to report where an action names none (`MC_SESSION_KEY`).
    pub session_key: Option<String>,
}

/// Serves the tool and the resources.
#[derive(Clone)]
pub(crate) struct Server {
    desk: Desk,
    identity: Arc<Identity>,
}

impl Server {
    pub(crate) fn new(carrier: Arc<dyn Carrier>, identity: Identity) -> Self {
        Self {
            desk: Desk::new(carrier),
            identity: Arc::new(identity),
        }
    }

    /// The agent to act as: the one of our identity, else the one the request names, else the token's.
    fn actor(&self, caller: &Caller) -> Actor {
        let named = self.identity.agent_id.as_ref().or(caller.agent_id.as_ref());
        Actor {
            agent: named
                .filter(|id| is_id(id))
                .map_or("me", String::as_str)
                .to_owned(),
            session_key: self.identity.session_key.clone(),
        }
    }
}

/// Who is asking, from the headers of the HTTP request the message came in; nobody, over stdio.
fn caller(context: &RequestContext<RoleServer>) -> Caller {
    let Some(parts) = context.extensions.get::<http::request::Parts>() else {
        return Caller::default();
    };
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    Caller {
        authorization: header("authorization"),
        agent_id: header("x-agent-id"),
        user_id: header("x-user-id"),
    }
}

pub(crate) fn tool() -> Tool {
    let annotations = ToolAnnotations::with_title("Mission Control")
        .read_only(false)
        .destructive(false)
        .idempotent(false)
        .open_world(false);
    Tool::new_with_raw(
        schema::TOOL,
        Some(Cow::Owned(schema::description())),
        schema::input(),
    )
    .with_title("Mission Control")
    .with_annotations(annotations)
}

pub(crate) fn implementation() -> Implementation {
    Implementation::new("stationmaster", env!("CARGO_PKG_VERSION"))
        .with_title("Mission Control")
        .with_description("Tasks, approvals, policy and reports for a crew of agents")
}

impl From<Answer> for CallToolResult {
    fn from(answer: Answer) -> Self {
        let content = vec![ContentBlock::text(answer.text())];
        let mut result = if answer.is_error {
            Self::error(content)
        } else {
            Self::success(content)
        };
        result.structured_content = Some(answer.body);
        result
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(
            ServerCapabilities::builder()
                .enable_tools()
                .enable_resources()
                .build(),
        )
        .with_server_info(implementation())
        .with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == schema::TOOL).then(tool)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![tool()]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name != schema::TOOL {
            let message = format!(
                "unknown tool: {}; the tool of this server is {}",
                request.name,
                schema::TOOL
            );
            return Err(ErrorData::invalid_params(message, None));
        }
        let caller = caller(&context);
        let actor = self.actor(&caller);
        let answer = self
            .desk
            .act(&request.arguments.unwrap_or_default(), &actor, caller)
            .await;
        Ok(CallToolResult::from(answer).into())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let caller = caller(&context);
        resource::list(&self.desk, &self.actor(&caller), caller).await
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resource::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = resource::read(&self.desk, &request.uri, caller(&context)).await?;
        Ok(contents.into())
    }
}
