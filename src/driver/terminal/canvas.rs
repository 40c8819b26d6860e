//! What the terminal shows, and the fewest bytes that make it show something else.
//!
//! A frame is painted into a buffer and compared with the one before; what differs becomes control
//! sequences in a queue. Only these are ever written: cursor positions, colours and attributes,
//! links (OSC 8), and the bracket of a synchronised frame (mode 2026). Text comes sanitised.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::iter::repeat_n;

use ratatui::buffer::{Buffer, Cell, CellDiffOption, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_segmentation::UnicodeSegmentation;

use crate::driver::terminal::links::encoded;
use crate::driver::terminal::theme::{Role, Theme};
use crate::driver::terminal::wrap::{TAB, drawable, fitting, grapheme_columns};

/// The largest side of a terminal that is drawn to the full.
pub(crate) const SIDE_MAX: u16 = 1000;

/// Two frames: the one that is painted, and the one that is shown.
#[derive(Debug)]
pub(crate) struct Canvas {
    pub(crate) theme: Theme,
    next: Layer,
    shown: Layer,
    /// Where the cursor is to be, if it is to be seen.
    cursor: Option<(u16, u16)>,
    shown_cursor: Option<(u16, u16)>,
    /// The terminal shows something else than `shown`.
    stale: bool,
}

#[derive(Debug)]
struct Layer {
    cells: Buffer,
    /// The link of each cell, as a key of `addresses`; 0 for none.
    links: Vec<u32>,
    addresses: BTreeMap<u32, String>,
}

impl Layer {
    fn new(area: Rect) -> Self {
        let links = vec![0; area.area() as usize];
        Self { cells: Buffer::empty(area), links, addresses: BTreeMap::new() }
    }

    fn clear(&mut self) {
        self.cells.reset();
        self.links.fill(0);
        self.addresses.clear();
    }
}

impl Canvas {
    pub(crate) fn new(width: u16, height: u16, theme: Theme) -> Self {
        let area = Rect::new(0, 0, width.clamp(1, SIDE_MAX), height.clamp(1, SIDE_MAX));
        let (next, shown) = (Layer::new(area), Layer::new(area));
        Self { theme, next, shown, cursor: None, shown_cursor: None, stale: true }
    }

    /// The terminal has another size, and shows nobody knows what.
    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        *self = Self::new(width, height, self.theme);
    }

    /// The terminal shows nobody knows what.
    pub(crate) const fn forget(&mut self) {
        self.stale = true;
    }

    pub(crate) const fn area(&self) -> Rect {
        self.next.cells.area
    }

    /// Begins a frame.
    pub(crate) fn clear(&mut self) {
        self.next.clear();
        self.cursor = None;
    }

    /// Paints a text on one line, at most `width` columns of it, and returns the column behind it.
    pub(crate) fn put(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        self.put_styled(x, y, width, text, self.theme.style(role))
    }

    pub(crate) fn put_styled(
        &mut self,
        mut x: u16,
        y: u16,
        width: u16,
        text: &str,
        style: Style,
    ) -> u16 {
        let area = self.area();
        let end = x.saturating_add(width).min(area.width);
        if y >= area.height {
            return x;
        }
        let utf8 = self.theme.utf8;
        // Blanks in place of a TAB are as many cells; where there is one line, a line feed is a blank.
        let cells = |grapheme| match grapheme {
            "\t" => repeat_n(" ", TAB.len()),
            "\n" => repeat_n(" ", 1),
            _ => repeat_n(drawable(grapheme), 1),
        };
        for grapheme in text.graphemes(true).flat_map(cells) {
            let columns = grapheme_columns(grapheme) as u16;
            if columns == 0 || grapheme.contains(char::is_control) {
                continue;
            }
            if x + columns > end {
                break;
            }
            for at in x..x + columns {
                let cell = &mut self.next.cells[(at, y)];
                // What a terminal without UTF-8 would take for control characters.
                let symbol = match (utf8 || grapheme.is_ascii(), at == x) {
                    (false, _) => "?",
                    (true, true) => grapheme,
                    (true, false) => " ",
                };
                cell.reset();
                cell.set_symbol(symbol).set_style(style);
            }
            x += columns;
        }
        x
    }

    /// Makes a link of the cells from `x` to `end`.
    pub(crate) fn link(&mut self, x: u16, end: u16, y: u16, address: &str) {
        let area = self.area();
        if y >= area.height {
            return;
        }
        // FNV-1a: the same address is the same link in every row and every frame.
        let hash = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let key = address.bytes().fold(0x811C_9DC5, hash).max(1);
        for at in x..end.min(area.width) {
            self.next.links[usize::from(y) * usize::from(area.width) + usize::from(at)] = key;
        }
        self.next.addresses.entry(key).or_insert_with(|| encoded(address));
    }

    /// Adds attributes to cells that are painted already.
    pub(crate) fn restyle(&mut self, x: u16, end: u16, y: u16, role: Role) {
        let area = self.area();
        let style = self.theme.style(role);
        if y < area.height && x < end {
            let width = end.min(area.width).saturating_sub(x);
            self.next.cells.set_style(Rect::new(x, y, width, 1), style);
        }
    }

    /// Empties a part.
    pub(crate) fn wipe(&mut self, area: Rect) {
        let area = area.intersection(self.area());
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                self.next.cells[(x, y)].reset();
                let width = usize::from(self.area().width);
                self.next.links[usize::from(y) * width + usize::from(x)] = 0;
            }
        }
    }

    /// Paints a frame with a title.
    pub(crate) fn frame(&mut self, area: Rect, title: &str, focused: bool) {
        let area = area.intersection(self.area());
        if area.width < 2 || area.height < 2 {
            return;
        }
        let [across, down, top_left, top_right, bottom_right, bottom_left] = self.theme.signs.frame;
        let (left, right) = (area.left(), area.right() - 1);
        let (top, bottom) = (area.top(), area.bottom() - 1);
        let role = if focused { Role::Text } else { Role::Dim };
        for x in left..=right {
            self.put(x, top, 1, across, role);
            self.put(x, bottom, 1, across, role);
        }
        for y in top..=bottom {
            self.put(left, y, 1, down, role);
            self.put(right, y, 1, down, role);
        }
        for (x, y, corner) in [
            (left, top, top_left),
            (right, top, top_right),
            (right, bottom, bottom_right),
            (left, bottom, bottom_left),
        ] {
            self.put(x, y, 1, corner, role);
        }
        let (title, _) = fitting(title, usize::from(area.width - 2));
        self.put(left + 1, top, area.width - 2, title, Role::Title { focused });
    }

    /// Shows the cursor there.
    pub(crate) fn set_cursor(&mut self, x: u16, y: u16) {
        let area = self.area();
        self.cursor = Some((x.min(area.width - 1), y.min(area.height - 1)));
    }

    /// Appends what makes the terminal show the painted frame; nothing if it does already.
    pub(crate) fn present(&mut self, out: &mut Vec<u8>) {
        let area = self.area();
        if self.stale {
            self.shown.clear();
        }
        for (index, (link, shown)) in self.next.links.iter().zip(&self.shown.links).enumerate() {
            if link != shown {
                let width = usize::from(area.width);
                let at = ((index % width) as u16, (index / width) as u16);
                self.next.cells[at].set_diff_option(CellDiffOption::AlwaysUpdate);
            }
        }
        self.guard();
        let mut ink = Ink::default();
        if self.stale {
            ink.text += "\x1b[0m\x1b[2J";
        }
        for (x, y, cell) in self.shown.cells.diff_iter(&self.next.cells) {
            let link = self.next.links[usize::from(y) * usize::from(area.width) + usize::from(x)];
            ink.move_to(x, y);
            ink.link(link, &self.next.addresses);
            ink.style(cell.fg, cell.modifier);
            ink.print(cell.symbol(), x, y);
        }
        ink.link(0, &self.next.addresses);
        ink.style(Color::Reset, Modifier::empty());
        if !ink.text.is_empty() || self.cursor != self.shown_cursor {
            out.extend_from_slice(b"\x1b[?2026h\x1b[?25l");
            out.extend_from_slice(ink.text.as_bytes());
            if let Some((x, y)) = self.cursor {
                let _ = std::io::Write::write_fmt(
                    out,
                    format_args!("\x1b[{};{}H\x1b[?25h", y + 1, x + 1),
                );
            }
            out.extend_from_slice(b"\x1b[?2026l");
        }
        self.shown_cursor = self.cursor;
        self.stale = false;
        // What was forced is drawn: it is no difference to the next frame.
        for cell in &mut self.next.cells.content {
            cell.set_diff_option(CellDiffOption::None);
        }
        core::mem::swap(&mut self.next, &mut self.shown);
    }

    /// Has rows drawn anew, as a whole, that differ and have, or had, letters made of several: a
    /// terminal that does not join them has drawn more columns than are counted here.
    fn guard(&mut self) {
        let width = usize::from(self.area().width);
        let next = self.next.cells.content.chunks_exact_mut(width);
        for (next, shown) in next.zip(self.shown.cells.content.chunks_exact(width)) {
            let joined = |cell: &Cell| cell.symbol().chars().nth(1).is_some();
            if next == shown || !(next.iter().any(joined) || shown.iter().any(joined)) {
                continue;
            }
            let mut x = 0;
            while let Some(cell) = next.get_mut(x) {
                cell.set_diff_option(CellDiffOption::AlwaysUpdate);
                // What a wide letter covers is drawn with it.
                x += usize::from(cell.cell_width()).max(1);
            }
        }
    }

    /// The rows of the frame that is shown, as text.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        let cells = &self.shown.cells;
        let mut text = String::new();
        for y in 0..cells.area.height {
            let mut covered = 0;
            let mut row = String::new();
            for x in 0..cells.area.width {
                let symbol = cells[(x, y)].symbol();
                if covered == 0 {
                    row += symbol;
                    covered = grapheme_columns(symbol);
                }
                covered = covered.saturating_sub(1);
            }
            text += row.trim_end();
            text.push('\n');
        }
        text
    }
}

