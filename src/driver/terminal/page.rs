//! What can be read, in rows: entries of the scrollback as they look at a width.
//!
//! A row is `HH:MM`, a sign in the gutter, and the text. The gutter is a column that no text can
//! reach, so that nothing somebody says looks like what the program says.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::driver::front::company::{Company, IMPOSTOR};
use crate::driver::front::refusal::words;
use crate::driver::front::search::Wanted;
use crate::driver::front::wording;
use crate::driver::os::clock::Zone;
use crate::driver::terminal::kept::IGNORED_MAX;
use crate::driver::terminal::links::links;
use crate::driver::terminal::scrollback::{Entry, Item, Mark, Move, Said, Scrollback};
use crate::driver::terminal::settings::{ClockFace, Joins};
use crate::driver::terminal::theme::{Role, Signs};
use crate::driver::terminal::viewport::{Keyed, Source};
use crate::driver::terminal::wrap::{columns, cut, wrap};
use crate::machine::{Person, PublicKey, Refusal, Whom, Why};

/// From this width of a framed pane on there is room for a clock, columns.
const CLOCK_WIDTH_MIN: usize = 36;
/// Rows after the first are indented like the text of the first, at most so far.
const INDENT_MAX: usize = 20;
/// Columns of a row that a name leaves free, and those that it has in any case.
const NAME_SPARES: usize = 12;
const NAME_MIN: usize = 6;
/// How many people are told by name who came or went in a row.
const FOLDED_MAX: usize = 6;
/// How far back the entry is looked for that an entry follows on the screen.
const HIDDEN_MAX: u64 = 100;

/// The scrollback, and how it is to be shown.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) scrollback: Scrollback,
    pub(crate) company: Company,
    pub(crate) zone: Zone,
    pub(crate) signs: &'static Signs,
    pub(crate) joins: Joins,
    pub(crate) face: ClockFace,
    /// Whose messages are hidden, whichever process they come from, and how they were when we said so.
    pub(crate) ignored: BTreeMap<PublicKey, Person>,
    pub(crate) unread: Option<Unread>,
    /// What is looked for; empty for nothing.
    pub(crate) wanted: String,
    /// Columns of the pane.
    pub(crate) width: usize,
    /// The pane has no frame: everything is tight.
    pub(crate) bare: bool,
}

/// Messages that came while nobody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The first of them.
    pub(crate) from: u64,
    pub(crate) count: u64,
    /// Still nobody looks.
    pub(crate) open: bool,
}

/// One row, in parts from the left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    key: u32,
    /// When that was of which it tells, in ms since 1970; `None` for what is no part of it.
    at: Option<u64>,
    pub(crate) parts: Vec<Part>,
}

/// A text of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) role: Role,
    /// The address it links to.
    pub(crate) link: Option<String>,
}

impl Part {
    fn new(text: impl Into<String>, role: Role) -> Self {
        Self { text: text.into(), role, link: None }
    }
}

impl Keyed for Row {
    fn key(&self) -> u32 {
        self.key
    }
}

/// Keys of the rows above an entry; its text begins behind them.
const DATE: u32 = 0;
const UNREAD: u32 = 1;
const TEXT: u32 = 2;

impl Source for Page {
    type Row = Row;

    fn entries(&self) -> Range<u64> {
        self.scrollback.entries()
    }

    fn rows(&self, number: u64) -> Vec<Row> {
        let Some(entry) = self.scrollback.get(number).filter(|entry| self.shows(entry)) else {
            return Vec::new();
        };
        let before = self.before(number);
        let mut rows = Vec::new();
        let date = self.zone.date(entry.at);
        if before.is_none_or(|before| self.zone.date(before.at) != date) {
            rows.push(self.rule(DATE, &format!(" {date} "), self.signs.day));
        }
        if let Some(unread) = self.unread.filter(|unread| unread.from == number) {
            rows.push(self.rule(UNREAD, &format!(" {} new ", unread.count), self.signs.unread));
        }
        let before = before.filter(|_| rows.is_empty()).map(|before| self.last_time(before));
        self.write(entry, before, &mut rows);
        rows
    }
}

impl Page {
    pub(crate) const fn new(zone: Zone, signs: &'static Signs) -> Self {
        Self {
            scrollback: Scrollback::EMPTY,
            company: Company::EMPTY,
            zone,
            signs,
            joins: Joins::Fold,
            face: ClockFace::Minutes,
            ignored: BTreeMap::new(),
            unread: None,
            wanted: String::new(),
            width: 80,
            bare: false,
        }
    }

