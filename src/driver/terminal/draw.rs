//! The screen: where everything is at this size, and how it looks.
//!
//! | rows | what there is |
//! |---|---|
//! | 20 and more | a box for the greeting; below, one line |
//! | 14 and more | boxes; below, the messages and the draft stand bare |
//! | 10 and more | the footer |
//! | 3, 2, 1 | a header; the newest message; the draft, always |
//!
//! From 80 columns on the people take 25 of them, from 60 on 18, below none.

use ratatui::layout::Rect;

use crate::driver::front::numbers::grouped;
use crate::driver::front::wording::milliseconds;
use crate::driver::terminal::canvas::Canvas;
use crate::driver::terminal::complete::Popup;
use crate::driver::terminal::drafting::without_last_feed;
use crate::driver::terminal::editor::Editor;
use crate::driver::terminal::page::Row;
use crate::driver::terminal::theme::Role;
use crate::driver::terminal::view::{Focus, Prompt, Sheet, View};
use crate::driver::terminal::wrap::{columns, cut, fitting, wrap};
use crate::machine::Health;

/// Rows of the draft, at most; it scrolls beyond.
const DRAFT_ROWS_MAX: u16 = 5;
/// Commands, values or people that are offered at once.
const POPUP_ROWS_MAX: usize = 6;
/// Boxes need so many columns.
const BOX_WIDTH_MIN: u16 = 30;

/// Where everything is.
struct Layout {
    boxed: bool,
    greeting: Rect,
    /// Inside of the frame, if there is one.
    messages: Rect,
    people: Option<Rect>,
    /// Inside of the frame, if there is one.
    draft: Rect,
    footer: Option<u16>,
}

impl Layout {
    /// Divides the screen; the draft wants so many rows.
    fn new(area: Rect, draft_rows: u16, show_people: bool) -> Self {
        let Rect { width, height, .. } = area;
        let boxed = height >= 14 && width >= BOX_WIDTH_MIN;
        let greeting_rows = match height {
            20.. if boxed => 3,
            3.. => 1,
            _ => 0,
        };
        let footer_rows = u16::from(height >= 10);
        let frame = if boxed { 2 } else { 0 };
        let rows_max = if boxed { DRAFT_ROWS_MAX } else { DRAFT_ROWS_MAX.min(height / 3).max(1) };
        let draft_height = draft_rows.clamp(1, rows_max) + frame;
        let middle = height.saturating_sub(greeting_rows + footer_rows + draft_height);
        let people_width = match width {
            _ if !show_people || !boxed => 0,
            80.. => 25,
            60.. => 18,
            _ => 0,
        };
        let row = |y, rows| Rect::new(0, y, width, rows);
        let messages = Rect { width: width - people_width, ..row(greeting_rows, middle) };
        let people = Rect { x: width - people_width, width: people_width, ..messages };
        Self {
            boxed,
            greeting: row(0, greeting_rows),
            messages: if boxed { inside(messages) } else { messages },
            people: (people_width > 0).then_some(people),
            draft: {
                let outside = row(greeting_rows + middle, draft_height);
                if boxed { inside(outside) } else { outside }
            },
            footer: (footer_rows > 0).then(|| height - 1),
        }
    }
}

fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

fn around(area: Rect) -> Rect {
    Rect { x: area.x - 1, y: area.y - 1, width: area.width + 2, height: area.height + 2 }
}

/// Paints a frame, and tells the view how large its panes are.
pub(crate) fn draw(view: &mut View, canvas: &mut Canvas) {
    canvas.clear();
    let area = canvas.area();
    let width =
        if area.height >= 14 && area.width >= BOX_WIDTH_MIN { area.width - 2 } else { area.width };
    let line = Line::of(view, usize::from(width));
    let layout = Layout::new(area, line.rows() as u16, view.show_people);
    view.narrow = area.width < 60 || !layout.boxed;
    let pane = (usize::from(layout.messages.width), usize::from(layout.messages.height));
    let was = (view.page.width, view.height, view.page.bare);
    if was != (pane.0, pane.1, !layout.boxed) {
        let selects = view.focus == Focus::Scroll && !view.viewport.follows();
        let marked = view.viewport.marked(&view.page, view.height).filter(|_| selects);
        (view.page.width, view.height) = pane;
        view.page.bare = !layout.boxed;
        match marked {
            Some(marked) => view.viewport.keep(&view.page, marked, view.height),
            None => view.viewport.settle(&view.page, view.height),
        }
        view.read();
    }
    view.draft_width = line.room;
    greeting(view, &layout, canvas);
    messages(view, &layout, canvas);
    if let Some(area) = layout.people {
        people(view, area, canvas);
    }
    popup(view, &layout, canvas);
    if let Some(y) = layout.footer {
        footer(view, y, canvas);
    }
    let shown = view.sheet.is_some();
    line.draw(view, &layout, canvas, !shown);
    if let Some(sheet) = &mut view.sheet {
        // What is typed stays in sight.
        let height = layout.draft.y.saturating_sub(u16::from(layout.boxed));
        paper(sheet, Rect { height, ..area }, canvas);
    }
}