/// Control sequences and text, with what the terminal has been told so far.
#[derive(Debug, Default)]
struct Ink {
    text: String,
    /// Where the cursor is, if that is certain.
    at: Option<(u16, u16)>,
    fg: Color,
    modifier: Modifier,
    link: u32,
}

impl Ink {
    fn move_to(&mut self, x: u16, y: u16) {
        if self.at != Some((x, y)) {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "\x1b[{};{}H", y + 1, x + 1);
        }
    }

    fn print(&mut self, symbol: &str, x: u16, y: u16) {
        self.text += symbol;
        // Terminals disagree about the width of what is not ASCII: the next cell is addressed anew.
        self.at = symbol.is_ascii().then_some((x + 1, y));
    }

    fn link(&mut self, link: u32, addresses: &BTreeMap<u32, String>) {
        if link == self.link {
            return;
        }
        self.link = link;
        match addresses.get(&link) {
            Some(address) => {
                let _ = write!(self.text, "\x1b]8;id={link:x};{address}\x1b\\");
            }
            None => self.text += "\x1b]8;;\x1b\\",
        }
    }

    fn style(&mut self, fg: Color, modifier: Modifier) {
        if fg == self.fg && modifier == self.modifier {
            return;
        }
        self.fg = fg;
        self.modifier = modifier;
        self.text += "\x1b[0";
        for (attribute, code) in [
            (Modifier::BOLD, 1),
            (Modifier::DIM, 2),
            (Modifier::ITALIC, 3),
            (Modifier::UNDERLINED, 4),
            (Modifier::REVERSED, 7),
        ] {
            if modifier.contains(attribute) {
                let _ = write!(self.text, ";{code}");
            }
        }
        let _ = match fg {
            Color::Reset => Ok(()),
            Color::Indexed(index) => write!(self.text, ";38;5;{index}"),
            other => write!(self.text, ";{}", ansi(other)),
        };
        self.text.push('m');
    }
}

