//! The rules in force are put back as they were shown (§4, `PUT /policy`).

use serde_json::{Value, json};

use super::envelope::refused;
use super::world::{member, ok, shown};
use crate::support::Api;

async fn put(api: &Api, body: Value) -> Value {
    let body = Some(body.to_string().into());
    ok(api.operator().send("PUT", "/api/v1/policy", body).await)
}

#[tokio::test]
async fn what_is_shown_can_be_put_back() {
    let api = Api::start();
    let built_in = shown(&api, "/policy/active").await;
    assert_eq!(built_in["scope"], "BUILT_IN");
    let document = &built_in["document"];
    let bodies = [
        document.clone(),
        json!({"document": document}),
        built_in.clone(),
    ];
    for (version, body) in (1..).zip(bodies) {
        let now = put(&api, body).await;
        assert_eq!(
            (&now["scope"], &now["version"]),
            (&json!("GLOBAL"), &json!(version))
        );
        assert_eq!(&now["document"], document);
    }
    let global = shown(&api, "/policy/active").await;
    assert_eq!(put(&api, global).await["version"], 4);

    // A narrower scope comes with what is shown of it, or beside a bare document.
    member(&api, "jordan", "SPECIALIST", &[]).await;
    let mut bare = document.clone();
    bare["approvals"]["leadMayApproveYellow"] = json!(true);
    (bare["scope"], bare["scopeId"]) = (json!("AGENT"), json!("jordan"));
    let own = put(&api, bare).await;
    assert_eq!(
        (&own["scope"], &own["version"]),
        (&json!("AGENT"), &json!(1))
    );
    let path = "/policy/active?scope=AGENT&scopeId=jordan";
    let own = put(&api, shown(&api, path).await).await;
    assert_eq!(
        (&own["scope"], &own["version"]),
        (&json!("AGENT"), &json!(2))
    );
    assert_eq!(own["document"]["approvals"]["leadMayApproveYellow"], true);
    assert_eq!(shown(&api, "/policy/active").await["version"], 4);
}

#[tokio::test]
async fn a_bare_document_is_checked_like_any_other() {
    let api = Api::start();
    for (body, fault) in [
        (json!({}), "document"),
        (json!({"scope": "GLOBAL"}), "document"),
        (json!({"toolz": {}}), "document.toolz"),
        (json!({"document": {}, "toml": ""}), "document"),
    ] {
        let body = Some(body.to_string().into());
        let answer = api.operator().send("PUT", "/api/v1/policy", body).await;
        let error = refused(&answer, 400, "VALIDATION_ERROR");
        assert_eq!(error["details"]["errors"][0]["field"], fault, "{error}");
    }
}
