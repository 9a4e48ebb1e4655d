//! What the model gets to read, and how near that is to its limit (agent-runtime §7).

use stationmaster_model::{Message, context_window};

use super::config::Config;
use super::request::Turn;

/// The history and the user's turn.
pub(super) fn opening(turn: &Turn) -> Vec<Message> {
    let mut messages = turn.history.clone();
    messages.push(Message::User(turn.user_turn.clone()));
    messages
}

/// A sentence for the caller when the prompt fills more of the window than it should.
pub(super) fn warning(
    model: &str,
    system: &str,
    messages: &[Message],
    config: &Config,
) -> Option<String> {
    let characters = system.chars().count() + messages.iter().map(length).sum::<usize>();
    let tokens = characters.div_ceil(4);
    let window = context_window(model);
    let percent = 100.0 * tokens as f64 / window as f64;
    (percent > config.context_warning_percent).then(|| {
        format!(
            "The conversation fills {percent:.1} % of the model's context window of {window} tokens. \
             Compact the history before the next turn."
        )
    })
}

fn length(message: &Message) -> usize {
    match message {
        Message::System(text) | Message::User(text) | Message::Assistant { text, .. } => {
            text.chars().count()
        }
        Message::ToolResult { content, .. } => content.chars().count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_names_the_percentage_and_the_window() {
        let config = Config::new("gpt-4");
        let warn = |system: usize, user: usize| {
            warning(
                &config.model,
                &"s".repeat(system),
                &[Message::User("ü".repeat(user))],
                &config,
            )
        };
        // Three quarters of 8,192 tokens are 24,576 characters.
        assert_eq!(warn(24_000, 576), None);
        let text = warn(24_000, 577).unwrap();
        assert!(
            text.contains("75.0 %") && text.contains("8192 tokens"),
            "{text}"
        );
        assert!(warn(0, 40_000).unwrap().contains("122.1 %"));
    }
}