/// The code of one of the 16 colours that the theme uses.
const fn ansi(colour: Color) -> u8 {
    match colour {
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::LightMagenta => 95,
        _ => 39,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEME: Theme = Theme::RICH;

    fn presented(canvas: &mut Canvas) -> String {
        let mut out = Vec::new();
        canvas.present(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_feed_is_a_blank_on_one_line() {
        let mut canvas = Canvas::new(9, 1, THEME);
        assert_eq!(canvas.put(0, 0, 9, "a\nb\tc", Role::Text), 8);
        let side = |n: u16| std::num::NonZeroU16::new(n).unwrap();
        let mut terminal = vt100::Parser::new(side(1), side(9), 0);
        terminal.process(presented(&mut canvas).as_bytes());
        assert_eq!(terminal.screen().contents(), "a b    c");
    }

    /// A terminal that draws each letter by itself, as many do, ends up with what was meant.
    #[test]
    fn what_a_terminal_does_not_join_leaves_no_traces() {
        for cluster in ["हिन्दी", "🇩🇪", "👩\u{200D}👧", "e\u{301}"] {
            let mut canvas = Canvas::new(12, 2, THEME);
            let side = |n: u16| std::num::NonZeroU16::new(n).unwrap();
            let mut terminal = vt100::Parser::new(side(2), side(12), 0);
            for (first, second) in [(cluster, "plain text"), ("plain", "text"), ("", "x")] {
                canvas.clear();
                canvas.put(1, 0, 11, first, Role::Text);
                canvas.put(0, 1, 12, second, Role::Text);
                // Every letter in columns of its own.
                let apart: String = presented(&mut canvas)
                    .chars()
                    .map(|c| if c.is_ascii() { c } else { '#' })
                    .collect();
                terminal.process(apart.as_bytes());
            }
            let rows: Vec<String> = terminal.screen().rows(0, 12).collect();
            assert_eq!(rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>(), ["", "x"]);
        }
    }

    /// They are forced when they are drawn: nothing of that may be left in the frame that is shown, which
    /// the next one is compared with.
    #[test]
    fn joined_letters_and_links_are_drawn_once() {
        let mut canvas = Canvas::new(12, 2, THEME);
        let mut paint = || {
            canvas.clear();
            canvas.put(0, 0, 12, "e\u{301} 👩\u{200D}👧 हिन्दी", Role::Text);
            canvas.put(0, 1, 12, "see", Role::Text);
            canvas.link(0, 3, 1, "http://x");
            presented(&mut canvas)
        };
        assert_ne!(paint(), "");
        assert_eq!([paint(), paint()], ["", ""]);
    }

    #[test]
    fn only_what_differs_is_written() {
        let mut canvas = Canvas::new(10, 2, THEME);
        canvas.clear();
        canvas.put(0, 0, 10, "hello", Role::Text);
        let first = presented(&mut canvas);
        assert_eq!(first, "\x1b[?2026h\x1b[?25l\x1b[0m\x1b[2J\x1b[1;1Hhello\x1b[?2026l");
        canvas.clear();
        canvas.put(0, 0, 10, "hello", Role::Text);
        assert_eq!(presented(&mut canvas), "");
        canvas.clear();
        canvas.put(0, 0, 10, "hallo", Role::Text);
        canvas.set_cursor(3, 1);
        assert_eq!(
            presented(&mut canvas),
            "\x1b[?2026h\x1b[?25l\x1b[1;2Ha\x1b[2;4H\x1b[?25h\x1b[?2026l"
        );
    }

    #[test]
    fn text_is_clipped_and_wide_letters_are_whole() {
        let mut canvas = Canvas::new(5, 1, THEME);
        canvas.clear();
        assert_eq!(canvas.put(0, 0, 5, "ab你好", Role::Text), 4);
        canvas.put(4, 0, 5, "xyz", Role::Text);
        canvas.put(0, 7, 5, "nowhere", Role::Text);
        presented(&mut canvas);
        assert_eq!(canvas.text(), "ab你x\n");
        let mut latin = Canvas::new(5, 1, Theme { utf8: false, ..THEME });
        latin.clear();
        latin.put(0, 0, 5, "é你a", Role::Text);
        assert!(presented(&mut latin).ends_with("\x1b[1;1H???a\x1b[?2026l"));
    }

    #[test]
    fn a_link_is_one_link_in_every_row() {
        let mut canvas = Canvas::new(4, 2, THEME);
        canvas.clear();
        canvas.put(0, 0, 4, "abcd", Role::Text);
        canvas.put(0, 1, 4, "ef", Role::Text);
        presented(&mut canvas);
        canvas.clear();
        canvas.put(0, 0, 4, "abcd", Role::Text);
        canvas.put(0, 1, 4, "ef", Role::Text);
        canvas.link(2, 4, 0, "http://é");
        canvas.link(0, 2, 1, "http://é");
        let text = presented(&mut canvas);
        let open = text.matches(";http://%C3%A9\x1b\\").count();
        assert_eq!(open, 1, "nothing but links between them: {text:?}");
        assert_eq!(text.matches("\x1b]8;;\x1b\\").count(), 1);
    }
}