    /// Somebody came (`None`) or went.
    pub(crate) fn moved(&mut self, at: u64, who: Person, left: Option<Why>) {
        self.scrollback.moved(at, &self.zone, who, left);
    }

    /// A message of ours did not reach somebody.
    pub(crate) fn undelivered(&mut self, at: u64, whom: String) {
        self.scrollback.undelivered(at, &self.zone, whom);
    }

    /// What somebody is called, we among them.
    pub(crate) fn label(&self, who: &Person) -> String {
        self.company.label(who)
    }

    /// The same in so many columns. What sets somebody apart is not what is cut off.
    pub(crate) fn label_within(&self, who: &Person, room: usize) -> String {
        let label = self.label(who);
        let (mark, label) = match label.strip_prefix(IMPOSTOR) {
            Some(label) => (IMPOSTOR, label),
            None => ("", label.as_str()),
        };
        let id = label.strip_prefix(who.name.as_str()).unwrap_or("");
        let room_of_name = room.saturating_sub(columns(id) + columns(mark));
        let name = cut(who.name.as_str(), room_of_name, self.signs.ellipsis);
        cut(&format!("{mark}{name}{id}"), room, self.signs.ellipsis)
    }

    /// Hides what somebody says, whatever they are called and however often they start again.
    ///
    /// # Errors
    ///
    /// Why nobody is, in words.
    pub(crate) fn ignore(&mut self, whom: Whom<'_>) -> Result<String, String> {
        let who = self.company.find(whom).map_err(|refusal| words(&refusal).line())?;
        if self.ignored.len() >= IGNORED_MAX && !self.ignored.contains_key(&who.key) {
            return Err(format!("{IGNORED_MAX} people are ignored already: /unignore one of them"));
        }
        let (label, address) = (self.label(&who), self.company.address(&who));
        self.ignored.insert(who.key, who);
        Ok(format!("what {label} says is hidden: /unignore {address}"))
    }

    /// Somebody is here, or called otherwise: who is ignored is called as they are.
    pub(crate) fn meet(&mut self, who: &Person) {
        if let Some(known) = self.ignored.get_mut(&who.key) {
            *known = who.clone();
        }
    }

    /// Shows it again.
    ///
    /// # Errors
    ///
    /// Why nobody is, in words.
    pub(crate) fn unignore(&mut self, name: &str) -> Result<String, String> {
        let key = match self.company.find_among(Whom::read(name), &self.ignored) {
            Ok(key) => key,
            Err(refusal @ (Refusal::NameOrId { .. } | Refusal::SeveralCalled(_))) => {
                return Err(words(&refusal).line());
            }
            Err(_) => return Err(format!("nobody called '{name}' is ignored")),
        };
        self.ignored.remove(&key);
        Ok(format!("what {name} says is shown again"))
    }

    pub(super) fn shows(&self, entry: &Entry) -> bool {
        match &entry.item {
            Item::Said(said) => !self.ignored.contains_key(&said.from.key),
            Item::Moves(moves) => self.moves(moves).next().is_some(),
            Item::Notice(_) | Item::Undelivered { .. } => true,
        }
    }

    /// Those who are to be shown coming and going.
    fn moves<'a>(&'a self, moves: &'a [Move]) -> impl Iterator<Item = &'a Move> {
        let wanted = |moved: &&Move| {
            let noise = self.joins == Joins::None && !moved.known;
            !noise && !self.ignored.contains_key(&moved.who.key)
        };
        moves.iter().filter(wanted)
    }

    /// The entry that is shown above another.
    fn before(&self, number: u64) -> Option<&Entry> {
        let start = self.scrollback.entries().start.max(number.saturating_sub(HIDDEN_MAX));
        let before = (start..number).rev().filter_map(|number| self.scrollback.get(number));
        before.into_iter().find(|entry| self.shows(entry))
    }

    /// The last time that stands beside an entry.
    fn last_time(&self, entry: &Entry) -> u64 {
        let Item::Moves(moves) = &entry.item else { return entry.at };
        let mut times = self.moves(moves).map(|moved| moved.at);
        let last = if self.joins == Joins::Fold { times.next() } else { times.last() };
        last.unwrap_or(entry.at)
    }

    const fn face(&self) -> ClockFace {
        if self.bare || self.width < CLOCK_WIDTH_MIN { ClockFace::Off } else { self.face }
    }

