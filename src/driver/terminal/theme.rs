//! Colours and signs.
//!
//! No background is ever set, and everything that has a colour also has a sign or an attribute, so
//! that a terminal without colours shows as much.

use std::borrow::Cow;
use std::env;

use ratatui::style::{Color, Modifier, Style};

use crate::machine::{PeerId, mix};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorWhen {
    /// Where NO_COLOR and TERM do not speak against it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How many colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    None,
    Ansi16,
    Palette256,
}

/// Names in 256 colours: the largest set of the cube with a contrast of 3.7:1 on black as well as on
/// white, in which any two differ by a ΔE76 of 39.
const NAMES_256: [u8; 11] = [197, 28, 27, 31, 130, 163, 132, 129, 65, 100, 61];
/// Names in 16 colours: neither black, white nor yellow.
const NAMES_16: [Color; 6] =
    [Color::Red, Color::Green, Color::Blue, Color::Magenta, Color::Cyan, Color::LightMagenta];

/// What a part of the screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Text,
    /// Somebody else's name.
    Name(PeerId),
    /// Our own.
    Own,
    /// The clock, borders, hints.
    Dim,
    Joined,
    Left,
    Notice,
    Failed,
    Delivered,
    /// The sign of a message that has our name in it.
    Mention,
    Private,
    Link,
    /// What a search found.
    Found,
    /// The line that Enter looks at.
    Selected,
    Header,
    /// A title of a box; the one with the focus stands out.
    Title {
        focused: bool,
    },
}

/// How this terminal shows things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) depth: Depth,
    pub(crate) signs: &'static Signs,
    /// The terminal takes UTF-8.
    pub(crate) utf8: bool,
}

/// The signs in the gutter and elsewhere. None of them can begin a name (`name.rs`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signs {
    pub(crate) pending: &'static str,
    pub(crate) delivered: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) mention: &'static str,
    pub(crate) joined: &'static str,
    pub(crate) left: &'static str,
    pub(crate) folded: &'static str,
    pub(crate) action: &'static str,
    pub(crate) notice: &'static str,
    pub(crate) private: &'static str,
    pub(crate) kept: &'static str,
    pub(crate) here: &'static str,
    pub(crate) lost: &'static str,
    pub(crate) doubt: &'static str,
    pub(crate) alone: &'static str,
    pub(crate) dot: &'static str,
    pub(crate) below: &'static str,
    pub(crate) day: &'static str,
    pub(crate) unread: &'static str,
    pub(crate) ellipsis: &'static str,
    pub(crate) switch: &'static str,
    pub(crate) dash: &'static str,
    /// Beside the one that is chosen.
    pub(crate) chosen: &'static str,
    /// Horizontal, vertical, and the corners from the top left clockwise.
    pub(crate) frame: [&'static str; 6],
}

impl Signs {
    /// Each sign of the gutter, and of the people, and what it means.
    pub(crate) fn meanings(&self) -> impl Iterator<Item = [String; 2]> {
        let rows = [
            (self.pending, "yours, on its way to somebody"),
            (self.delivered, "yours, and everybody has it"),
            (
                self.failed,
                "yours, and somebody will not get it: /info says who, /resend tries again",
            ),
            (self.mention, "it names you"),
            (self.private, "between one person and you"),
            (self.kept, "kept from before (--history)"),
            (self.action, "what somebody does (/me)"),
            (self.joined, "somebody came"),
            (self.left, "somebody left"),
            (self.folded, "several came and left"),
            (self.notice, "from this program, and from nobody else"),
            ("!bob", "somebody under a name you trust, with another key: /verify, /trusted"),
            (self.here, "a person who is here"),
            (self.lost, "a person who does not answer"),
        ];
        rows.into_iter().map(|(sign, meaning)| [sign.to_owned(), meaning.to_owned()])
    }
}

pub(crate) const UNICODE: Signs = Signs {
    pending: "·",
    delivered: "✓",
    failed: "✗",
    mention: "»",
    joined: "→",
    left: "←",
    folded: "±",
    action: "*",
    notice: "!",
    private: "@",
    kept: "┊",
    here: "●",
    lost: "◌",
    doubt: "◐",
    alone: "○",
    dot: "·",
    below: "↓",
    day: "─",
    unread: "╌",
    ellipsis: "…",
    switch: "↔",
    dash: "—",
    chosen: "»",
    frame: ["─", "│", "┌", "┐", "┘", "└"],
};

pub(crate) const ASCII: Signs = Signs {
    pending: ".",
    delivered: "v",
    failed: "x",
    mention: ">",
    joined: "+",
    left: "-",
    folded: "~",
    action: "*",
    notice: "!",
    private: "@",
    kept: "|",
    here: "*",
    lost: "?",
    doubt: "?",
    alone: "o",
    dot: "|",
    below: "v",
    day: "-",
    unread: "=",
    ellipsis: "~",
    switch: "/",
    dash: "-",
    chosen: ">",
    frame: ["-", "|", "+", "+", "+", "+"],
};

