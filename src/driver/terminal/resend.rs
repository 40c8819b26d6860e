//! `/resend`: what did not arrive is said again, to those it did not reach and to nobody else.
//!
//! What was for one person alone goes to their key, whoever has their name by now. What was for the
//! room is part of its talk, and so it stays.

use std::collections::BTreeSet;

use crate::driver::front::company::Company;
use crate::driver::front::intent::{Command, Intent};
use crate::driver::front::numbers::counted;
use crate::driver::terminal::page::Page;
use crate::driver::terminal::scrollback::Fate;
use crate::driver::terminal::view::View;
use crate::driver::terminal::want::{Submitted, Want};
use crate::machine::{PeerId, Person, Whom};

/// How much is said again at once.
const RESEND_MAX: usize = 200;
/// How many names stand in one line.
const NAMES_MAX: usize = 10;

/// Whom a message did not reach, and where they are now.
#[derive(Default)]
struct Missed {
    /// One of them.
    one: Option<Whom<'static>>,
    /// All processes of theirs that are here.
    here: BTreeSet<PeerId>,
    /// What those are called who are not here.
    absent: Vec<String>,
}

impl Missed {
    fn of(fate: &Fate, company: &Company) -> Self {
        let mut missed = Self::default();
        // Who has it on one device has it.
        let has = |who: &Person| fate.acked.iter().any(|(other, _)| other.key == who.key);
        for (who, _) in fate.failed.iter().filter(|(who, _)| !has(who)) {
            let mut here: BTreeSet<PeerId> = company.processes(who.key).collect();
            let same = here.contains(&who.id);
            if same {
                here = BTreeSet::from([who.id]);
            }
            if here.is_empty() {
                missed.absent.push(company.label(who));
                continue;
            }
            missed.one = Some(if same { Whom::Id(who.id) } else { Whom::Key(who.key) });
            missed.here.append(&mut here);
        }
        missed
    }
}

impl View {
    /// Says again what did not arrive: to those it did not reach, if they are here. Whoever started
    /// again has the old key and another id; somebody else with the old name is somebody else.
    pub(super) fn resend(&mut self) {
        let Page { scrollback, company, .. } = &mut self.page;
        let mut absent = BTreeSet::new();
        let mut left = 0;
        for said in scrollback.failed_mut() {
            let private = said.private.is_some();
            let Some(fate) = &mut said.fate else { continue };
            let missed = Missed::of(fate, company);
            absent.extend(missed.absent);
            let (text, action) = (said.text.as_str().to_owned(), said.action);
            let command = match missed.one {
                _ if fate.readers == 0 && company.len() > 0 => {
                    Command::Say { text, action, to: None }
                }
                None => continue,
                Some(one) if private => Command::Say { text, action, to: Some(one.into()) },
                Some(_) => {
                    let readers = missed.here.into_iter().collect();
                    Command::Again { text, action, readers }
                }
            };
            if self.wants.len() >= RESEND_MAX {
                left += 1;
                continue;
            }
            fate.resent = true;
            let number = Submitted::Again(said.id.number);
            self.wants.push_back(Want::Ask(Intent::Command(command), Some(number)));
        }
        let said = !self.wants.is_empty();
        if !absent.is_empty() {
            let more = absent.len().saturating_sub(NAMES_MAX);
            let names = absent.iter().take(NAMES_MAX).map(String::as_str);
            let mut names = names.collect::<Vec<_>>().join(", ");
            if more > 0 {
                names += &format!(" and {more} more");
            }
            self.notice(&format!("not here: {names}"));
        }
        if left > 0 {
            self.notice(&format!("{} wait for another /resend", counted(left, "message")));
        } else if !said && absent.is_empty() {
            self.notice("there is nothing to say again");
        }
    }
}
