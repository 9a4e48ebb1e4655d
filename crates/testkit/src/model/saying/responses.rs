//! OpenAI's Responses.

use serde_json::{Value, json};

use super::Saying;

impl Saying {
    pub(super) fn response(&self) -> Value {
        json!({
            "id": format!("resp_{}", self.id),
            "object": "response",
            "status": "completed",
            "error": null,
            "incomplete_details": null,
            "model": self.model,
            "output": self.output(),
            "usage": {
                "input_tokens": self.prompt_tokens,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": self.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": self.prompt_tokens + self.completion_tokens,
            },
        })
    }

    fn output(&self) -> Vec<Value> {
        let text = self.text.iter();
        let text = text.map(|text| json!({"type": "output_text", "text": text, "annotations": []}));
        let refusal = self.refusal.iter();
        let refusal = refusal.map(|words| json!({"type": "refusal", "refusal": words}));
        let said: Vec<Value> = text.chain(refusal).collect();
        let message = (!said.is_empty()).then(
            || json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": said}),
        );
        let calls = self.tools.iter().map(|(number, name, arguments)| {
            json!({
                "type": "function_call",
                "id": format!("fc_{number}"),
                "call_id": format!("call_{number}"),
                "name": name,
                "arguments": super::raw(arguments),
                "status": "completed",
            })
        });
        message.into_iter().chain(calls).collect()
    }

    pub(super) fn response_events(&self) -> Vec<String> {
        let event = |kind: &str, mut data: Value| {
            data["type"] = json!(kind);
            format!("event: {kind}\ndata: {data}\n\n")
        };
        let mut events = vec![event(
            "response.created",
            json!({"response": {"id": format!("resp_{}", self.id), "status": "in_progress", "output": []}}),
        )];
        let text = self.text.as_deref().unwrap_or_default();
        events.extend(Self::pieces(text).map(|piece| {
            event(
                "response.output_text.delta",
                json!({"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": piece}),
            )
        }));
        for (index, item) in self.output().into_iter().enumerate() {
            let done = json!({"output_index": index, "item": item});
            events.push(event("response.output_item.done", done));
        }
        events.push(event(
            "response.completed",
            json!({"response": self.response()}),
        ));
        events
    }
}
