//! A server with known secrets and those who call it.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use stationmaster_credentials::{Algorithm, Minter, Secret, TokenKey};
use stationmaster_testkit::server::{Server, ServerBuilder, program};

use super::sse::Events;
use super::wait::PATIENCE;

pub(crate) const JWT_SECRET: &str = "the secret that agents' tokens are signed with";
pub(crate) const INTERNAL_TOKEN: &str = "the token of the dispatcher and its kin";
pub(crate) const ADMIN_TOKEN: &str = "mc_adm_the_token_of_the_operator";

/// A server that knows the secrets above.
pub(crate) fn builder() -> ServerBuilder {
    bare_builder()
        .environment("AGENT_JWT_SECRET", JWT_SECRET)
        .environment("INTERNAL_API_TOKEN", INTERNAL_TOKEN)
        .environment("MC_ADMIN_TOKEN", ADMIN_TOKEN)
}

/// A server that is told nothing.
pub(crate) fn bare_builder() -> ServerBuilder {
    ServerBuilder::new(program(env!("CARGO_BIN_EXE_stationmaster")))
}

/// A token as the program's own library mints it.
pub(crate) fn agent_token(tenant: &str, role: &str) -> String {
    let secret = Secret::new(JWT_SECRET).expect("a secret");
    Minter::new(TokenKey::new(&secret, Algorithm::Hs256))
        .mint(tenant, role)
        .expect("a token")
}

/// A running server.
pub(crate) struct Api {
    pub server: Server,
    client: Client,
}

impl Api {
    pub(crate) fn start() -> Self {
        Self::of(builder().start())
    }

    pub(crate) fn of(server: Server) -> Self {
        // The client library wants TLS to be there, though nothing here uses it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .build()
            .expect("a client");
        Self { server, client }
    }

    /// Somebody without a credential.
    pub(crate) fn stranger(&self) -> Caller {
        Caller {
            client: self.client.clone(),
            url: self.server.url().to_owned(),
            headers: Vec::new(),
        }
    }

    /// An agent with a good token.
    pub(crate) fn agent(&self, tenant: &str, role: &str) -> Caller {
        self.stranger()
            .header("X-Agent-Token", &agent_token(tenant, role))
    }

    pub(crate) fn internal(&self) -> Caller {
        self.stranger().header("X-Internal-Token", INTERNAL_TOKEN)
    }

    pub(crate) fn operator(&self) -> Caller {
        self.stranger().bearer(ADMIN_TOKEN)
    }
}

/// Who calls: what every request of theirs carries.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client,
    url: String,
    headers: Vec<(String, String)>,
}

impl Caller {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// The same caller of a server at another address.
    pub(crate) fn at(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    /// Posts to a server that may die of something else meanwhile; `None` when no answer came.
    pub(crate) async fn try_post(&self, path: &str, body: Value) -> Option<Answer> {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json")
            .body(body.to_string());
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.ok()?;
        Some(Answer {
            request: format!("POST {path}"),
            status,
            headers,
            text,
        })
    }

    /// `path` is under `/api/mission-control/` unless it begins with a slash.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.url),
            None => format!("{}/api/mission-control/{path}", self.url),
        };
        let mut request = self.client.request(method, url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body.to_string().into())).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(body.to_string().into()))
            .await
    }

    /// A POST without body and content type.
    pub(crate) async fn post_nothing(&self, path: &str) -> Answer {
        self.send("POST", path, None).await
    }

    /// Any method; the body, if there is one, is said to be JSON.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<reqwest::Body>,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.request(method.clone(), path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let response = request.send().await.expect("an answer");
        Answer::read(format!("{method} {path}"), response).await
    }

    /// The status alone, of a request with an empty object where a body is due; what follows may
    /// be endless.
    pub(crate) async fn status(&self, method: &str, path: &str) -> u16 {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.request(method.clone(), path);
        if method != Method::GET {
            request = request
                .header("content-type", "application/json")
                .body("{}");
        }
        let response = request.send().await.expect("an answer");
        response.status().as_u16()
    }

    /// The events stream, opened with this query.
    pub(crate) async fn events(&self, query: &str) -> Events {
        let request = self.request(Method::GET, &format!("events{query}"));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200, "events{query}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events::of(response)
    }

    /// The stream that answers a POST, if a stream does.
    pub(crate) async fn stream(&self, path: &str, body: Value) -> Result<Events, Answer> {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json")
            .body(body.to_string());
        let response = request.send().await.expect("an answer");
        if response.headers()["content-type"] == "text/event-stream" {
            assert_eq!(response.status().as_u16(), 200, "{path}");
            return Ok(Events::of(response));
        }
        Err(Answer::read(format!("POST {path}"), response).await)
    }

    /// A task of this title; its id.
    pub(crate) async fn task(&self, title: &str) -> String {
        let body = serde_json::json!({ "title": title });
        self.post("tasks", body).await.ok().id()
    }

    /// The items of a list, all in one page.
    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        let list = self.get(path).await.ok();
        list["items"].as_array().expect("items").clone()
    }
}

/// What a server said.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    request: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    async fn read(request: String, response: Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.expect("a whole answer");
        Self {
            request,
            status,
            headers,
            text,
        }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text))
    }

    /// The body of a 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:#?}");
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        self.json()
    }

    /// The body of a refusal, in the one shape of every refusal (§4).
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        let body = self.json();
        let members = body.as_object().expect("an object");
        let error = members["error"].as_str().expect("an error that is text");
        assert!(!error.is_empty(), "{self:?}");
        assert_eq!(members["code"], code, "{self:?}");
        assert!(
            members.get("details").is_none_or(Value::is_object),
            "{self:?}"
        );
        assert!(
            members
                .keys()
                .all(|key| ["error", "code", "details"].contains(&key.as_str())),
            "{self:?}"
        );
        body
    }

    /// The fields that a 400 finds fault with.
    #[track_caller]
    pub(crate) fn faults(&self) -> Vec<String> {
        let body = self.refused(400, "invalid_request");
        let errors = body["details"]["errors"].as_array().expect("errors");
        assert_eq!(
            body["details"]["field"], errors[0]["field"],
            "the first fault: {body}"
        );
        errors
            .iter()
            .map(|error| error["field"].as_str().expect("a field").to_owned())
            .collect()
    }
}

/// Shorthands for reading JSON.
pub(crate) trait Json {
    fn id(&self) -> String;
    /// The member as text.
    fn text(&self, name: &str) -> String;
}

impl Json for Value {
    #[track_caller]
    fn id(&self) -> String {
        self.text("id")
    }

    #[track_caller]
    fn text(&self, name: &str) -> String {
        self[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} is no text in {self}"))
            .to_owned()
    }
}
