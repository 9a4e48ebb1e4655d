//! A client whose provider is a stub, and the requests it is sent.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stationmaster_model::{
    Client, Config, Error, Message, Provider, Reply, Request, Retry, ToolSpec,
};
use stationmaster_testkit::model::StubModel;

pub(crate) const KEY: &str = "sk-test-key";

/// The providers that speak over a network.
pub(crate) const BOTH: [Provider; 2] = [Provider::OpenAi, Provider::Anthropic];

/// Long enough for any test that is not about time.
pub(crate) fn ample() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub(crate) fn config(provider: Provider, stub: &StubModel) -> Config {
    // The second test of the process finds it installed already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let base_url = match provider {
        Provider::Anthropic => stub.anthropic_url(),
        _ => stub.base_url(),
    };
    let retry = Retry {
        delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(4),
        ..Retry::default()
    };
    Config {
        api_key: Some(KEY.into()),
        base_url: Some(base_url),
        default_model: "first-model".to_owned(),
        retry,
        ..Config::new(provider)
    }
}

pub(crate) fn request() -> Request {
    Request {
        model: String::new(),
        system: "Be brief.".to_owned(),
        messages: vec![Message::User("What is open?".to_owned())],
        tools: [].into(),
        temperature: Some(0.4),
        max_tokens: 512,
    }
}

pub(crate) fn request_with_tools() -> Request {
    let parameters = json!({"type": "object", "properties": {"limit": {"type": "integer"}}});
    let tool = ToolSpec {
        name: "list_tasks".to_owned(),
        description: "Lists tasks.".to_owned(),
        parameters: parameters.into(),
    };
    Request {
        tools: [tool].into(),
        ..request()
    }
}

/// What the client makes of the stub's script.
pub(crate) async fn complete(config: Config) -> Result<Reply, Error> {
    Client::new(config)
        .unwrap()
        .complete(request(), ample())
        .await
}

/// The models that were asked, in order.
pub(crate) fn models_asked(stub: &StubModel) -> Vec<String> {
    let models = stub
        .requests()
        .into_iter()
        .map(|request| request.body["model"].clone());
    models
        .filter_map(|model| model.as_str().map(str::to_owned))
        .collect()
}

/// The body of the only request.
pub(crate) fn only_body(stub: &StubModel) -> Value {
    let mut requests = stub.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0).body
}
