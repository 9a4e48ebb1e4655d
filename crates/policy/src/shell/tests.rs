//! The reader against a whole grammar: wherever the grammar sees a command, the reader must see it too.

use brush_parser::ast::{
    AndOr, Command as Seen, CommandPrefixOrSuffixItem, CompoundCommand, CompoundList, Pipeline,
    Program, SimpleCommand,
};
use proptest::prelude::*;

use super::read::read;
use super::script::Command;

const KEYWORDS: [&str; 16] = [
    "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "for", "select", "while",
    "until", "function", "coproc", "time",
];

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
}

/// The commands that a grammar sees, those with nothing but plain words.
fn seen_by_grammar(script: &str) -> Option<Vec<Vec<String>>> {
    let mut parser = brush_parser::Parser::builder()
        .enable_extended_globbing(false)
        .build(script.as_bytes());
    let Program { complete_commands } = parser.parse_program().ok()?;
    let mut seen = Vec::new();
    complete_commands
        .iter()
        .for_each(|list| in_list(list, &mut seen));
    Some(seen)
}

fn in_list(list: &CompoundList, seen: &mut Vec<Vec<String>>) {
    for item in &list.0 {
        in_pipeline(&item.0.first, seen);
        for next in &item.0.additional {
            let (AndOr::And(pipeline) | AndOr::Or(pipeline)) = next;
            in_pipeline(pipeline, seen);
        }
    }
}

fn in_pipeline(pipeline: &Pipeline, seen: &mut Vec<Vec<String>>) {
    for command in &pipeline.seq {
        match command {
            Seen::Simple(command) => in_simple(command, seen),
            Seen::Compound(command, _) => in_compound(command, seen),
            Seen::Function(function) => in_compound(&function.body.0, seen),
            Seen::ExtendedTest(..) => {}
        }
    }
}

fn in_compound(command: &CompoundCommand, seen: &mut Vec<Vec<String>>) {
    match command {
        CompoundCommand::Arithmetic(_) => {}
        CompoundCommand::ArithmeticForClause(clause) => in_list(&clause.body.list, seen),
        CompoundCommand::BraceGroup(group) => in_list(&group.list, seen),
        CompoundCommand::Subshell(subshell) => in_list(&subshell.list, seen),
        CompoundCommand::ForClause(clause) => in_list(&clause.body.list, seen),
        CompoundCommand::CaseClause(clause) => {
            clause
                .cases
                .iter()
                .filter_map(|case| case.cmd.as_ref())
                .for_each(|list| in_list(list, seen));
        }
        CompoundCommand::IfClause(clause) => {
            in_list(&clause.condition, seen);
            in_list(&clause.then, seen);
            for other in clause.elses.iter().flatten() {
                other.condition.iter().for_each(|list| in_list(list, seen));
                in_list(&other.body, seen);
            }
        }
        CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
            in_list(&clause.0, seen);
            in_list(&clause.1.list, seen);
        }
        CompoundCommand::Coprocess(coprocess) => {
            let mut inner = Vec::new();
            let body = Pipeline {
                timed: None,
                bang: false,
                seq: vec![(*coprocess.body).clone()],
            };
            in_pipeline(&body, &mut inner);
            // `coproc name if …` that never becomes whole is an error for bash, not a command `name`.
            inner.retain(|words| {
                words
                    .get(1)
                    .is_none_or(|word| !KEYWORDS.contains(&word.as_str()))
            });
            seen.extend(inner);
        }
    }
}

fn in_simple(command: &SimpleCommand, seen: &mut Vec<Vec<String>>) {
    let items = command.suffix.iter().flat_map(|suffix| &suffix.0);
    let rest = items.filter_map(|item| match item {
        CommandPrefixOrSuffixItem::Word(word)
        | CommandPrefixOrSuffixItem::AssignmentWord(_, word) => Some(word),
        CommandPrefixOrSuffixItem::IoRedirect(_)
        | CommandPrefixOrSuffixItem::ProcessSubstitution(..) => None,
    });
    let words: Vec<String> = command
        .word_or_name
        .iter()
        .chain(rest)
        .map(|word| word.value.clone())
        .collect();
    // A second `time` is a keyword for bash, and a program for this grammar.
    let times = words.iter().take_while(|word| *word == "time").count();
    let words = words[times..].to_vec();
    let is_broken = times > 0
        && words
            .first()
            .is_none_or(|word| KEYWORDS.contains(&word.as_str()));
    if !words.is_empty() && !is_broken && words.iter().all(|word| is_plain(word)) {
        seen.push(words);
    }
}

fn seen_by_reader(script: &str) -> Vec<Vec<String>> {
    let script = read(script, Vec::new());
    let texts = |command: Command| -> Vec<String> {
        let words = command.words.into_iter().map(|word| word.text);
        words.skip_while(|word| word == "time").collect()
    };
    script.commands.into_iter().map(texts).collect()
}

fn check(script: &str) -> Result<(), TestCaseError> {
    let Some(expected) = seen_by_grammar(script) else {
        return Ok(());
    };
    let found = seen_by_reader(script);
    for command in expected {
        prop_assert!(
            found.contains(&command),
            "{script:?}: {command:?} is not among {found:?}"
        );
    }
    Ok(())
}

#[test]
fn commands_of_known_scripts_are_seen() {
    for script in [
        "ls; rm x",
        "if a; then b; elif c; then d; else e; fi; f",
        "case x in a) b;; (c|d) e;; *) f; esac; g",
        "f() { a; }; function g { b; }; h() (c)",
        "for i in a b; do c; done; for ((i=0;i<3;i++)); do d; done",
        "while a; do b; done | c & d",
        "cat <<E <<-F\na\nE\n\tb\n\tF\nc",
        "coproc a b; coproc N { c; }",
        "[[ a && b || ( c ) ]] && d",
        "(( 1 < 2 )); a; echo $((1 << 2)); b",
        "a 2>&1 >b <c d",
        "! a | b; time c; time -p d",
    ] {
        assert!(
            seen_by_grammar(script).is_some_and(|seen| !seen.is_empty()),
            "{script}"
        );
        check(script).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_a_grammar_sees_as_a_command_the_reader_sees_too(
        parts in prop::collection::vec(prop::sample::select(&[
            "rm -rf x", "ls", "a b", "if ls; then", "else", "fi", "{", "}", "(", ")", ";", "\n", "&&", "||", "|", "&", "case x in", "a)", "a|b)", ";;", "esac",
            "for i in a b; do", "for i; do", "for ((i=0;i<1;i++)); do", "done", "while ls; do", "until ls; do", "echo $(ls)", "echo `ls`", "'q;'", "\"q;\"", "\\;", "cat <<E\nx\nE\n", "<<< x", "> out", "2>&1", "< in",
            "[[ a && b ]]", "((1<2))", "f()", "function g", "coproc", "coproc N {", "time", "!", "# c\n", "X=1", "A=(1 2)", "{a,b}", "\\\n", "${x:-)}", "$((1<<2))", "select i in a; do",
        ][..]), 1..9),
    ) {
        check(&parts.join(" "))?;
    }
}
