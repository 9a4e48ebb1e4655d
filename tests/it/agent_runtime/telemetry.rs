//! Turns as OpenTelemetry traces, sent to a collector over OTLP/HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};
use stationmaster_testkit::model::{Step, StubModel};

use super::crew::{Crew, SEND, thinking, turn};
use crate::support::api::builder;
use crate::support::wait::{eventually, until};
use crate::support::{Api, Json as _};

/// What a collector was told.
#[derive(Debug, Clone, Default)]
struct Told {
    spans: Vec<Span>,
    resource: BTreeMap<String, Value>,
    paths: Vec<String>,
    keys: Vec<String>,
}

type Shared = Arc<Mutex<Told>>;

/// A collector of traces on a free port.
struct Collector {
    url: String,
    told: Shared,
}

impl Collector {
    async fn start() -> Self {
        let told = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(take).with_state(told.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, told }
    }

    fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// The spans, as soon as there are so many.
    async fn spans(&self, count: usize) -> Vec<Span> {
        eventually("the spans arrive", async || {
            let spans = self.told().spans;
            (spans.len() >= count).then_some(spans)
        })
        .await
    }

    /// A crew whose turns are told here.
    fn crew(&self, more: &[(&str, &str)]) -> Crew {
        Crew::with(|builder| {
            let builder = builder.environment("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url);
            more.iter().fold(builder, |builder, (name, value)| {
                builder.environment(name, *value)
            })
        })
    }
}

async fn take(State(told): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut told = told.lock().unwrap();
    told.paths.push(uri.path().to_owned());
    let key = headers.get("x-key").map(|key| key.to_str().unwrap());
    told.keys.extend(key.map(str::to_owned));
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        told.resource.extend(attributes(&resource.attributes));
        for of_scope in of_resource.scope_spans {
            told.spans.extend(of_scope.spans);
        }
    }
    StatusCode::OK
}

fn attributes(all: &[KeyValue]) -> BTreeMap<String, Value> {
    all.iter()
        .map(|it| (it.key.clone(), plain(it.value.as_ref())))
        .collect()
}

fn plain(value: Option<&AnyValue>) -> Value {
    match value.and_then(|it| it.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::DoubleValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter().map(|it| plain(Some(it))).collect()
        }
        _ => Value::Null,
    }
}