/// `Welcome to the chat room, alice!        ● online · 4 people · 12 ms`
fn greeting(view: &View, layout: &Layout, canvas: &mut Canvas) {
    let (area, boxed, footed) = (layout.greeting, layout.boxed, layout.footer.is_some());
    if area.height == 0 {
        return;
    }
    if let Some(hint) = view.hint.as_ref().filter(|_| !footed) {
        let blank = " ".repeat(area.width.into());
        canvas.put(area.x, area.y, area.width, &blank, Role::Header);
        canvas.put(area.x, area.y, area.width, &view.page.signs.spelled(hint), Role::Header);
        return;
    }
    let open = if view.room_is_open { " OPEN" } else { "" };
    let (line, role) = if area.height == 3 {
        let room = view
            .room
            .as_ref()
            .map_or(String::new(), |room| format!(" {} {room}", view.page.signs.dot));
        canvas.frame(area, &format!("chatRPC{open}{room}"), false);
        (inside(area), Role::Text)
    } else {
        let blank = " ".repeat(area.width.into());
        canvas.put(0, area.y, area.width, &blank, Role::Header);
        (area, Role::Header)
    };
    let name = view.page.company.me.as_ref().map_or("", |me| me.name.as_str());
    let width = usize::from(line.width);
    let long = format!("Welcome to the chat room, {name}!");
    let short =
        if area.height == 3 { format!("chatRPC {name}") } else { format!("chatRPC{open} {name}") };
    let mut states = states(view);
    if !boxed && width < 60 {
        // The words would come and go with the figures.
        states.remove(0);
    }
    // The longest that fits; the state matters more than the words of the greeting.
    let pairs = states.iter().flat_map(|state| [(&long, state), (&short, state)]);
    let fits = pairs
        .filter(|(greeting, _)| boxed || width >= 60 || *greeting == &short)
        .find(|(greeting, state)| columns(greeting) + columns(state) + 2 <= width);
    let (greeting, state) = fits.map_or((short.as_str(), ""), |(a, b)| (a.as_str(), b.as_str()));
    canvas.put(line.x, line.y, line.width, greeting, role);
    let x = line.right().saturating_sub(columns(state) as u16);
    canvas.put(x, line.y, line.width, state, role);
}

/// How things are, in ever fewer words.
fn states(view: &View) -> Vec<String> {
    let signs = view.page.signs;
    let dot = format!(" {} ", signs.dot);
    let people = view.page.company.len() + 1;
    let (sign, word) = match () {
        () if view.leaving => (signs.doubt, "leaving"),
        () if view.nodeset == Health::Silent && people > 1 => (signs.doubt, "nodeset silent"),
        () if view.nodeset == Health::Silent => (signs.doubt, "nodeset silent, alone"),
        () if people == 1 => (signs.alone, "alone"),
        () => (signs.here, "online"),
    };
    let mut parts = vec![format!("{sign} {word}")];
    let mut brief = vec![sign.to_owned()];
    if people > 1 {
        parts.push(format!("{people} people"));
        brief = vec![format!("{sign} {people}")];
    }
    if let Some(rtt) = view.round_trip() {
        parts.push(milliseconds(rtt));
        brief.push(milliseconds(rtt).replace(' ', ""));
    }
    let unsent = view.page.scrollback.unsent();
    if unsent > 0 {
        parts.push(format!("{unsent} unsent"));
        brief.push(format!("{unsent} unsent"));
    }
    vec![parts.join(&dot), brief.join(&dot), sign.to_owned()]
}

