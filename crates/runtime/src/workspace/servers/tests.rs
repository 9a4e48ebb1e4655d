use super::*;
use serde_json::json;

fn read_with(file: &Value, variables: &[(&str, &str)]) -> Servers {
    let variables = variables.iter();
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let machine = Machine::with_environment(variables);
    read(&file.to_string(), Path::new("/crew"), &machine)
}

fn one(entry: &Value) -> Servers {
    read_with(&json!({ "mcpServers": { "web": entry } }), &[])
}

#[test]
fn a_program_and_an_address_are_read_with_their_defaults() {
    let file = json!({ "mcpServers": {
        "files": { "type": "stdio", "command": "files", "args": ["--all"], "cwd": "tools", "env": { "KEY": "a ${A}${B} $C" } },
        "web": { "url": "http://127.0.0.1:1/mcp", "headers": { "authorization": "Bearer ${A}" },
            "timeoutSec": 120, "maxResultChars": 5 },
        "off": { "command": "x", "disabled": true },
    } });
    let servers = read_with(&file, &[("A", "secret-1"), ("B", "2"), ("PATH", "/bin")]);
    assert_eq!(servers.faults, []);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let program = Reach::program(
        "files".to_owned(),
        vec!["--all".to_owned()],
        vec![pair("PATH", "/bin"), pair("KEY", "a secret-12 $C")],
        "/crew/tools".into(),
    );
    let headers = [pair("authorization", "Bearer secret-1")];
    let address = Reach::address("http://127.0.0.1:1/mcp", &headers).unwrap();
    let names: Vec<&str> = servers.usable.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["files", "web"]);
    assert_eq!(servers.usable[0].reach, program);
    assert_eq!(servers.usable[0].timeout, Duration::from_secs(30));
    assert_eq!(servers.usable[0].result_chars, 20_000);
    assert_eq!(servers.usable[1].reach, address);
    assert_eq!(servers.usable[1].timeout, Duration::from_secs(120));
    assert_eq!(servers.usable[1].result_chars, 5);
    let shown = format!("{servers:?}");
    assert!(
        !shown.contains("Bearer") && !shown.contains("secret-1"),
        "{shown}"
    );
    let said = servers.usable[0].discreet("no secret-1, or 2, is known");
    assert_eq!(said, "no ***, or 2, is known");
}

#[test]
fn who_is_offered_what() {
    let role = |name: &str| name.parse::<Handle>().unwrap();
    let (writer, lead) = (role("writer"), role("lead"));
    let open = &one(&json!({ "command": "x" })).usable[0];
    assert!(open.is_for(&writer) && open.offers(&writer, "a") && !open.lists(&writer, "a"));
    let roles = json!({ "writer": ["a", "*"], "editor": ["a"], "guest": [] });
    let some = &one(&json!({ "command": "x", "roles": roles })).usable[0];
    assert!(some.offers(&writer, "a") && some.lists(&writer, "a"));
    assert!(some.offers(&writer, "b") && !some.lists(&writer, "b"));
    assert!(!some.lists(&writer, "*"));
    assert!(some.offers(&role("editor"), "a") && !some.offers(&role("editor"), "b"));
    for nobody in [lead, role("guest")] {
        assert!(!some.is_for(&nobody) && !some.offers(&nobody, "a"));
    }
}

#[test]
fn a_wrong_server_is_left_out_and_says_why() {
    let check = |entry: Value, part: &str| {
        let servers = one(&entry);
        assert_eq!(servers.usable, [], "{entry}");
        let fault = &servers.faults[0];
        assert!(fault.is_fatal && fault.reason.contains(part), "{fault:?}");
        assert_eq!(fault.server.as_deref(), Some("web"));
    };
    check(json!([]), "an object");
    check(json!({}), "either command or url");
    check(json!({ "command": "x", "url": "http://a" }), "either");
    check(json!({ "command": "" }), "command must be a text");
    check(
        json!({ "command": "x", "args": "y" }),
        "args must be a list",
    );
    check(
        json!({ "command": "x", "args": [1] }),
        "args must be a list",
    );
    check(json!({ "command": "x", "env": { "A": 1 } }), "env must be");
    check(
        json!({ "command": "x", "env": { "A": "${NO}" } }),
        "variable NO",
    );
    check(json!({ "command": "x", "env": { "A": "${NO" } }), "no }");
    check(json!({ "command": "x", "type": "http" }), "stdio");
    check(json!({ "command": "x", "disabled": "no" }), "true or false");
    check(json!({ "command": "x", "timeoutSec": 121 }), "1 to 120");
    check(json!({ "command": "x", "timeoutSec": 0 }), "1 to 120");
    check(json!({ "command": "x", "maxResultChars": "1" }), "100000");
    check(json!({ "command": "x", "roles": [] }), "roles must be");
    check(
        json!({ "command": "x", "roles": { "a b": [] } }),
        "cannot be a role",
    );
    check(
        json!({ "command": "x", "roles": { "a": "*" } }),
        "roles.a must be",
    );
    check(json!({ "url": "file:///x" }), "http://");
    check(json!({ "url": "nowhere" }), "URL is wrong");
    check(
        json!({ "url": "http://a", "headers": { "a b": "c" } }),
        "cannot be sent",
    );
    check(json!({ "url": "http://a", "type": "sse" }), "http");
}

#[test]
fn what_is_wrong_beside_a_server_does_not_keep_it_out() {
    let servers = read_with(
        &json!({ "inputs": [], "mcpServers": { "a__b": { "command": "x" }, "": {}, "ok": { "command": "x", "icon": "/" } } }),
        &[],
    );
    assert_eq!(servers.usable.len(), 1);
    let told = servers
        .faults
        .iter()
        .map(|it| (it.server.as_deref(), it.is_fatal));
    let expected = [
        (None, false),
        (Some("a__b"), true),
        (Some(""), true),
        (Some("ok"), false),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    for (text, line) in [
        ("{\n", Some(2)),
        ("[]", None),
        ("{}", None),
        ("{\n\"mcpServers\": []}", Some(2)),
        ("{\"mcpServers\":\n{\n\"a\": {}}}", Some(3)),
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"x\",\n\"args\": 1},\n\"b\": {\"command\": \"x\"}}}",
            Some(1),
        ),
    ] {
        let servers = read(text, Path::new("."), &Machine::default());
        let fault = &servers.faults[0];
        assert!(fault.is_fatal, "{fault:?}");
        assert_eq!(fault.line, line, "{fault:?}");
    }
    let many = (0..=MOST_SERVERS).map(|it| (format!("s{it}"), json!({ "command": "x" })));
    let many: Map<String, Value> = many.collect();
    let servers = read_with(&json!({ "mcpServers": many }), &[]);
    assert_eq!(
        (servers.usable.len(), servers.faults.len()),
        (MOST_SERVERS, 1)
    );
}
