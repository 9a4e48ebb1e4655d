//! What a tool gave, in few kinds.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::Value;

/// What a tool gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The tool did what it was asked, by its own word.
    pub ok: bool,
    /// Its texts, a line break between each two; a remark stands for what is not text.
    pub text: String,
    /// What it gave as data, unless the text says exactly that.
    pub data: Option<Value>,
}

impl From<CallToolResult> for Given {
    fn from(result: CallToolResult) -> Self {
        let texts: Vec<String> = result.content.into_iter().map(text).collect();
        let mut text = texts.join("\n");
        let data = result.structured_content.filter(|data| !data.is_null());
        // Older clients read the text alone, so servers say everything twice.
        if data.is_some() && serde_json::from_str(&text).ok() == data {
            text.clear();
        }
        Self {
            ok: result.is_error != Some(true),
            text,
            data,
        }
    }
}

fn text(block: ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text,
        ContentBlock::Image(image) => format!("[an image ({}), not shown]", image.mime_type),
        ContentBlock::Audio(audio) => format!("[a recording ({}), not shown]", audio.mime_type),
        ContentBlock::Resource(resource) => match resource.resource {
            ResourceContents::TextResourceContents { text, .. } => text,
            ResourceContents::BlobResourceContents { uri, .. } => {
                format!("[the resource {uri}, not shown]")
            }
            _ => "[a resource, not shown]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => format!("[the resource {}]", link.uri),
        _ => "[something that is not text, not shown]".to_owned(),
    }
}