fn messages(view: &View, layout: &Layout, canvas: &mut Canvas) {
    let area = layout.messages;
    let focused = view.focus == Focus::Scroll;
    if layout.boxed {
        canvas.frame(around(area), "Messages", focused);
    }
    let mut rows = view.viewport.visible(&view.page, area.height.into());
    if let Some((_, first)) = rows.first_mut() {
        view.page.put_clock(first);
    }
    // What there is not much of stands at the top, as on paper.
    let selected = rows.len().checked_sub(1 + view.viewport.lift()).filter(|_| focused);
    for (index, (_, row)) in rows.iter().enumerate() {
        let y = area.y + index as u16;
        draw_row(row, area, y, canvas);
        if Some(index) == selected {
            canvas.restyle(area.x, area.x + area.width.min(8), y, Role::Selected);
        }
    }
    if view.below > 0 && !view.viewport.follows() {
        let signs = view.page.signs;
        let more = format!(" {} {} new {} End ", signs.below, view.below, signs.dash);
        let room = area.width.saturating_sub(1);
        let (text, _) = fitting(&more, room.into());
        let x = area.right().saturating_sub(columns(text) as u16);
        let y = if layout.boxed { area.bottom() } else { area.bottom().saturating_sub(1) };
        canvas.put(x, y, room, text, Role::Mention);
    }
}

fn draw_row(row: &Row, area: Rect, y: u16, canvas: &mut Canvas) {
    let mut x = area.x;
    for part in &row.parts {
        let start = x;
        x = canvas.put(x, y, area.right().saturating_sub(x), &part.text, part.role);
        if let Some(address) = &part.link {
            canvas.link(start, x, y, address);
        }
    }
}

fn people(view: &View, area: Rect, canvas: &mut Canvas) {
    canvas.frame(area, &view.people_title(), false);
    let area = inside(area);
    let signs = view.page.signs;
    let others = view.page.company.sorted();
    let rows = usize::from(area.height);
    let mut y = area.y;
    if let Some(me) = view.page.company.me.as_ref().filter(|_| rows > 0) {
        let name = cut(me.name.as_str(), usize::from(area.width).saturating_sub(8), signs.ellipsis);
        let x = canvas.put(area.x, y, area.width, &format!("{} ", signs.here), Role::Delivered);
        let x = canvas.put(x, y, area.right() - x, &name, Role::Own);
        canvas.put(x, y, area.right().saturating_sub(x), " (you)", Role::Dim);
        y += 1;
    }
    let room = rows.saturating_sub(1);
    let shown = if others.len() > room { room.saturating_sub(1) } else { others.len() };
    for who in &others[..shown] {
        let (sign, far) = view.distance(who);
        let role = if sign == signs.lost { Role::Dim } else { Role::Delivered };
        let x = canvas.put(area.x, y, area.width, &format!("{sign} "), role);
        let free = usize::from(area.width).saturating_sub(3 + columns(&far));
        let name = view.page.label_within(who, free);
        canvas.put(x, y, area.right().saturating_sub(x), &name, Role::Name(who.id));
        let right = area.right().saturating_sub(columns(&far) as u16);
        canvas.put(right, y, area.width, &far, Role::Dim);
        y += 1;
    }
    if shown < others.len() && room > 0 {
        let more = format!("{} {} more: F2, /who", signs.ellipsis, others.len() - shown);
        canvas.put(area.x, y, area.width, &more, Role::Dim);
    }
}

