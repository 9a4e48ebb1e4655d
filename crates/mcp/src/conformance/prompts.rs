//! The prompts the suite asks for, and completion of their arguments.

use rmcp::{
    ErrorData,
    model::{
        CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock,
        GetPromptRequestParams, GetPromptResult, Prompt, PromptArgument, PromptMessage,
        ResourceContents, Role,
    },
};
use serde_json::Value;

use super::IMAGE;

/// The prompts that can be listed.
pub(super) fn all() -> Vec<Prompt> {
    let argument = |name: &str, description: &str| {
        PromptArgument::new(name)
            .with_description(description)
            .with_required(true)
    };
    vec![
        Prompt::new(
            "test_simple_prompt",
            Some("A prompt without arguments"),
            None,
        ),
        Prompt::new(
            "test_prompt_with_arguments",
            Some("A prompt with two arguments"),
            Some(vec![
                argument("arg1", "First test argument"),
                argument("arg2", "Second test argument"),
            ]),
        ),
        Prompt::new(
            "test_prompt_with_embedded_resource",
            Some("A prompt that holds a resource"),
            Some(vec![argument(
                "resourceUri",
                "URI of the resource to embed",
            )]),
        ),
        Prompt::new(
            "test_prompt_with_image",
            Some("A prompt that holds an image"),
            None,
        ),
    ]
}

/// The messages of a prompt.
pub(super) fn get(request: &GetPromptRequestParams) -> Result<GetPromptResult, ErrorData> {
    let given = |name: &str| {
        let value = request
            .arguments
            .as_ref()
            .and_then(|arguments| arguments.get(name));
        value
            .and_then(Value::as_str)
            .ok_or_else(|| ErrorData::invalid_params(format!("{name} is missing"), None))
    };
    let content = match request.name.as_str() {
        "test_simple_prompt" => vec![ContentBlock::text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (first, second) = (given("arg1")?, given("arg2")?);
            vec![ContentBlock::text(format!(
                "Prompt with arguments: arg1='{first}', arg2='{second}'"
            ))]
        }
        "test_prompt_with_embedded_resource" => vec![
            ContentBlock::resource(ResourceContents::text(
                "Embedded resource content for testing.",
                given("resourceUri")?,
            )),
            ContentBlock::text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![
            ContentBlock::image(IMAGE, "image/png"),
            ContentBlock::text("Please analyze the image above."),
        ],
        other => {
            return Err(ErrorData::invalid_params(
                format!("there is no prompt {other}"),
                None,
            ));
        }
    };
    let messages = content
        .into_iter()
        .map(|content| PromptMessage::new(Role::User, content))
        .collect();
    Ok(GetPromptResult::new(messages))
}

/// Completes an argument from a few words that begin as it does.
pub(super) fn complete(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let begun = request.argument.value.as_str();
    let values = ["paris", "park", "party", "test"]
        .into_iter()
        .filter(|word| word.starts_with(begun));
    CompletionInfo::with_all_values(values.map(str::to_owned).collect())
        .map(CompleteResult::new)
        .map_err(|message| ErrorData::internal_error(message, None))
}
