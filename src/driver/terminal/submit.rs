//! What becomes of a line that was typed: a message, several, or a command.

use std::collections::BTreeMap;

use crate::driver::front::company::Company;
use crate::driver::front::intent::{self, Intent, Look};
use crate::driver::front::numbers::{counted, grouped};
use crate::driver::front::refusal::words;
use crate::driver::front::several::several;
use crate::driver::terminal::commands::Order;
use crate::driver::terminal::kept::{Change, IGNORED_MAX, Kept};
use crate::driver::terminal::view::{Prompt, View};
use crate::driver::terminal::want::{Submitted, Want};
use crate::machine::{Command, CommandHelp, Person, PublicKey, Refusal, SafeText, TEXT_MAX, Whom};

/// The messages that a line comes to, where it is longer than one may be.
fn messages(order: &Order<'_>, company: &Company) -> Option<Vec<intent::Command>> {
    match order {
        Order::Command(command) => several(command, Some(company)),
        _ => None,
    }
}

/// What stands before the text that a line says: `/msg bob `.
fn opening<'t>(line: &'t str, order: &Order<'_>, company: &Company) -> &'t str {
    match order {
        // The text is the end of the line.
        Order::Command(Command::Say { text, to, .. }) => {
            let text = match to {
                Some(Whom::Word(word)) => {
                    company.addressed(word, text).map_or(*text, |(_, text)| text)
                }
                _ => text,
            };
            let line = line.trim_end();
            let end = line.len().saturating_sub(text.trim_end().len());
            line.get(..end).unwrap_or_default()
        }
        _ => "",
    }
}

impl View {
    /// The draft is done: it is sent, or carried out.
    pub(super) fn submit(&mut self) {
        let text = self.editor.text().to_owned();
        if text.trim().is_empty() {
            self.editor.take();
            return;
        }
        let order = match Order::parse(&text) {
            Ok(order) => order,
            Err(refusal) => return self.notice(&words(&refusal).line()),
        };
        if let Some(said) = messages(&order, &self.page.company) {
            self.prompt = Prompt::Several(said.len());
            return;
        }
        let (said, bytes) = match order {
            Order::Command(Command::Say { text, .. }) => (Some(text), text.len()),
            _ => (None, text.len()),
        };
        if said.is_some_and(|said| SafeText::new(said).is_blank()) {
            return self.notice(&words(&Refusal::Empty).line());
        }
        if bytes > TEXT_MAX {
            return self.notice(&words(&Refusal::TooLong { bytes }).line());
        }
        self.editor.take();
        self.recall.push(&text);
        self.viewport.go_bottom();
        self.read();
        self.carry_out(order, &text);
    }

    fn carry_out(&mut self, order: Order<'_>, typed: &str) {
        let page = &mut self.page;
        match order {
            Order::Command(Command::Quit) => self.ask(Intent::Quit),
            Order::Command(command) => {
                let typed = Submitted::Typed(typed.to_owned());
                self.want(Want::Ask(Intent::Command(command.into()), Some(typed)));
            }
            Order::Help(None) => self.help(),
            Order::Help(Some(help)) => {
                self.notice(&format!("{}: {}", help.usage, help.what));
            }
            Order::Clear => page.scrollback.clear(),
            Order::Debug => self.want(Want::Debug),
            Order::Ignore(name) => {
                let before = page.ignored.clone();
                let done = page.ignore(Whom::read(name));
                self.tell(done, typed);
                self.keep_ignored(&before);
            }
            Order::Unignore(name) => {
                let before = page.ignored.clone();
                let done = page.unignore(name);
                self.tell(done, typed);
                self.keep_ignored(&before);
            }
            Order::Info => match page.scrollback.last_own() {
                Some(entry) => self.details(entry),
                None => self.tell(Err("you have said nothing yet".to_owned()), typed),
            },
            Order::Joins(joins) => {
                page.joins = joins;
                self.set(Change::Joins(joins), "joins");
            }
            Order::Clock(face) => {
                page.face = face;
                self.set(Change::Face(face), "time");
            }
            Order::Log(path) => {
                let typed = Submitted::Typed(typed.to_owned());
                self.want(Want::Ask(Intent::Log(path.to_owned()), Some(typed)));
            }
            Order::Mouse(on) => self.set_mouse(on),
            Order::Notify(notify) => {
                self.notify = notify;
                self.set(Change::Notify(notify), "notify");
            }
            Order::State(help) => self.state(help),
            Order::Resend => self.resend(),
            Order::Look(look @ Look::Search(_)) if self.searches_kept => {
                self.ask(Intent::Look(look))
            }
            Order::Look(Look::Search(text)) => self.search(&text),
            Order::Look(look) => self.ask(Intent::Look(look)),
        }
        self.viewport.settle(&self.page, self.height);
    }

    /// Says what was done, or why not: what was not done stands where it was typed, whoever refused it.
    fn tell(&mut self, done: Result<String, String>, typed: &str) {
        if done.is_err() && self.editor.is_empty() {
            self.editor.set(typed);
        }
        self.notice(&done.unwrap_or_else(|why| why));
    }

