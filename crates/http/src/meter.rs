//! Counting requests: by route, method and status; never by anything a client can make up.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

/// Gives the metrics their help texts. Call once, after the recorder is installed.
pub fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_histogram};
    describe_counter!(
        "stationmaster_http_requests_total",
        "Requests by route, method and status"
    );
    describe_histogram!(
        "stationmaster_http_request_seconds",
        Unit::Seconds,
        "How long requests take"
    );
}

/// Counts and times every request; a path that no route knows counts as `other`.
pub async fn count(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method().as_str());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".into(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("stationmaster_http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!("stationmaster_http_request_seconds", "route" => route)
        .record(started.elapsed().as_secs_f64());
    response
}

fn known(method: &str) -> &'static str {
    ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|name| *name == method)
        .unwrap_or("other")
}
