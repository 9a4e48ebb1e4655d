//! The tool that reads skills (agent-runtime §6). Only turns whose prompt leaves something of the
//! skills out have it.

use serde_json::json;

use super::arguments::Kind;
use super::own::{Call, OwnTool, optional, required};
use super::{Done, Refusal};

pub(super) static LOAD: OwnTool = OwnTool {
    name: "load_skill",
    description: "Reads a skill: its instructions, or with `resource` another file of its folder. It changes nothing.",
    fields: &[
        required("name", Kind::Text, "The skill's name"),
        optional(
            "resource",
            Kind::Text,
            "A file's path in the skill's folder, such as references/style.md; the instructions when left out",
        ),
    ],
    run: |call| Box::pin(load(call)),
};

async fn load(mut call: Call<'_>) -> Result<Done, Refusal> {
    let (name, file) = (
        call.arguments.required("name"),
        call.arguments.text("resource"),
    );
    let Some(skills) = &call.caller.skills else {
        return Err(Refusal(
            "there are no skills to load in this turn".to_owned(),
        ));
    };
    let loaded = skills.load(name, file).await.map_err(Refusal)?;
    let summary = format!("read {} of {}", loaded.file, loaded.name);
    let mut result = json!({ "name": loaded.name, "file": loaded.file, "content": loaded.content });
    if !loaded.files.is_empty() {
        result["files"] = json!(loaded.files);
    }
    Ok(Done { result, summary })
}