    /// The clock of an entry, empty where the entry above says the same.
    fn clock(&self, at: u64, before: Option<u64>) -> String {
        let face = self.face();
        let time = |at| self.zone.time(at, face == ClockFace::Seconds);
        let shown = match face {
            ClockFace::Off => return String::new(),
            _ if before.is_some_and(|before| time(before) == time(at)) => String::new(),
            _ => time(at),
        };
        format!("{shown:width$}", width = face.columns())
    }

    /// Puts the clock beside the first row of a page, where it is left out because the row above says
    /// the same: there is no row above.
    pub(crate) fn put_clock(&self, row: &mut Row) {
        let width = self.face().columns();
        let (Some(at), Some(first)) = (row.at, row.parts.first_mut()) else { return };
        let room = first.text.get(..width).unwrap_or_default();
        if width == 0 || room.len() < width || !room.bytes().all(|byte| byte == b' ') {
            return;
        }
        let rest = first.text.split_off(width);
        *first = Part::new(self.clock(at, None), Role::Dim);
        if !rest.is_empty() {
            row.parts.insert(1, Part::new(rest, Role::Text));
        }
    }

    /// A line across, with a text in the middle.
    fn rule(&self, key: u32, text: &str, dash: &str) -> Row {
        let free = self.width.saturating_sub(columns(text));
        let left = dash.repeat(free / 2);
        let right = dash.repeat(free - free / 2);
        Row { key, at: None, parts: vec![Part::new(format!("{left}{text}{right}"), Role::Dim)] }
    }

    /// The rows of an entry below what happened at `before`.
    fn write(&self, entry: &Entry, before: Option<u64>, rows: &mut Vec<Row>) {
        let signs = self.signs;
        let first = rows.len();
        let clock = &self.clock(entry.at, before);
        match &entry.item {
            Item::Said(said) => self.said(said, clock, rows),
            Item::Moves(moves) => return self.moves_in_rows(moves, before, rows),
            Item::Notice(notice) => {
                let (sign, role) =
                    if notice.dim { (" ", Role::Dim) } else { (signs.notice, Role::Notice) };
                let text = if notice.dim { Role::Dim } else { Role::Text };
                let head = vec![Part::new(clock, Role::Dim), Part::new(sign, role)];
                self.text(TEXT, head, &signs.spelled(notice.text.as_str()), text, rows);
            }
            Item::Undelivered { count, whom } => {
                let what = match count {
                    1 => format!("not delivered to {whom}. /resend tries again"),
                    _ => format!("{count} messages not delivered to {whom}. /resend tries again"),
                };
                let sign = Part::new(signs.notice, Role::Notice);
                self.text(TEXT, vec![Part::new(clock, Role::Dim), sign], &what, Role::Text, rows);
            }
        }
        rows[first..].iter_mut().for_each(|row| row.at = Some(entry.at));
    }

    fn said(&self, said: &Said, clock: &str, rows: &mut Vec<Row>) {
        let signs = self.signs;
        let mark = said.fate.as_ref().map(super::scrollback::Fate::mark);
        let (sign, role) = match mark {
            Some(Mark::Pending) => (signs.pending, Role::Dim),
            Some(Mark::Delivered) => (signs.delivered, Role::Delivered),
            Some(Mark::Failed) => (signs.failed, Role::Failed),
            None if said.kept && said.private.is_some() => (signs.private, Role::Dim),
            None if said.kept => (signs.kept, Role::Dim),
            None if said.private.is_some() => (signs.private, Role::Private),
            None if said.mention => (signs.mention, Role::Mention),
            None if said.action => (signs.action, Role::Dim),
            None => (" ", Role::Text),
        };
        let mut head = vec![Part::new(clock, Role::Dim), Part::new(sign, role)];
        head.push(Part::new(" ", Role::Text));
        if said.action && sign != signs.action {
            head.push(Part::new(format!("{} ", signs.action), Role::Dim));
        }
        let name = match mark {
            Some(_) => Role::Own,
            None if said.kept => Role::Dim,
            None if self.company.is_impostor(&said.from) => Role::Failed,
            None => Role::Name(said.from.id),
        };
        // A name leaves room for what is said; its colon is never cut off.
        let room = self.width.saturating_sub(NAME_SPARES).max(NAME_MIN);
        let label = self.label_within(&said.from, room);
        head.push(Part::new(label, name));
        let to =
            said.private.as_ref().filter(|to| mark.is_some() || said.kept && **to != said.from);
        if let Some(to) = to {
            head.push(Part::new(format!(" {} {}", signs.joined, self.label(to)), Role::Private));
        }
        let role = if said.kept { Role::Dim } else { Role::Text };
        head.push(Part::new(if said.action { " " } else { ": " }, role));
        self.body(TEXT, head, said.text.as_str(), role, rows);
    }