    /// Something is set: it is kept, and said, since not everything is seen at once.
    fn set(&mut self, change: Change, command: &str) {
        self.want(Want::Keep(change));
        let word = self.setting(command).unwrap_or_default();
        self.hint = Some(format!("/{command} is {word}"));
    }

    /// Keeps who is ignored now and was not before, and the other way round.
    fn keep_ignored(&mut self, before: &BTreeMap<PublicKey, Person>) {
        let now = &self.page.ignored;
        let more = now.values().filter(|who| !before.contains_key(&who.key));
        let more = more.map(|who| Change::Ignore(who.key, who.name.clone()));
        let less = before.keys().filter(|key| !now.contains_key(key)).copied();
        let changes: Vec<Change> = more.chain(less.map(Change::Unignore)).collect();
        self.wants.extend(changes.into_iter().map(Want::Keep));
    }

    /// What was set before this run, and is not asked for otherwise.
    pub(crate) fn restore(&mut self, kept: Kept) {
        let Kept { face, joins, notify, mouse, ignored, others: _ } = kept;
        self.page.face = face.unwrap_or(self.page.face);
        self.page.joins = joins.unwrap_or(self.page.joins);
        self.notify = notify.unwrap_or(self.notify);
        self.mouse = mouse.unwrap_or(self.mouse);
        // They may be here under another name, and are met again by their key.
        let ignored = ignored.into_iter().take(IGNORED_MAX);
        let ignored = ignored.map(|(key, name)| (key, Person { id: key.process(0), key, name }));
        self.page.ignored.extend(ignored);
    }

    /// Has the mouse reported, or lets it select.
    pub(super) fn set_mouse(&mut self, on: bool) {
        self.mouse = on;
        self.want(Want::Mouse(on));
        self.want(Want::Keep(Change::Mouse(on)));
        let how =
            if on { "the mouse is reported: hold Shift to select" } else { "the mouse selects" };
        self.hint = Some(how.to_owned());
    }

    /// How that is which a command sets, and what it takes.
    fn state(&mut self, help: &CommandHelp) {
        let now = match help.name {
            "log" => return self.ask(Intent::Log(String::new())),
            "nick" => self
                .page
                .company
                .me
                .as_ref()
                .map_or(String::new(), |me| format!("you are {}", me.name)),
            "ignore" | "unignore" if self.page.ignored.is_empty() => "nobody is ignored".to_owned(),
            "ignore" | "unignore" => {
                let hidden = self.page.ignored.values().map(|who| self.page.label(who));
                format!("ignored: {}", hidden.collect::<Vec<_>>().join(", "))
            }
            name => format!("/{name} is {}", self.setting(name).unwrap_or_default()),
        };
        self.notice(&format!("{now} ({}: {})", help.usage, help.what));
    }

    /// The draft is longer than a message, and is to be said in several.
    pub(super) fn submit_several(&mut self) {
        let text = self.editor.text().to_owned();
        self.prompt = Prompt::Draft;
        let Ok(order) = Order::parse(&text) else { return self.submit() };
        let Some(said) = messages(&order, &self.page.company) else { return self.submit() };
        let opening = opening(&text, &order, &self.page.company);
        self.editor.take();
        self.recall.push(&text);
        self.viewport.go_bottom();
        self.read();
        for command in said {
            let intent::Command::Say { text, .. } = &command else { continue };
            let part = Submitted::Part(format!("{opening}{text}"));
            self.want(Want::Ask(Intent::Command(command), Some(part)));
        }
    }

    /// A message of several was refused: it goes back where it was typed, with those behind it.
    pub(super) fn take_back(&mut self, part: String) {
        let mut parts = vec![part];
        self.wants.retain(|want| match want {
            Want::Ask(_, Some(Submitted::Part(part))) => {
                parts.push(part.clone());
                false
            }
            _ => true,
        });
        let Ok(order) = Order::parse(&parts[0]) else { return };
        let opening = opening(&parts[0], &order, &self.page.company).len();
        let rest = parts[1..].iter().filter_map(|part| part.get(opening..));
        let whole = rest.fold(parts[0].clone(), |whole, part| format!("{whole}\n{part}"));
        if self.editor.is_empty() {
            self.editor.set(&whole);
        }
    }

    /// In how many messages the draft is said, with something more at the cursor.
    pub(crate) fn messages_with(&self, more: &str) -> Option<usize> {
        let (text, cursor) = (self.editor.text(), self.editor.cursor());
        if text.len() + more.len() <= TEXT_MAX {
            return None;
        }
        let whole = format!("{}{more}{}", &text[..cursor], &text[cursor..]);
        let order = Order::parse(&whole).ok()?;
        messages(&order, &self.page.company).map(|said| said.len())
    }

    /// How much of a message the draft is, where that matters.
    pub(crate) fn excess(&self) -> Option<String> {
        let bytes = self.editor.text().len();
        let bytes = (bytes > TEXT_MAX).then(|| grouped(bytes))?;
        Some(match self.messages_with("") {
            Some(count) => format!("{bytes} bytes: {}", counted(count as u64, "message")),
            None => format!("{bytes} of {} bytes", grouped(TEXT_MAX)),
        })
    }
}