impl Signs {
    /// What the program says, in these signs.
    pub(crate) fn spelled<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if text.is_ascii() || *self == UNICODE {
            return Cow::Borrowed(text);
        }
        let signs = [
            (UNICODE.dot, self.dot),
            (UNICODE.dash, self.dash),
            (UNICODE.ellipsis, self.ellipsis),
            ("–", self.dash),
        ];
        let spelled =
            signs.into_iter().fold(text.to_owned(), |text, (sign, with)| text.replace(sign, with));
        Cow::Owned(spelled)
    }
}

impl Theme {
    /// A terminal that can do everything.
    pub(crate) const RICH: Self = Self { depth: Depth::Palette256, signs: &UNICODE, utf8: true };

    /// What the environment says of the terminal.
    pub(crate) fn of_environment(when: ColorWhen, ascii: bool) -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let rich = term.contains("256color") || set("COLORTERM").is_some();
        let plain = set("NO_COLOR").is_some() || term == "dumb";
        let depth = match when {
            ColorWhen::Never => Depth::None,
            ColorWhen::Auto if plain => Depth::None,
            _ if rich => Depth::Palette256,
            _ => Depth::Ansi16,
        };
        // Where nothing is said (in a container, say) the terminal in front is one of today.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let utf8 = locale.is_none_or(|locale| is_utf8(&locale));
        let signs = if utf8 && !ascii { &UNICODE } else { &ASCII };
        Self { depth, signs, utf8 }
    }

    /// How something is drawn.
    pub(crate) fn style(self, role: Role) -> Style {
        let coloured = |style: Style, ansi: Color| match self.depth {
            Depth::None => style,
            _ => style.fg(ansi),
        };
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let italic = Style::new().add_modifier(Modifier::ITALIC);
        let reverse = Style::new().add_modifier(Modifier::REVERSED);
        match role {
            Role::Text => Style::new(),
            Role::Name(id) => match self.depth {
                Depth::None => Style::new(),
                Depth::Ansi16 => Style::new().fg(NAMES_16[pick(id, NAMES_16.len())]),
                Depth::Palette256 => {
                    Style::new().fg(Color::Indexed(NAMES_256[pick(id, NAMES_256.len())]))
                }
            },
            Role::Own | Role::Title { focused: true } => bold,
            Role::Title { focused: false } => Style::new(),
            Role::Dim => Style::new().add_modifier(Modifier::DIM),
            Role::Joined => coloured(italic, Color::Green),
            Role::Left => coloured(italic, Color::Red),
            Role::Notice => coloured(Style::new(), Color::Yellow),
            Role::Failed => coloured(bold, Color::Red),
            Role::Delivered => coloured(Style::new(), Color::Green),
            Role::Private => coloured(bold, Color::Magenta),
            Role::Link => Style::new().add_modifier(Modifier::UNDERLINED),
            Role::Mention | Role::Found | Role::Selected | Role::Header => reverse,
        }
    }
}

fn pick(id: PeerId, from: usize) -> usize {
    (mix(id.0) % from as u64) as usize
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Name;

    #[test]
    fn no_name_begins_with_a_sign_of_the_gutter() {
        for sign in [
            UNICODE.pending,
            UNICODE.delivered,
            UNICODE.failed,
            UNICODE.mention,
            UNICODE.joined,
            UNICODE.left,
            UNICODE.folded,
            UNICODE.action,
            UNICODE.notice,
            UNICODE.private,
        ] {
            assert!(Name::parse(&format!("{sign}bob")).is_err(), "{sign}");
        }
    }

    #[test]
    fn what_the_program_says_is_spelled_in_ascii() {
        let text = "unknown — F1 help · 3 more…";
        assert_eq!(UNICODE.spelled(text), text);
        assert_eq!(ASCII.spelled(text), "unknown - F1 help | 3 more~");
    }

    #[test]
    fn locales() {
        for locale in ["C.UTF-8", "de_DE.utf8", "en_US.UTF-8@euro"] {
            assert!(is_utf8(locale));
        }
        for locale in ["C", "POSIX", "de_DE.ISO-8859-1"] {
            assert!(!is_utf8(locale));
        }
    }

    #[test]
    fn without_colours_nothing_is_coloured() {
        let theme = Theme { depth: Depth::None, signs: &UNICODE, utf8: true };
        for role in [Role::Name(PeerId(1)), Role::Joined, Role::Notice, Role::Failed] {
            assert_eq!(theme.style(role).fg, None);
        }
    }
}