    fn moves_in_rows(&self, moves: &[Move], mut before: Option<u64>, rows: &mut Vec<Row>) {
        let shown: Vec<&Move> = self.moves(moves).collect();
        let Some(&Move { at, .. }) = shown.first().copied() else { return };
        let fold = self.joins == Joins::Fold && shown.len() > 1;
        if fold {
            let text = folded(&shown, |who| self.label(who));
            let clock = Part::new(self.clock(at, before), Role::Dim);
            let head = vec![clock, Part::new(self.signs.folded, Role::Dim)];
            let first = rows.len();
            self.text(TEXT, head, &self.signs.spelled(&text), Role::Dim, rows);
            return rows[first..].iter_mut().for_each(|row| row.at = Some(at));
        }
        for (index, moved) in shown.into_iter().enumerate() {
            let label = self.label(&moved.who);
            let (sign, role, text) = match moved.left {
                None => (self.signs.joined, Role::Joined, wording::came(&label)),
                Some(why) => (self.signs.left, Role::Left, wording::left(&label, why)),
            };
            let clock = Part::new(self.clock(moved.at, before), Role::Dim);
            let head = vec![clock, Part::new(sign, role)];
            let first = rows.len();
            // Each on keys of its own: more than a text can have bytes.
            self.text(TEXT + ((index as u32) << 20), head, &text, role, rows);
            rows[first..].iter_mut().for_each(|row| row.at = Some(moved.at));
            before = Some(moved.at);
        }
    }

    /// A text behind its sign.
    fn text(&self, key: u32, mut head: Vec<Part>, text: &str, role: Role, rows: &mut Vec<Row>) {
        head.push(Part::new(" ", Role::Text));
        self.body(key, head, text, role, rows);
    }

    /// A text behind its head, wrapped, with links and what a search found.
    fn body(&self, key: u32, head: Vec<Part>, text: &str, role: Role, rows: &mut Vec<Row>) {
        let taken: usize = head.iter().map(|part| columns(&part.text)).sum();
        let indent = match self.face() {
            ClockFace::Off => 2,
            face => (self.width / 3).min(INDENT_MAX).max(face.columns() + 2),
        };
        let indent = indent.min(taken).min(self.width / 2);
        let broken =
            wrap(text, self.width.saturating_sub(taken), self.width.saturating_sub(indent));
        let (links, found) = (links(text), Wanted::new(&self.wanted).hits(text));
        let mut head = Some(head);
        for row in broken {
            let mut parts =
                head.take().unwrap_or_else(|| vec![Part::new(" ".repeat(indent), Role::Text)]);
            let row_key = key + row.start as u32;
            for piece in pieces(row, &links, &found) {
                let link = links.iter().find(|link| link.contains(&piece.start));
                let role = match link {
                    _ if found.iter().any(|hit| hit.contains(&piece.start)) => Role::Found,
                    Some(_) => Role::Link,
                    None => role,
                };
                let link = link.map(|link| text[link.clone()].to_owned());
                parts.push(Part { text: text[piece].to_owned(), role, link });
            }
            rows.push(Row { key: row_key, at: None, parts });
        }
    }
}

/// A row cut where a link or a hit begins or ends.
fn pieces(row: Range<usize>, links: &[Range<usize>], found: &[Range<usize>]) -> Vec<Range<usize>> {
    let edges = links.iter().chain(found).flat_map(|range| [range.start, range.end]);
    let mut cuts: Vec<usize> = edges.filter(|at| row.contains(at) && *at > row.start).collect();
    cuts.push(row.end);
    cuts.sort_unstable();
    cuts.dedup();
    let mut start = row.start;
    cuts.into_iter()
        .map(|end| {
            let piece = start..end;
            start = end;
            piece
        })
        .filter(|piece| !piece.is_empty())
        .collect()
}

