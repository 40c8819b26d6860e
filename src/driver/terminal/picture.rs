//! The screen without its terminal: bytes that were typed and events go in, bytes to show come out.

use crate::driver::front::company::Company;
use crate::driver::front::note::Note;
use crate::driver::os::clock::Zone;
use crate::driver::terminal::canvas::Canvas;
use crate::driver::terminal::decoder::{Decoder, Key, Stroke, Typed};
use crate::driver::terminal::draw::draw;
use crate::driver::terminal::plainly::Plainly;
use crate::driver::terminal::theme::Theme;
use crate::driver::terminal::view::View;
use crate::driver::terminal::want::Want;
use crate::machine::{Event, Presence, Time};

/// So many equal arrow keys in one read are a notch of the wheel (mode 1007), not a finger. A guess:
/// terminals send three and more, and no keyboard repeats that fast.
const NOTCH_KEYS: usize = 3;

/// What a terminal of some size would show.
#[derive(Debug)]
pub struct Picture {
    decoder: Decoder,
    view: View,
    canvas: Canvas,
    /// What the terminal's window is called.
    title: Option<String>,
    /// Something changed since the last frame.
    dirty: bool,
}

impl Picture {
    /// An empty room.
    pub(crate) fn new(width: u16, height: u16, theme: Theme, zone: Zone) -> Self {
        Self {
            decoder: Decoder::default(),
            view: View::new(zone, theme.signs),
            canvas: Canvas::new(width, height, theme),
            title: None,
            dirty: true,
        }
    }

    /// An empty room on a terminal with 256 colours, in UTC: for benchmarks.
    #[must_use]
    pub fn plain(width: u16, height: u16) -> Self {
        Self::new(width, height, Theme::RICH, Zone::utc())
    }

    /// Something happened, at `wall` ms since 1970.
    pub fn show(&mut self, event: &Event<'_>, wall: u64) {
        self.view.set_now(wall);
        self.view.show(event);
        self.dirty = true;
    }

    /// Bytes were typed: one read of them.
    pub fn feed(&mut self, bytes: &[u8], now: Time, wall: u64) {
        self.view.set_now(wall);
        self.decoder.feed(bytes, now);
        self.dirty |= take(&mut self.decoder, &mut self.view);
    }

    /// Appends the bytes that make the terminal show how things are.
    pub fn frame(&mut self, out: &mut Vec<u8>) {
        self.dirty = false;
        if let Some(plainly) = &mut self.view.plainly {
            let area = self.canvas.area();
            let frame = plainly.frame(&self.view.page, area.width, area.height);
            out.extend_from_slice(frame.as_bytes());
            // Whatever comes next is drawn anew.
            self.canvas.forget();
        } else {
            draw(&mut self.view, &mut self.canvas);
            self.canvas.present(out);
        }
        let title = self.view.window_title();
        if self.title.as_ref() != Some(&title) {
            // Names are safe to print: none ends the sequence (xterm, "Operating System Commands").
            out.extend_from_slice(format!("\x1b]2;{title}\x1b\\").as_bytes());
            self.title = Some(title);
        }
    }

    /// The terminal has another size.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.canvas.resize(width, height);
        self.dirty = true;
    }

    /// Time has passed: what was typed by half is over.
    pub fn tick(&mut self, now: Time, wall: u64) {
        self.view.set_now(wall);
        self.decoder.tick(now);
        self.dirty |= take(&mut self.decoder, &mut self.view);
    }

    /// When [`Picture::tick`] is due.
    pub const fn deadline(&self) -> Option<Time> {
        self.decoder.deadline()
    }

    /// Whether a frame would show something else than the last one.
    pub const fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// The terminal shows nobody knows what.
    pub fn forget(&mut self) {
        self.canvas.forget();
        self.view.plainly.iter_mut().for_each(Plainly::forget);
        self.title = None;
        self.dirty = true;
    }

    /// The driver has something to say.
    pub(crate) fn note(&mut self, note: &Note, wall: u64) {
        self.view.set_now(wall);
        self.view.note(note);
        self.dirty = true;
    }

    /// Something is to be told.
    pub(crate) fn notice(&mut self, text: &str, wall: u64) {
        self.note(&Note::Remark(text.to_owned()), wall);
    }

    /// How the others are.
    pub fn refresh(&mut self, people: impl Iterator<Item = Presence>) {
        self.dirty |= self.view.refresh(people);
    }

    /// The next thing that only the driver can do.
    pub(crate) fn next_want(&mut self) -> Option<Want> {
        let want = self.view.next_want();
        self.dirty |= want.is_some();
        want
    }

    /// Who is in the room.
    pub(crate) const fn company(&self) -> &Company {
        &self.view.page.company
    }

    /// The same, for whom we trust.
    pub(crate) const fn company_mut(&mut self) -> &mut Company {
        &mut self.view.page.company
    }

    /// The model, to be changed.
    pub(crate) const fn view(&mut self) -> &mut View {
        self.dirty = true;
        &mut self.view
    }

    /// The rows of the last frame, as text.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        self.canvas.text()
    }
}

/// Lets the view have what was decoded from one read. Whether that was anything.
fn take(decoder: &mut Decoder, view: &mut View) -> bool {
    let typed: Vec<Typed> = std::iter::from_fn(|| decoder.next_typed()).collect();
    let any = !typed.is_empty();
    if let Some(up) = notch(&typed) {
        view.wheel(up);
        return true;
    }
    let mut run = String::new();
    for one in typed {
        if let Typed::Stroke(Stroke { key: Key::Char(letter), ctrl: false, alt: false, .. }) = one {
            run.push(letter);
            continue;
        }
        type_run(view, &mut run);
        match one {
            Typed::Stroke(stroke) => view.key(stroke),
            Typed::LineEnd => view.line_end(),
            Typed::Paste { text, cut } => view.paste(&text, cut),
            Typed::Focus(focused) => view.set_focused(focused),
            Typed::Wheel { up } => view.wheel(up),
        }
    }
    type_run(view, &mut run);
    any
}

fn type_run(view: &mut View, run: &mut String) {
    if !run.is_empty() {
        view.text(run);
        run.clear();
    }
}

/// Whether a read was the wheel, as arrow keys, and which way it was turned.
fn notch(typed: &[Typed]) -> Option<bool> {
    let arrow = |typed: &Typed| match typed {
        Typed::Stroke(stroke) if *stroke == Stroke::plain(Key::Up) => Some(true),
        Typed::Stroke(stroke) if *stroke == Stroke::plain(Key::Down) => Some(false),
        _ => None,
    };
    let up = arrow(typed.first()?)?;
    let all = typed.iter().all(|one| arrow(one) == Some(up));
    (all && typed.len() >= NOTCH_KEYS).then_some(up)
}