/// What can be chosen, above the draft.
fn popup(view: &View, layout: &Layout, canvas: &mut Canvas) {
    let Popup { title, rows: all, chosen } = view.popup();
    let room = usize::from(layout.messages.height).saturating_sub(2);
    let rows = all.len().min(POPUP_ROWS_MAX).min(room);
    if rows == 0 || view.sheet.is_some() {
        return;
    }
    let left = all.iter().map(|[what, _]| columns(what)).max().unwrap_or(0);
    let right = all.iter().map(|[_, about]| columns(about)).max().unwrap_or(0);
    let hidden = all.len() - rows;
    let title = match title {
        _ if hidden == 0 => title.to_owned(),
        "Commands" => format!("Commands, {hidden} more: F1"),
        _ => format!("{title}, {hidden} more"),
    };
    let width = (left + right + 6).max(columns(&title) + 2).min(canvas.area().width.into()) as u16;
    let bottom = layout.draft.y.saturating_sub(u16::from(layout.boxed));
    let height = rows as u16 + 2;
    let area = Rect::new(0, bottom.saturating_sub(height), width, height);
    canvas.wipe(area);
    canvas.frame(area, &title, true);
    let top = chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(rows));
    for (index, [what, about]) in all.iter().enumerate().skip(top).take(rows) {
        let y = area.y + 1 + (index - top) as u16;
        let room = area.width.saturating_sub(3);
        if chosen == Some(index) {
            canvas.put(1, y, 1, view.page.signs.chosen, Role::Mention);
        }
        let x = canvas.put(2, y, room, what, Role::Own);
        let x = x.max(2 + left as u16 + 2);
        canvas.put(x, y, area.right().saturating_sub(x + 1), about, Role::Dim);
    }
}

/// The keys that matter most; or what has to be said once.
fn footer(view: &View, y: u16, canvas: &mut Canvas) {
    let width = canvas.area().width;
    if let Some(hint) = &view.hint {
        let hint = view.page.signs.spelled(hint);
        canvas.put(1, y, width.saturating_sub(1), &hint, Role::Notice);
        return;
    }
    let switch = view.page.signs.switch;
    let typing = [
        format!(
            "Tab:Type {switch} Scroll  J/K:Scroll down/up  PgUp/PgDn:Page  Ctrl+C:Exit  \
             Enter:Send message  F3:Copy  F1:Help"
        ),
        format!(
            "Tab:Type {switch} Scroll   J/K:Scroll   Ctrl+C:Exit   Enter:Send message   F1:Help"
        ),
        "Tab:Scroll  ^C:Exit  Enter:Send  F1:Help".to_owned(),
        "^C:Exit  F1:Help".to_owned(),
    ];
    let reading = [
        "Tab:Type  J/K:Scroll down/up  G:Newest  /:Search  N:Next  U:Unread  Enter:Details  F3:Copy  \
         Ctrl+C:Exit  F1:Help"
            .to_owned(),
        "Tab:Type  J/K:Scroll  G:Newest  /:Search  Enter:Details  F3:Copy  F1:Help".to_owned(),
        "Tab:Type  J/K:Scroll  /:Search  F1:Help".to_owned(),
        "Tab:Type  F1:Help".to_owned(),
    ];
    let texts = if view.focus == Focus::Type { typing } else { reading };
    let room = usize::from(width);
    let Some(text) = texts.iter().find(|text| columns(text) <= room) else { return };
    let x = (room - columns(text)) / 2;
    canvas.put(x as u16, y, width, text, Role::Dim);
}

/// The line at the bottom: a prompt, and what is typed there.
struct Line {
    title: String,
    prompt: String,
    text: String,
    cursor: Option<usize>,
    role: Role,
    /// Columns for the text.
    room: usize,
    breaks: Vec<core::ops::Range<usize>>,
}

impl Line {
    fn of(view: &View, width: usize) -> Self {
        let editor = |editor: &Editor| (editor.text().to_owned(), Some(editor.cursor()));
        let (title, prompt, (text, cursor), role) = match &view.prompt {
            Prompt::Draft => {
                let excess = view.excess();
                let role = if excess.is_some() { Role::Failed } else { Role::Text };
                let dash = view.page.signs.dash;
                let (mode, prompt) = match view.focus {
                    Focus::Type => ("Type a message", "> "),
                    Focus::Scroll => ("Reading back", "read> "),
                };
                let title = excess
                    .map_or_else(|| mode.to_owned(), |excess| format!("{mode} {dash} {excess}"));
                (title, prompt.to_owned(), editor(&view.editor), role)
            }
            Prompt::Search(needle) => {
                ("Search".to_owned(), "search: ".to_owned(), editor(needle), Role::Text)
            }
            Prompt::Recall { part, .. } => {
                let prompt = format!("find '{part}': ");
                ("Earlier input".to_owned(), prompt, editor(&view.editor), Role::Text)
            }
            Prompt::Several(count) => {
                let bytes = grouped(view.editor.text().len());
                let ask = format!(
                    "{bytes} bytes are {count} messages. Enter: say them, Esc: keep the draft"
                );
                ("Several messages".to_owned(), "? ".to_owned(), (ask, None), Role::Notice)
            }
            Prompt::Paste(text) => {
                let text = without_last_feed(text);
                let lines = text.split('\n').count();
                let bytes = grouped(text.len());
                let s = if lines == 1 { "" } else { "s" };
                let ask = match view.messages_with(text) {
                    None => format!(
                        "Paste {lines} line{s}, {bytes} bytes? Enter: into the draft, Esc: no"
                    ),
                    Some(count) => format!(
                        "Paste {lines} line{s}, {bytes} bytes: {count} messages. Enter: say them, \
                         Esc: into the draft"
                    ),
                };
                ("Paste".to_owned(), "? ".to_owned(), (ask, None), Role::Notice)
            }
        };
        // The cursor stands behind the last letter.
        let room = width.saturating_sub(columns(&prompt) + 1).max(1);
        let breaks = wrap(&text, room, room);
        Self { title, prompt, text, cursor, role, room, breaks }
    }

