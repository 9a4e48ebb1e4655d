//! Kinds of tasks, what they may cost, and what a self-review of each looks at.

use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;

/// What kind of work a task is (OpenClaw contract §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskKind {
    Content,
    Social,
    EmailMarketing,
    CustomerResearch,
    SeoResearch,
    Engineering,
    Docs,
    Ops,
}

use TaskKind::{
    Content, CustomerResearch, Docs, EmailMarketing, Engineering, Ops, SeoResearch, Social,
};

impl TaskKind {
    pub const ALL: [Self; 8] = [
        Content,
        Social,
        EmailMarketing,
        CustomerResearch,
        SeoResearch,
        Engineering,
        Docs,
        Ops,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Content => "CONTENT",
            Social => "SOCIAL",
            EmailMarketing => "EMAIL_MARKETING",
            CustomerResearch => "CUSTOMER_RESEARCH",
            SeoResearch => "SEO_RESEARCH",
            Engineering => "ENGINEERING",
            Docs => "DOCS",
            Ops => "OPS",
        }
    }

    /// The kind of this name, in upper snake case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What a task of this kind may cost unless somebody says otherwise (§5.4).
    #[must_use]
    pub fn budget(self) -> MicroUsd {
        MicroUsd::dollars(match self {
            Content => 6,
            Social => 2,
            EmailMarketing | SeoResearch => 4,
            CustomerResearch => 5,
            Engineering => 8,
            Docs | Ops => 3,
        })
    }

    /// What a self-review of such work looks at (§5.5).
    #[must_use]
    pub fn checklist(self) -> &'static [&'static str] {
        match self {
            Content => &[
                "Intent and audience are clear",
                "The structure carries the reader",
                "Evidence is cited",
                "There is a call to action",
                "Grammar and spelling are right",
                "The tone is the brand's",
                "Media have alternative text",
                "Links work",
            ],
            Engineering => &[
                "It builds",
                "Tests pass",
                "No secrets are in the change",
                "Errors are handled",
                "Edge cases are covered",
                "The way back is written down",
                "Performance was considered",
                "Documentation is current",
                "It follows the house style",
            ],
            CustomerResearch => &[
                "Sources are credible",
                "The method is described",
                "Confidence is stated",
                "Limits and counter-evidence are named",
                "Findings are summed up",
                "The advice can be acted on",
                "Data are fresh",
                "Charts are right",
            ],
            Social => &[
                "The hook works",
                "The voice is the brand's",
                "It fits the platform",
                "Hashtags are chosen",
                "There is a call to action",
                "Media have the right size",
                "Disclosures are made",
                "The posting time is set",
            ],
            EmailMarketing => &[
                "The subject works",
                "The preview text works",
                "Personalisation is right",
                "Links are tracked",
                "There is a way to unsubscribe",
                "The layout works on a phone",
                "CAN-SPAM and GDPR are met",
                "The segment is right",
                "The send time is set",
            ],
            SeoResearch => &[
                "Keywords are listed",
                "Volume and competition are given",
                "Search intent is named",
                "Competitors are compared",
                "Content gaps are found",
                "Technical faults are listed",
                "Advice is ranked",
                "Sources are named",
            ],
            Docs => &[
                "The audience is named",
                "Prerequisites are listed",
                "Steps are in order",
                "Examples were run",
                "Images are current",
                "Troubleshooting is covered",
                "Related pages are linked",
                "Version and date are given",
            ],
            Ops => &[
                "The change is recorded",
                "The way back was tried",
                "People were told",
                "Monitoring is in place",
                "There is a backup",
                "It was verified afterwards",
                "The runbook is current",
                "The incident plan is known",
            ],
        }
    }
}
