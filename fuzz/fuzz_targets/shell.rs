//! Judges whatever is given as a command. It must neither panic nor take long, and what is denied alone
//! must be denied in a chain.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use stationmaster_policy::{Action, Agent, Context, Decision, Rank, Rules, Status, decide};

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(Rules::built_in);

fn judge(command: &str) -> Decision {
    let agent = Agent {
        rank: Rank::Specialist,
        status: Status::Active,
        allowed_tools: None,
        workspace: Some("/work/agent".to_owned()),
        home: Some("/home/agent".to_owned()),
        can_spawn: true,
    };
    decide(&RULES, &Action::command("exec", command), &agent, &Context::default()).decision
}

fuzz_target!(|bytes: &[u8]| {
    let command = String::from_utf8_lossy(bytes);
    let alone = judge(&command);
    if alone == Decision::Deny {
        assert_eq!(judge(&format!("ls\n{command}")), Decision::Deny, "{command:?}");
    }
});
