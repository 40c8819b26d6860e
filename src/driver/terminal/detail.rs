//! What is known of one message, for whoever looks at it closely.

use crate::driver::front::wording;
use crate::driver::terminal::page::Page;
use crate::driver::terminal::scrollback::{Entry, Item};
use crate::machine::Why;

/// Its lines: when, from whom, for whom, and who has it.
pub(super) fn lines(entry: &Entry, page: &Page) -> Vec<String> {
    let when = format!("{} {}", page.zone.date(entry.at), page.zone.time(entry.at, true));
    let Item::Said(said) = &entry.item else { return vec![when] };
    let mut lines = vec![when, format!("from {} ({})", page.label(&said.from), said.from.id)];
    if let Some(to) = &said.private {
        lines.push(format!("private, with {}", page.label(to)));
    }
    lines.push(format!("message {}", said.id));
    let Some(fate) = &said.fate else { return lines };
    let signs = page.signs;
    if fate.readers == 0 {
        lines.push("nobody was here".to_owned());
    }
    for (who, after) in &fate.acked {
        let after = wording::milliseconds(*after);
        lines.push(format!("{} {} {after}", signs.delivered, page.label(who)));
    }
    for (who, why) in &fate.failed {
        let why = if *why == Why::Quit { "left".to_owned() } else { why.to_string() };
        lines.push(format!("{} {}: {why}", signs.failed, page.label(who)));
    }
    let waiting = fate.readers.saturating_sub(fate.acked.len() + fate.failed.len());
    if waiting > 0 && !fate.done {
        lines.push(format!("{} waiting for {waiting}", signs.pending));
    }
    if fate.resent {
        lines.push("said again".to_owned());
    }
    lines
}
