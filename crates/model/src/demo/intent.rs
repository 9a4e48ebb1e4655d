//! What the demo model takes a message to ask for.

/// The kinds of request it tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// Something is to be written.
    Document,
    /// Something is to be done later.
    Task,
    /// Anything else.
    Look,
}

/// A message, as far as the demo model understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) intent: Intent,
    /// The user's own words on one line, cut to what an answer quotes.
    pub(super) quote: String,
    /// What the thing asked for may be called.
    pub(super) title: String,
    /// The runtime asked for a plan as the answer itself; it stores that as a document.
    pub(super) is_kickoff: bool,
}

/// The runtime puts its own note before this, when a piece of work is kicked off.
const KICKOFF: &str = "User request: ";

const DOCUMENT: [&str; 9] = [
    "plan", "plans", "document", "report", "write", "draft", "summary", "memo", "notes",
];
const TASK: [&str; 3] = ["task", "tasks", "todo"];
const MAKE: [&str; 5] = ["create", "add", "open", "make", "new"];

/// What a request begins with that does not belong into a title.
const PREAMBLE: [&str; 25] = [
    "please", "can", "could", "would", "you", "kindly", "hi", "hello", "hey", "us", "me", "up",
    "write", "draft", "create", "add", "make", "prepare", "open", "new", "a", "an", "the", "let's",
    "now",
];

impl Wish {
    pub(super) fn read(message: &str) -> Self {
        let (note, request) = message.rsplit_once(KICKOFF).unwrap_or(("", message));
        let intent = intent(request);
        Self {
            intent,
            quote: cut(request, 160),
            title: title(request, intent),
            is_kickoff: !note.is_empty(),
        }
    }
}

fn intent(request: &str) -> Intent {
    let text = request
        .to_lowercase()
        .replace("follow-up", "follow up")
        .replace("to-do", "todo");
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let first = |list: &[&str]| words.iter().position(|word| list.contains(word));

    let document = first(&DOCUMENT);
    let task = first(&TASK);
    let make = first(&MAKE);
    // "Create a task to write the report" is about a task; "write a plan for the tasks" is not.
    if let (Some(make), Some(task)) = (make, task)
        && make < task
        && document.is_none_or(|document| task < document)
    {
        return Intent::Task;
    }
    if document.is_some() {
        return Intent::Document;
    }
    let follow_up = words.windows(2).any(|pair| pair == ["follow", "up"]);
    if follow_up || words.contains(&"todo") || words.contains(&"remind") {
        return Intent::Task;
    }
    Intent::Look
}

/// The request without its mentions, courtesies and verbs, as a heading.
fn title(request: &str, intent: Intent) -> String {
    let line = request
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let sentence = line
        .split_inclusive(['.', '?', '!'])
        .find(|part| part.trim().len() > 3)
        .unwrap_or(line);
    let mut words = sentence.split_whitespace().peekable();
    let mut about_tasks = false;
    while let Some(word) = words.peek() {
        let bare = word
            .trim_matches(|c: char| !c.is_alphanumeric() && c != '\'')
            .to_lowercase();
        let task_word = intent == Intent::Task
            && matches!(bare.as_str(), "task" | "todo" | "to-do" | "follow-up");
        let link_word = about_tasks
            && matches!(
                bare.as_str(),
                "to" | "for" | "that" | "called" | "named" | "titled"
            );
        if !(word.starts_with('@')
            || PREAMBLE.contains(&bare.as_str())
            || task_word
            || link_word
            || bare.is_empty())
        {
            break;
        }
        about_tasks |= task_word;
        words.next();
    }
    let rest = words.collect::<Vec<_>>().join(" ");
    let rest = rest.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '.' | '?' | '!' | ':' | ',' | '"')
    });
    let rest = cut(rest, 80);
    let mut letters = rest.chars();
    match (letters.next(), intent) {
        (Some(first), _) => first.to_uppercase().chain(letters).collect(),
        (None, Intent::Task) => "Follow up".to_owned(),
        (None, _) => "Draft".to_owned(),
    }
}

/// `text` on one line, cut after a whole word to at most `limit` characters.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = line.char_indices().nth(limit) else {
        return line;
    };
    let kept = &line[..end];
    let kept = kept.rsplit_once(' ').map_or(kept, |(words, _)| words);
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_are_read_from_the_words() {
        for (message, expected) in [
            ("Please write a plan for the open day", Intent::Document),
            ("Draft the quarterly report.", Intent::Document),
            ("Create a task to write the report", Intent::Task),
            ("Add a new task: call the printer", Intent::Task),
            ("Write a plan for the tasks ahead", Intent::Document),
            ("Follow-up with the printer on Monday", Intent::Task),
            ("Put it on the to-do list", Intent::Task),
            ("What is open?", Intent::Look),
            ("Which tasks are open?", Intent::Look),
            ("How did the planet form?", Intent::Look),
            ("", Intent::Look),
        ] {
            assert_eq!(intent(message), expected, "{message}");
        }
    }

    #[test]
    fn titles_keep_what_it_is_about() {
        for (message, expected) in [
            (
                "Please write a plan for the spring open day.",
                "Plan for the spring open day",
            ),
            (
                "@writer could you draft the quarterly report? Thanks!",
                "Quarterly report",
            ),
            ("Create a task to call the printer", "Call the printer"),
            ("add a new task: order paper", "Order paper"),
            ("Follow up with the printer", "Follow up with the printer"),
            ("write", "Draft"),
            ("create a task", "Follow up"),
            ("\n\nwrite a report\nwith numbers", "Report"),
        ] {
            assert_eq!(Wish::read(message).title, expected, "{message}");
        }
        assert!(
            Wish::read(&format!("write {}", "word ".repeat(60)))
                .title
                .chars()
                .count()
                <= 81
        );
    }

    #[test]
    fn a_kick_off_note_is_not_the_users_words() {
        let wish = Wish::read("Write a short plan first.\n\nUser request: find three schools");
        assert!(wish.is_kickoff);
        assert_eq!(
            (wish.quote.as_str(), wish.title.as_str()),
            ("find three schools", "Find three schools")
        );
        assert_eq!(wish.intent, Intent::Look);
    }

    #[test]
    fn long_text_is_cut_after_a_word() {
        assert_eq!(cut("one  two\nthree", 100), "one two three");
        assert_eq!(cut("one two three", 9), "one two…");
        assert_eq!(cut("ääääää", 3), "äää…");
    }
}
