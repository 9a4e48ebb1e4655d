//! Where traces are sent, under the names that OpenTelemetry gives these settings.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use stationmaster_credentials::Secret;

use super::source::Source;

/// Where traces go, and what they say.
#[derive(Debug, Clone)]
pub(crate) struct TelemetrySettings {
    /// The whole URL.
    pub endpoint: String,
    pub service: String,
    /// Whether spans hold what was said.
    pub content: bool,
    headers: Vec<(String, Secret)>,
}

impl TelemetrySettings {
    /// `None` where no collector is named.
    ///
    /// # Errors
    /// For what cannot work.
    pub(super) fn read(source: &Source) -> Result<Option<Self>> {
        let own = source.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let shared = source.text("OTEL_EXPORTER_OTLP_ENDPOINT");
        let shared = shared.map(|base| format!("{}/v1/traces", base.trim_end_matches('/')));
        let Some(endpoint) = own.or(shared) else {
            return Ok(None);
        };
        let exporter = source.text("OTEL_TRACES_EXPORTER");
        if source.flag("OTEL_SDK_DISABLED")? || exporter.as_deref() == Some("none") {
            return Ok(None);
        }
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            bail!("the endpoint of traces, {endpoint:?}, must begin with http:// or https://");
        }
        let protocol = source
            .text("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            .or_else(|| source.text("OTEL_EXPORTER_OTLP_PROTOCOL"));
        if let Some(protocol) = protocol.filter(|it| it != "http/protobuf") {
            bail!(
                "traces are sent as http/protobuf, not as {protocol:?}: change OTEL_EXPORTER_OTLP_PROTOCOL and the endpoint's port"
            );
        }
        let headers = source
            .text("OTEL_EXPORTER_OTLP_TRACES_HEADERS")
            .or_else(|| source.text("OTEL_EXPORTER_OTLP_HEADERS"));
        Ok(Some(Self {
            endpoint,
            service: source
                .text("OTEL_SERVICE_NAME")
                .unwrap_or_else(|| "stationmaster".to_owned()),
            content: source.flag("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")?,
            headers: headers.map_or_else(|| Ok(Vec::new()), |text| headers_of(&text))?,
        }))
    }

    pub(crate) fn headers(&self) -> HashMap<String, String> {
        let exposed = |(name, value): &(String, Secret)| (name.clone(), value.expose().to_owned());
        self.headers.iter().map(exposed).collect()
    }
}

/// `name=value` pairs between commas; values may hold `%20` and its like. No error shows a value.
fn headers_of(text: &str) -> Result<Vec<(String, Secret)>> {
    let mut headers = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let number = headers.len() + 1;
        let (name, value) = pair.split_once('=').with_context(|| {
            format!("header {number} of OTEL_EXPORTER_OTLP_HEADERS is not name=value")
        })?;
        let value = decoded(value.trim());
        let value = value.and_then(|value| Secret::new(&value));
        let value = value.with_context(|| {
            format!("the value of header {number} of OTEL_EXPORTER_OTLP_HEADERS is not usable")
        })?;
        headers.push((name.trim().to_owned(), value));
    }
    Ok(headers)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(2..)?;
    }
    let is_visible = bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    String::from_utf8(bytes).ok().filter(|_| is_visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<TelemetrySettings>> {
        TelemetrySettings::read(&Source::of(pairs))
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    #[test]
    fn nothing_is_sent_unless_somebody_says_where() {
        assert!(read(&[("OTEL_SERVICE_NAME", "x")]).unwrap().is_none());
        assert!(
            read(&[BASE, ("OTEL_SDK_DISABLED", "true")])
                .unwrap()
                .is_none()
        );
        assert!(
            read(&[BASE, ("OTEL_TRACES_EXPORTER", "none")])
                .unwrap()
                .is_none()
        );
        let found = read(&[BASE]).unwrap().unwrap();
        assert_eq!(found.endpoint, "http://collector:4318/v1/traces");
        assert_eq!(
            (found.service.as_str(), found.content),
            ("stationmaster", false)
        );
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/x");
        let found = read(&[BASE, own]).unwrap().unwrap();
        assert_eq!(found.endpoint, "https://other/x");
    }

    #[test]
    fn headers_are_read_and_kept_secret() {
        let headers = (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=1=2, authorization=Basic%20eA==",
        );
        let found = read(&[BASE, headers]).unwrap().unwrap();
        let expected = [("a", "1=2"), ("authorization", "Basic eA==")];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        assert_eq!(found.headers(), expected.map(owned).into());
        assert!(!format!("{found:?}").contains("eA=="), "{found:?}");
    }

    #[test]
    fn what_cannot_work_is_refused_and_no_value_shown() {
        for pair in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hush"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=hush%0a"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=hush%é"),
        ] {
            let error = read(&[BASE, pair]).unwrap_err();
            assert!(!format!("{error:#}").contains("hush"), "{error:#}");
        }
    }
}