fn of(span: &Span) -> BTreeMap<String, Value> {
    attributes(&span.attributes)
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn script(crew: &Crew) {
    crew.model.set_usage(200, 50);
    crew.model
        .push(Step::tool("create_task", json!({"title": "Sub"})));
    crew.model.push(Step::text("All done."));
}

async fn counted(crew: &Crew, outcome: &str) -> u64 {
    let text = crew.api.stranger().get("/metrics").await.text;
    let name = format!("stationmaster_trace_spans_total{{outcome=\"{outcome}\"}} ");
    text.lines()
        .find_map(|line| line.strip_prefix(&name))
        .map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn a_turn_is_one_trace_with_a_span_for_each_call() {
    let collector = Collector::start().await;
    let crew = collector.crew(&[
        ("OTEL_SERVICE_NAME", "the crew"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "X-Key=hush"),
    ]);
    script(&crew);
    let answer = crew.send(turn(json!({}))).await.ok();
    let spans = collector.spans(4).await;
    let told = collector.told();
    assert_eq!(told.resource["service.name"], "the crew");
    assert_eq!(
        (&told.paths[0], &told.keys[0]),
        (&"/v1/traces".to_owned(), &"hush".to_owned())
    );

    let trace = answer.text("trace_id").replace('-', "");
    for span in &spans {
        assert_eq!(hex(&span.trace_id), trace);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        let told = of(span);
        assert_eq!(told["gen_ai.provider.name"], "openai", "{}", span.name);
        assert_eq!(told["gen_ai.agent.name"], "writer");
        assert_eq!(told["gen_ai.conversation.id"], answer["task_id"]);
        assert_eq!(told["stationmaster.tenant"], "acme");
    }
    let root = named(&spans, "invoke_agent writer")[0];
    assert!(root.parent_span_id.is_empty());
    let told = of(root);
    assert_eq!(told["gen_ai.operation.name"], "invoke_agent");
    assert_eq!(told["gen_ai.usage.input_tokens"], 400);
    assert_eq!(told["gen_ai.usage.output_tokens"], 100);
    assert_eq!(told["stationmaster.trace_id"], answer["trace_id"]);
    assert_eq!(told["stationmaster.outcome"], "answered");

    let chats = named(&spans, "chat gpt-4o-mini");
    let tools = named(&spans, "execute_tool create_task");
    assert_eq!((chats.len(), tools.len()), (2, 1), "{spans:#?}");
    for child in chats.iter().chain(&tools) {
        assert_eq!(child.parent_span_id, root.span_id);
        assert!(root.start_time_unix_nano <= child.start_time_unix_nano);
        assert!(child.end_time_unix_nano <= root.end_time_unix_nano);
    }
    let first = of(chats[0]);
    assert_eq!(first["gen_ai.operation.name"], "chat");
    assert_eq!(first["gen_ai.request.model"], "gpt-4o-mini");
    assert_eq!(first["gen_ai.response.model"], "gpt-4o-mini");
    assert_eq!(first["gen_ai.usage.input_tokens"], 200);
    assert_eq!(first["gen_ai.usage.output_tokens"], 50);
    assert_eq!(
        first["gen_ai.response.finish_reasons"],
        json!(["tool_call"])
    );
    assert_eq!(
        of(chats[1])["gen_ai.response.finish_reasons"],
        json!(["stop"])
    );
    let tool = of(tools[0]);
    assert_eq!(tool["gen_ai.operation.name"], "execute_tool");
    assert_eq!(tool["gen_ai.tool.name"], "create_task");
    assert!(tool["gen_ai.tool.call.id"].is_string());
    // What was said is nobody's business unless somebody says so.
    let said = format!("{spans:?}");
    for word in ["Write the plan", "All done.", "Sub", "hush"] {
        assert!(!said.contains(word), "{word}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn what_was_said_is_told_where_it_is_allowed() {
    let collector = Collector::start().await;
    let allowed = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
    let crew = collector.crew(&[(allowed, "true")]);
    script(&crew);
    crew.send(turn(json!({}))).await.ok();
    let spans = collector.spans(4).await;
    let chats = named(&spans, "chat gpt-4o-mini");
    let read = |name: &str| {
        let text = of(chats[1])[name].as_str().unwrap().to_owned();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let input = read("gen_ai.input.messages");
    assert_eq!(input[0]["parts"][0]["content"], "Write the plan");
    assert_eq!(input[1]["parts"][0]["name"], "create_task");
    assert_eq!(input[2]["parts"][0]["type"], "tool_call_response");
    let output = read("gen_ai.output.messages");
    assert_eq!(output[0]["parts"][0]["content"], "All done.");
    assert!(read("gen_ai.system_instructions").is_array());
    let tool = of(named(&spans, "execute_tool create_task")[0]);
    assert_eq!(tool["gen_ai.tool.call.arguments"], r#"{"title":"Sub"}"#);
    assert!(tool["gen_ai.tool.call.result"].is_string());
}

#[tokio::test]
async fn a_turn_is_part_of_the_trace_that_its_request_was_part_of() {
    let collector = Collector::start().await;
    let crew = collector.crew(&[]);
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let send = async |flags: &str| {
        let header = format!("00-{trace}-{span}-{flags}");
        let caller = crew.api.stranger().header("traceparent", &header);
        caller.post(SEND, turn(json!({}))).await.ok()
    };
    // Whoever keeps the trace does not keep this one.
    assert_eq!(send("00").await["trace_id"], trace);
    assert_eq!(send("01").await["trace_id"], trace);
    let spans = collector.spans(2).await;
    assert_eq!(named(&spans, "invoke_agent writer").len(), 1);
    let root = named(&spans, "invoke_agent writer")[0];
    assert_eq!(hex(&root.trace_id), trace);
    assert_eq!(hex(&root.parent_span_id), span);
    let path = format!("/traces/{trace}?tenant_id=acme");
    assert_eq!(crew.api.stranger().get(&path).await.ok()["id"], trace);
    // Both were answered, each for itself.
    assert_eq!(super::crew::said(&crew.owner()).await.len(), 2);
}

#[tokio::test]
async fn what_went_wrong_is_told_by_its_code() {
    let collector = Collector::start().await;
    let crew = collector.crew(&[]);
    crew.model.push(Step::tool("made_up", json!({})));
    crew.model.push(Step::status(401));
    let answer = crew.send(turn(json!({}))).await;
    let code = answer.json().text("code");
    let spans = collector.spans(4).await;
    let root = named(&spans, "invoke_agent writer")[0];
    assert_eq!(of(root)["error.type"], code.as_str());
    assert_eq!(of(root)["stationmaster.outcome"], "failed");
    assert_eq!(root.status.as_ref().unwrap().code, 2);
    let failed = named(&spans, "chat gpt-4o-mini")[1];
    assert_eq!(of(failed)["error.type"], code.as_str());
    let tool = named(&spans, "execute_tool made_up")[0];
    assert_eq!(of(tool)["error.type"], "tool_error");
}

#[tokio::test]
async fn what_waits_is_sent_before_the_program_ends() {
    let collector = Collector::start().await;
    let mut crew = collector.crew(&[]);
    script(&crew);
    crew.send(turn(json!({}))).await.ok();
    let code = tokio::task::spawn_blocking(move || crew.api.server.stop());
    assert_eq!(code.await.unwrap(), 0);
    assert_eq!(collector.told().spans.len(), 4);
}

#[tokio::test]
async fn a_collector_that_is_away_changes_nothing() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let crew = Crew::with(|builder| builder.environment("OTEL_EXPORTER_OTLP_ENDPOINT", &url));
    script(&crew);
    assert_eq!(
        crew.send(turn(json!({}))).await.ok()["response"],
        "All done."
    );
    until("what is lost is counted", async || {
        counted(&crew, "failed").await == 4
    })
    .await;
    assert_eq!(counted(&crew, "sent").await, 0);
}

#[tokio::test]
async fn a_runtime_that_keeps_nothing_tells_its_turns_all_the_same() {
    let collector = Collector::start().await;
    let backend = Api::of(builder().argument("--without").argument("runtime").start());
    let model = StubModel::start();
    let runtime = Api::of(
        thinking(&model)
            .environment("BACKEND_URL", backend.server.url())
            .environment(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                format!("{}/x", collector.url),
            )
            .start(),
    );
    model.push(Step::tool("create_task", json!({"title": "Sub"})));
    let answer = runtime.stranger().post(SEND, turn(json!({}))).await.ok();
    let spans = collector.spans(4).await;
    assert_eq!(collector.told().paths[0], "/x");
    let root = named(&spans, "invoke_agent writer")[0];
    assert_eq!(of(root)["stationmaster.trace_id"], answer["trace_id"]);
    assert_eq!(named(&spans, "execute_tool create_task").len(), 1);
}

/// It takes connections and says nothing.
#[tokio::test]
async fn a_collector_that_hangs_holds_up_neither_a_turn_nor_the_end() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut crew = Crew::with(|builder| builder.environment("OTEL_EXPORTER_OTLP_ENDPOINT", &url));
    for _ in 0..3 {
        crew.send(turn(json!({}))).await.ok();
    }
    let began = Instant::now();
    let code = tokio::task::spawn_blocking(move || crew.api.server.stop());
    assert_eq!(code.await.unwrap(), 0);
    assert!(began.elapsed() < Duration::from_secs(9), "{began:?}");
}

#[tokio::test]
async fn without_a_collector_nothing_is_collected() {
    let crew = Crew::start();
    crew.send(turn(json!({}))).await.ok();
    let text = crew.api.stranger().get("/metrics").await.text;
    assert!(!text.contains("stationmaster_trace_spans_total{"), "{text}");
}