/// `erin came and went · frank came`, each person once.
fn folded(moves: &[&Move], label: impl Fn(&Person) -> String) -> String {
    let mut people: Vec<(&Person, Vec<bool>)> = Vec::new();
    for moved in moves {
        let came = moved.left.is_none();
        match people.iter_mut().find(|(who, _)| who.id == moved.who.id) {
            Some((_, turns)) => turns.push(came),
            None => people.push((&moved.who, vec![came])),
        }
    }
    let more = people.len().saturating_sub(FOLDED_MAX);
    let told = people.into_iter().take(FOLDED_MAX).map(|(who, turns)| {
        let what = match (turns[0], turns[turns.len() - 1]) {
            (true, false) => "came and went",
            (false, true) => "went and came back",
            (true, true) => "came",
            (false, false) => "went",
        };
        format!("{} {what}", label(who))
    });
    let mut told: Vec<String> = told.collect();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join(" · ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::driver::terminal::scrollback::Fate;
    use crate::driver::terminal::theme::{ASCII, UNICODE};
    use crate::machine::{MessageId, Name, PeerId, SafeText, Why};

    /// 23 Oct 2026, 09:12 UTC.
    const MORNING: u64 = 1_792_746_720_123;

    fn page(width: usize) -> Page {
        Page { width, ..Page::new(Zone::utc(), &UNICODE) }
    }

    fn who(id: u64, name: &str) -> Person {
        let key = PublicKey([id as u8; 32]);
        Person { id: PeerId(id), key, name: Name::parse(name).unwrap() }
    }

    fn said(from: &Person, text: &str) -> Said {
        Said {
            id: MessageId { author: from.id, number: 1 },
            from: from.clone(),
            text: SafeText::new(text).into_owned(),
            action: false,
            private: None,
            mention: false,
            fate: None,
            kept: false,
        }
    }

    fn shown(page: &Page) -> Vec<String> {
        let rows = page.entries().flat_map(|entry| page.rows(entry));
        let text = |row: Row| row.parts.iter().map(|part| part.text.as_str()).collect::<String>();
        rows.map(text).map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn a_conversation() {
        let mut page = page(44);
        let (bob, me) = (who(2, "bob"), who(1, "alice"));
        page.moved(MORNING, bob.clone(), None);
        page.scrollback.say(MORNING, said(&bob, "did the failover test pass? I wonder"));
        let fate = Some(Fate { readers: 1, ..Fate::default() });
        page.scrollback.say(MORNING + 60_000, Said { fate, ..said(&me, "yes\n3 of 3") });
        page.scrollback.acked(1, bob.clone(), Duration::ZERO);
        page.scrollback.done(1, Vec::new());
        page.scrollback.say(MORNING + 60_000, Said { action: true, ..said(&bob, "waves") });
        page.scrollback
            .say(MORNING + 86_400_000, Said { mention: true, ..said(&bob, "alice: bye") });
        page.undelivered(MORNING + 86_400_000, "dave (left)".to_owned());
        page.unread = Some(Unread { from: 4, count: 3, open: true });
        assert_eq!(
            shown(&page),
            [
                "───────────── Fri 23 Oct 2026 ──────────────",
                "09:12 → bob has entered the chat!",
                "        bob: did the failover test pass? I",
                "             wonder",
                "09:13 ✓ alice: yes",
                "              3 of 3",
                "      * bob waves",
                "───────────── Sat 24 Oct 2026 ──────────────",
                "╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 3 new ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌",
                "09:12 » bob: alice: bye",
                "      ! not delivered to dave (left).",
                "        /resend tries again",
            ]
        );
        page.face = ClockFace::Off;
        assert_eq!(
            shown(&page)[2..4],
            ["  bob: did the failover test pass? I wonder", "✓ alice: yes"]
        );
        (page.width, page.bare) = (20, true);
        page.signs = &ASCII;
        assert_eq!(shown(&page)[3..6], ["  bob: did the", "  failover test", "  pass? I wonder"]);
    }

    #[test]
    fn who_comes_and_goes() {
        let mut page = page(60);
        let (erin, frank) = (who(3, "erin"), who(4, "frank"));
        page.moved(MORNING, erin.clone(), None);
        page.moved(MORNING, erin.clone(), Some(Why::Quit));
        page.moved(MORNING, frank.clone(), None);
        assert_eq!(shown(&page)[1..], ["09:12 ± erin came and went · frank came"]);
        page.joins = Joins::All;
        assert_eq!(
            shown(&page)[1..],
            [
                "09:12 → erin has entered the chat!",
                "      ← erin has left the chat!",
                "      → frank has entered the chat!",
            ]
        );
        page.joins = Joins::None;
        assert_eq!(shown(&page), [""; 0]);
        page.scrollback.say(MORNING, said(&frank, "hi"));
        page.moved(MORNING, frank.clone(), Some(Why::Timeout));
        assert_eq!(shown(&page)[2..], ["      ← frank has left the chat! (timeout)"]);
        page.ignored.insert(frank.key, frank.clone());
        assert_eq!(shown(&page), [""; 0]);
    }

    /// In the evening frank came, and in the night: that was told with the evening.
    #[test]
    fn who_comes_at_another_time_or_on_another_day_is_told_with_it() {
        let mut page = page(60);
        let (erin, frank) = (who(3, "erin"), who(4, "frank"));
        let midnight = 1_792_713_600_000 + 86_400_000;
        page.moved(midnight - 60_000, erin.clone(), None);
        page.moved(midnight + 60_000, frank.clone(), None);
        page.undelivered(midnight + 60_000, "dave (left)".to_owned());
        page.undelivered(midnight + 86_400_000, "dave (left)".to_owned());
        page.moved(midnight + 86_400_000, erin.clone(), Some(Why::Quit));
        page.moved(midnight + 86_460_000, erin.clone(), None);
        page.moved(midnight + 90_000_000, erin, Some(Why::Quit));
        let all = [
            "─────────────────── Fri 23 Oct 2026 ────────────────────",
            "23:59 → erin has entered the chat!",
            "─────────────────── Sat 24 Oct 2026 ────────────────────",
            "00:01 → frank has entered the chat!",
            "      ! not delivered to dave (left). /resend tries again",
            "─────────────────── Sun 25 Oct 2026 ────────────────────",
            "00:00 ! not delivered to dave (left). /resend tries again",
            "      ± erin went and came back",
            "01:00 ← erin has left the chat!",
        ];
        assert_eq!(
            shown(&page).iter().map(|row| row.trim_matches('─')).collect::<Vec<_>>(),
            all.map(|row| row.trim_matches('─'))
        );
        page.joins = Joins::All;
        assert_eq!(
            shown(&page)[7..9],
            ["      ← erin has left the chat!", "00:01 → erin has entered the chat!"]
        );
    }

    #[test]
    fn links_and_hits_are_parts() {
        let mut page = page(30);
        let bob = who(2, "bob");
        page.scrollback.say(MORNING, said(&bob, "see https://example.org/a/long/path now"));
        page.wanted = "LONG".to_owned();
        let rows = page.rows(0);
        let linked: Vec<&Part> =
            rows.iter().flat_map(|row| &row.parts).filter(|part| part.link.is_some()).collect();
        assert!(linked.len() > 2, "the link is in several rows");
        let whole: String = linked.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(whole, "https://example.org/a/long/path");
        assert!(linked.iter().all(|part| part.link.as_ref() == Some(&whole)));
        let found: String = rows
            .iter()
            .flat_map(|row| &row.parts)
            .filter(|part| part.role == Role::Found)
            .map(|part| part.text.as_str())
            .collect();
        assert_eq!(found, "long");
    }

    /// Where there was no room for a label, the id went first, and with it all that tells two of one
    /// name apart.
    #[test]
    fn what_tells_people_apart_is_not_cut_off() {
        let mut page = page(40);
        let (one, other) = (who(1 << 60, "a rather long name"), who(2 << 60, "a rather long name"));
        let like = vec![other.clone()];
        page.company.note(&crate::machine::Event::Alike { one: one.clone(), like, others: 0 });
        for room in 6..40 {
            let label = page.label_within(&one, room);
            assert!(columns(&label) <= room, "{label}");
            assert!(label.ends_with(&format!("·{}", one.id.short())), "{room}: {label}");
        }
        assert_eq!(page.label_within(&one, 12), format!("a rath…·{}", one.id.short()));
        assert_ne!(page.label_within(&one, 12), page.label_within(&other, 12));
        assert_eq!(page.label_within(&who(3, "bob"), 12), "bob");
    }

    #[test]
    fn any_width_will_do() {
        let mut page = page(1);
        let me = who(1, "a name of 24 columns x y");
        let private = Some(who(2, "你好你好你好你好你好你好"));
        page.scrollback.say(MORNING, Said { private, ..said(&me, "你好 https://x.y/z") });
        for width in 1..130 {
            page.width = width;
            assert!(!page.rows(0).is_empty());
        }
    }
}
