//! STAND-IN, replaced by the real crate.
#![allow(dead_code, unreachable_pub)]
mod action; mod agent; mod document; mod verdict;
pub use action::{Action, ActionKind}; pub use agent::*; pub use document::*; pub use verdict::*;
use std::sync::Arc;
#[derive(Debug)]
pub struct Rules { document: Document }
impl Rules {
    pub fn compile(d: &Document) -> Result<Self, Vec<Fault>> { Ok(Self { document: d.clone() }) }
    pub fn built_in() -> Arc<Self> { Arc::new(Self { document: Document::built_in() }) }
    pub fn document(&self) -> &Document { &self.document }
    pub fn family<'a>(&self, t: &'a str) -> &'a str { t }
}
pub fn decide(rules: &Rules, a: &Action, agent: &Agent, c: &Context) -> Verdict {
    let what = a.command.clone().or(a.path.clone()).or(a.url.clone()).unwrap_or_default();
    let fingerprint = a.fingerprint(rules);
    let mut v = Verdict { decision: Decision::Allow, risk: Risk::Green, reason: "Allowed".into(), violations: vec![], approval_required: None, fingerprint: fingerprint.clone(), standing: vec![], secrets: vec![] };
    if matches!(agent.status, Status::Paused | Status::Quarantined) { v.decision = Decision::Deny; v.violations = vec![format!("agent_status:{:?}", agent.status)]; return v; }
    if what.starts_with("rm -rf") && rules.document.shell.blocked.iter().any(|b| b == "rm -rf") { v.decision = Decision::Deny; v.risk = Risk::Red; v.reason = "Command matches blocked pattern: rm -rf".into(); v.violations = vec!["shell_blocklist:rm -rf".into()]; return v; }
    if what.starts_with("git push") || what.starts_with("terraform") || what.starts_with("https://unknown") {
        v.risk = Risk::Red;
        let rule = if a.url.is_some() { "network_not_allowlisted:unknown.example".to_owned() } else { format!("shell_not_allowlisted:{}", what.split(' ').next().unwrap_or_default()) };
        for s in &c.approvals { let hit = match &s.scope { Scope::Exact(f) => *f == fingerprint, Scope::Rule(r) => *r == rule, Scope::Named => true }; if hit && !s.expired { v.standing.push(s.id.clone()); return v; } }
        v.decision = Decision::NeedsApproval; v.reason = "Not allowlisted".into(); v.violations = vec![rule];
        v.approval_required = Some(ApprovalRequired { kind: ApprovalKind::ToolExec, suggested_justification: "x".into() });
    }
    v
}
pub fn redact(text: &str) -> (String, Vec<&'static str>) { (text.replace("AKIAIOSFODNN7EXAMPLE", "[REDACTED:aws]"), vec![]) }
