//! A scripted API, and clients that speak MCP by hand so that a test sees what is on the wire.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};
use stationmaster_mcp::{
    ApiReply, ApiRequest, Carrier, CarrierError, HttpOptions, Identity, StdioOptions, http_service,
    serve_connection,
};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};

/// Answers requests in the order of its replies, then with an empty 200, and keeps what it was asked.
#[derive(Default)]
pub(crate) struct Script {
    replies: Mutex<VecDeque<Result<ApiReply, CarrierError>>>,
    asked: Mutex<Vec<ApiRequest>>,
}

impl Script {
    pub(crate) fn new(replies: impl IntoIterator<Item = (u16, Value)>) -> Arc<Self> {
        let replies = replies.into_iter().map(|(status, body)| {
            Ok(ApiReply {
                status,
                body,
                retry_after: None,
            })
        });
        Self::with(replies)
    }

    pub(crate) fn with(
        replies: impl IntoIterator<Item = Result<ApiReply, CarrierError>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            replies: Mutex::new(replies.into_iter().collect()),
            asked: Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> Vec<ApiRequest> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Carrier for Script {
    async fn call(&self, request: ApiRequest) -> Result<ApiReply, CarrierError> {
        self.asked.lock().unwrap().push(request);
        let next = self.replies.lock().unwrap().pop_front();
        next.unwrap_or_else(|| {
            Ok(ApiReply {
                status: 200,
                body: json!({}),
                retry_after: None,
            })
        })
    }
}

pub(crate) fn jordan() -> Identity {
    Identity {
        agent_id: Some("jordan".to_owned()),
        session_key: Some("session-7".to_owned()),
    }
}

/// A client on the other end of a stdio connection.
pub(crate) struct Wire {
    input: WriteHalf<DuplexStream>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    last_id: u64,
}

impl Wire {
    pub(crate) async fn send(&mut self, message: &Value) {
        self.input
            .write_all(format!("{message}\n").as_bytes())
            .await
            .unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(10), self.output.next_line()).await;
        serde_json::from_str(
            &line
                .expect("an answer in time")
                .unwrap()
                .expect("an answer before the end"),
        )
        .unwrap()
    }

    /// Sends a request and gives the whole response.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        self.send(
            &json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }),
        )
        .await;
        let response = self.receive().await;
        assert_eq!(response["id"], self.last_id, "{response}");
        response
    }

    pub(crate) async fn open(&mut self, version: &str) -> Value {
        let client = json!({ "name": "test", "version": "1" });
        let params =
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
        let opened = self.ask("initialize", params).await;
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await;
        opened
    }

    /// Calls the tool and gives its result.
    pub(crate) async fn act(&mut self, arguments: Value) -> Value {
        let response = self
            .ask(
                "tools/call",
                json!({ "name": "mission_control", "arguments": arguments }),
            )
            .await;
        response["result"].clone()
    }
}

/// Serves over a stdio connection while `test` plays the client; the end of the input must end the service.
pub(crate) async fn over_stdio(
    script: Arc<Script>,
    identity: Identity,
    test: impl AsyncFnOnce(&mut Wire),
) {
    let (client, server) = tokio::io::duplex(1 << 20);
    let (input, output) = tokio::io::split(server);
    let serving = serve_connection(script, identity, StdioOptions::default(), input, output);
    let playing = async {
        let (output, input) = tokio::io::split(client);
        let mut wire = Wire {
            input,
            output: BufReader::new(output).lines(),
            last_id: 0,
        };
        test(&mut wire).await;
        wire.input.shutdown().await.unwrap();
        while wire.output.next_line().await.unwrap().is_some() {}
    };
    let both = async { tokio::join!(serving, playing).0 };
    tokio::time::timeout(Duration::from_secs(30), both)
        .await
        .expect("the service ends")
        .unwrap();
}

/// Calls the tool once over stdio, as jordan, and gives its result.
pub(crate) async fn act(script: Arc<Script>, arguments: Value) -> Value {
    let mut result = Value::Null;
    over_stdio(script, jordan(), async |wire| {
        wire.open("2025-11-25").await;
        result = wire.act(arguments).await;
    })
    .await;
    result
}

/// Serves over HTTP on a free port while `test`, given the address, plays the client.
pub(crate) async fn over_http(
    script: Arc<Script>,
    options: HttpOptions,
    test: impl AsyncFnOnce(&str),
) {
    // The client below wants a provider of TLS even for plain HTTP; another test may have set it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let router = axum::Router::new().route_service("/mcp", http_service(script, options));
    tokio::select! {
        served = axum::serve(listener, router) => panic!("the server ended: {served:?}"),
        () = test(&url) => {}
    }
}

/// A POST as an MCP client makes it; the caller adds what the test is about.
pub(crate) fn post(url: &str, message: &Value) -> reqwest::RequestBuilder {
    reqwest::Client::new()
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .timeout(Duration::from_secs(10))
        .body(message.to_string())
}

pub(crate) async fn answered(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}")),
    )
}
