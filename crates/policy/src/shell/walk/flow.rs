//! What flows from one command into another: through pipes, substitutions and files.

use super::super::script::{Command, Direction, Redirect, Script, Word};
use super::{Look, Traits, Walk, paths_of, program};
use crate::finding::Violation;

impl Walk<'_, '_> {
    /// What flows from one command into another.
    pub(super) fn pipelines(&mut self, script: &Script, traits: &[Traits], look: Look, depth: usize) {
        for stages in &script.pipelines {
            let (Some(start), Some(end)) = (stages.first(), stages.last()) else {
                continue;
            };
            let last_shell = stages.windows(2).skip(1).rev().find(|stage| {
                let stage = traits.get(stage[0]..stage[1]).unwrap_or_default();
                stage.iter().any(|traits| traits.is_shell)
            });
            if let Some(stage) = last_shell {
                let before = traits.get(*start..stage[0]).unwrap_or_default();
                if let Some(downloader) = before.iter().find_map(|traits| traits.downloader.clone())
                {
                    self.deny_pipe(&downloader);
                }
                for text in before.iter().flat_map(|traits| &traits.prints) {
                    let text = text.replace("\\n", "\n");
                    self.script(&text, Vec::new(), Look::ForBlocked, depth + 1);
                }
            }
            for text in traits
                .get(*start..*end)
                .unwrap_or_default()
                .iter()
                .flat_map(|traits| &traits.prints)
            {
                // `echo -rf x | xargs rm`: what is printed becomes arguments.
                self.arguments_from(text, script, stages, depth);
            }
        }
        if look == Look::Closely {
            for (index, _) in traits
                .iter()
                .enumerate()
                .filter(|(_, traits)| traits.takes_arguments && !traits.is_shell)
            {
                if !arguments_are_known(index, script, traits) {
                    self.doubt("makes arguments of what is not known before it runs");
                }
            }
        }
    }

    pub(super) fn arguments_from(&mut self, text: &str, script: &Script, stages: &[usize], depth: usize) {
        let (Some(start), Some(end)) = (stages.get(1), stages.last()) else {
            return;
        };
        for command in script.commands.get(*start..*end).unwrap_or_default() {
            let runs = command
                .words
                .iter()
                .position(|word| program(&word.text) == "xargs");
            if let Some(at) = runs {
                let mut words = command.words[at..].to_vec();
                words.extend(text.split_whitespace().take(64).map(Word::plain));
                paths_of(&words, self.surroundings, self.found);
                self.words(&words, Look::ForBlocked, depth + 1);
            }
        }
    }

    /// A shell that is handed what a downloader prints.
    pub(super) fn substitutions(&mut self, script: &Script, traits: &[Traits]) {
        for (command, own) in script.commands.iter().zip(traits) {
            if let Some(downloader) = &own.downloader
                && command
                    .redirects
                    .iter()
                    .any(|redirect| feeds_shell(redirect, traits))
            {
                self.deny_pipe(downloader);
            }
            let runs_words = own.is_shell
                || command.words.first().is_some_and(|word| {
                    matches!(program(&word.text), "eval" | "." | "source") || word.is_unknown()
                });
            if !runs_words {
                continue;
            }
            let strings = command.redirects.iter().map(|redirect| match redirect {
                Redirect::File(_, word) | Redirect::HereString(word) => word.inner.clone(),
                Redirect::HereDocument(_) | Redirect::Descriptor => 0..0,
            });
            let inner = command
                .words
                .iter()
                .map(|word| word.inner.clone())
                .chain(strings);
            let inner: Vec<_> = inner.collect();
            for range in inner {
                let downloader = traits
                    .get(range)
                    .and_then(|traits| traits.iter().find_map(|traits| traits.downloader.clone()));
                if let Some(downloader) = downloader {
                    self.deny_pipe(&downloader);
                }
            }
        }
    }

    pub(super) fn deny_pipe(&mut self, downloader: &str) {
        if let Some(entry) = self.shell.pipe(downloader) {
            let reason = format!("Command matches blocked pattern: {entry}");
            self.found
                .deny(Violation::new("shell_blocklist", entry, reason));
        }
    }

    /// A file that is downloaded and run is a downloader piped into a shell, with a stop on the way.
    pub(super) fn match_downloads(&mut self) {
        let place = self.surroundings.place;
        let ran: Vec<String> = self
            .runs
            .iter()
            .map(|file| place.locate(file).to_string())
            .collect();
        let downloads = std::mem::take(&mut self.downloads);
        for (file, downloader) in downloads {
            let file = place.locate(&file).to_string();
            if ran.contains(&file) {
                self.deny_pipe(&downloader);
            }
        }
    }
}

/// Whether a redirection goes into a substitution with a shell in it.
fn feeds_shell(redirect: &Redirect, traits: &[Traits]) -> bool {
    let Redirect::File(Direction::Write, word) = redirect else {
        return false;
    };
    let inner = traits.get(word.inner.clone()).unwrap_or_default();
    inner.iter().any(|traits| traits.is_shell)
}

/// The names of files that other commands of the same pipeline were shown are as good as arguments.
fn arguments_are_known(index: usize, script: &Script, traits: &[Traits]) -> bool {
    let stages = script.pipelines.iter().find(|stages| {
        stages
            .windows(2)
            .skip(1)
            .any(|stage| (stage[0]..stage[1]).contains(&index))
    });
    let Some(stages) = stages else { return false };
    let before = traits.get(stages[0]..index).unwrap_or_default();
    let Some((first, rest)) = before.split_first() else {
        return false;
    };
    first.lists_names && rest.iter().all(|traits| traits.filters)
}