    fn rows(&self) -> usize {
        self.breaks.len().min(u16::MAX.into())
    }

    fn draw(&self, view: &View, layout: &Layout, canvas: &mut Canvas, active: bool) {
        let area = layout.draft;
        let typing = view.focus == Focus::Type || !matches!(view.prompt, Prompt::Draft);
        if layout.boxed {
            canvas.frame(around(area), &self.title, typing);
        }
        let rows = usize::from(area.height);
        let at = self.cursor.unwrap_or(0);
        let row = self.breaks.iter().rposition(|row| row.start <= at).unwrap_or(0);
        let top = (row + 1).saturating_sub(rows).min(self.breaks.len().saturating_sub(rows));
        let indent = columns(&self.prompt) as u16;
        let left = area.x + indent.min(area.width.saturating_sub(1));
        for (index, part) in self.breaks.iter().skip(top).take(rows).enumerate() {
            let y = area.y + index as u16;
            if top + index == 0 {
                canvas.put(area.x, y, area.width.saturating_sub(1), &self.prompt, Role::Dim);
            }
            canvas.put(left, y, area.right() - left, &self.text[part.clone()], self.role);
        }
        if active && typing && self.cursor.is_some() && rows > 0 {
            let part = &self.breaks[row];
            let before = &self.text[part.start..at.clamp(part.start, part.end)];
            let x = left.saturating_add(columns(before) as u16).min(area.right() - 1);
            canvas.set_cursor(x, area.y + (row - top) as u16);
        }
    }
}

/// Something to read, in front of everything else.
fn paper(sheet: &mut Sheet, area: Rect, canvas: &mut Canvas) {
    let bare = sheet.invite.is_some();
    if let Some(invite) = &sheet.invite {
        sheet.lines = invite.lines(area.width.into());
    }
    let widest = sheet.lines.iter().map(|line| columns(line)).max().unwrap_or(0);
    let framed = area.height >= 5 && area.width >= BOX_WIDTH_MIN && !bare;
    let border = if framed { 4 } else { 0 };
    let width = if bare { area.width.into() } else { widest.max(columns(&sheet.title)) + border };
    let width = width.min(area.width.into());
    let room = width.saturating_sub(border).max(1);
    let mut rows: Vec<&str> = Vec::new();
    for line in &sheet.lines {
        rows.extend(wrap(line, room, room).into_iter().map(|row| &line[row]));
    }
    let height = if bare { area.height.into() } else { rows.len() + border / 2 };
    let height = height.min(area.height.into());
    let free = height.saturating_sub(border / 2);
    sheet.top = sheet.top.min(rows.len().saturating_sub(free));
    let (width, height) = (width as u16, height as u16);
    let place = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    canvas.wipe(place);
    let mut left = place.x;
    let mut top = place.y;
    if framed {
        let more = rows.len() - sheet.top > free;
        let title = match (sheet.top, more) {
            (0, false) => format!("{}, Esc closes", sheet.title),
            _ => format!("{}, J/K scrolls, Esc closes", sheet.title),
        };
        canvas.frame(place, &title, true);
        left += 2;
        top += 1;
    }
    for (index, row) in rows.iter().skip(sheet.top).take(free).enumerate() {
        canvas.put(left, top + index as u16, room as u16, row, Role::Text);
    }
}
