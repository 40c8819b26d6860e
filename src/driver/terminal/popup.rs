//! What can be chosen while a command is typed, above the draft; and Tab, which goes through it.

use crate::driver::terminal::complete::{Candidate, Completion, Popup, Slot};
use crate::driver::terminal::settings::Setting;
use crate::driver::terminal::view::{Focus, Prompt, View};
use crate::machine::Person;

/// People in the list, at most: nobody reads more.
const PEOPLE_MAX: usize = 256;

impl View {
    /// What to choose from; without rows, nothing.
    pub(crate) fn popup(&self) -> Popup {
        let typing = self.focus == Focus::Type && matches!(self.prompt, Prompt::Draft);
        if !typing || self.popup_closed {
            return Popup::default();
        }
        if let Some(completion) = &self.completion {
            return Popup { chosen: Some(completion.chosen()), ..completion.popup.clone() };
        }
        let (text, cursor) = (self.editor.text(), self.editor.cursor());
        if cursor < text.len() { Popup::default() } else { self.choices(text, cursor) }
    }

    /// What can stand at the cursor, where that is a part of a command.
    fn choices(&self, text: &str, cursor: usize) -> Popup {
        let (slot, part) = Slot::at(text, cursor, &self.by_recency());
        let part = &text[part];
        let people = self.people_for(slot);
        let candidates = slot.candidates(part, &people).into_iter().take(PEOPLE_MAX);
        let mut rows: Vec<[String; 2]> = candidates
            .map(|candidate| match (candidate, slot) {
                (Candidate::Command(help), _) => [help.usage.to_owned(), help.what.to_owned()],
                (Candidate::Value([word, what]), Slot::Value(help)) => {
                    let now = if self.setting(help.name) == Some(word) { "now: " } else { "" };
                    [word.to_owned(), format!("{now}{what}")]
                }
                (Candidate::Value([word, what]), _) => [word.to_owned(), what.to_owned()],
                (Candidate::Person(who), _) => [self.page.label(who), self.distance(who).1],
            })
            .collect();
        let title = match slot {
            Slot::Command | Slot::Explained => "Commands",
            Slot::Value(help) => {
                if help.name == "log" && part.is_empty() {
                    rows.push(["PATH".to_owned(), "write it to this file".to_owned()]);
                }
                "Values"
            }
            Slot::Somebody(_) => "People",
            Slot::Open(help) => {
                rows.push([help.usage.to_owned(), help.what.to_owned()]);
                "Command"
            }
            Slot::Text { .. } => return Popup::default(),
        };
        Popup { title, rows, chosen: None }
    }

    /// Who can stand there, in the order of preference.
    fn people_for(&self, slot: Slot) -> Vec<Person> {
        let people = match slot {
            Slot::Somebody(help) if help.name == "unignore" => {
                return self.page.ignored.values().cloned().collect();
            }
            Slot::Somebody(_) | Slot::Text { .. } => self.by_recency(),
            _ => return Vec::new(),
        };
        let trusted = |who: &Person| self.seen.get(&who.id).is_some_and(|seen| seen.trusted);
        match slot {
            Slot::Somebody(help) if help.name == "untrust" => {
                people.into_iter().filter(trusted).collect()
            }
            _ => people,
        }
    }

    /// How something is set, in the word of the command that sets it.
    pub(super) fn setting(&self, command: &str) -> Option<&'static str> {
        Some(match command {
            "joins" => self.page.joins.word(),
            "mouse" => self.mouse.word(),
            "notify" => self.notify.word(),
            "time" => self.page.face.word(),
            _ => return None,
        })
    }

    /// Tab: the next candidate, or the one before.
    pub(super) fn complete(&mut self, back: bool) {
        if let Some(completion) = &mut self.completion {
            completion.turn(back);
        } else {
            let (text, cursor) = (self.editor.text(), self.editor.cursor());
            let people = self.people_for(Slot::at(text, cursor, &self.by_recency()).0);
            let address = |who: &Person| self.page.company.address(who);
            let named = |who: &Person| self.page.company.name(who);
            self.completion = Completion::begin(text, cursor, &people, address, named);
            let popup = self.choices(text, cursor);
            if let Some(completion) = &mut self.completion {
                completion.popup = popup;
            }
        }
        let Some(completion) = &mut self.completion else { return self.cannot_complete() };
        let candidate = completion.candidate().to_owned();
        self.editor.replace(completion.part.clone(), &candidate);
        completion.part.end = self.editor.cursor();
        self.popup_closed = false;
        if completion.is_settled() && candidate.starts_with('/') {
            // Tab again is about what stands behind the command.
            self.completion = None;
        }
    }

    fn cannot_complete(&mut self) {
        let (text, cursor) = (self.editor.text(), self.editor.cursor());
        let (slot, part) = Slot::at(text, cursor, &self.by_recency());
        let word = text[part].trim();
        let hint = match slot {
            Slot::Text { .. } if word.is_empty() => None,
            Slot::Value(help) | Slot::Open(help) => Some(format!("{}: {}", help.usage, help.what)),
            Slot::Somebody(_) if word.is_empty() => Some("nobody is here for that".to_owned()),
            _ => Some(format!("nothing begins with '{word}'")),
        };
        match hint {
            Some(hint) => self.hint = Some(hint),
            None => self.switch(),
        }
    }
}
