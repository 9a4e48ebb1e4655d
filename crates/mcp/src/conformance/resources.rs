//! The resources the suite reads.

use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use super::IMAGE;

/// The resources that can be listed.
pub(super) fn all() -> Vec<Resource> {
    [
        (
            "test://static-text",
            "static-text",
            "A text that never changes",
            "text/plain",
        ),
        (
            "test://static-binary",
            "static-binary",
            "An image that never changes",
            "image/png",
        ),
        (
            "test://watched-resource",
            "watched-resource",
            "A resource to subscribe to",
            "text/plain",
        ),
    ]
    .into_iter()
    .map(|(uri, name, description, mime_type)| {
        Resource::new(uri, name)
            .with_description(description)
            .with_mime_type(mime_type)
    })
    .collect()
}

/// The one that takes a parameter.
pub(super) fn template() -> ResourceTemplate {
    ResourceTemplate::new("test://template/{id}/data", "template-data")
        .with_description("Data made from an id")
        .with_mime_type("application/json")
}

/// Reads a fixture; `None` if `uri` is not one's.
pub(super) fn read(uri: &str) -> Option<ReadResourceResult> {
    let contents = match uri {
        "test://static-text" => {
            ResourceContents::text("This is the content of the static text resource.", uri)
        }
        "test://static-binary" => ResourceContents::blob(IMAGE, uri).with_mime_type("image/png"),
        "test://watched-resource" => ResourceContents::text("Watched, and never changing.", uri),
        _ => {
            let id = uri
                .strip_prefix("test://template/")?
                .strip_suffix("/data")?;
            let data =
                json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
        }
    };
    Some(ReadResourceResult::new(vec![contents]))
}
