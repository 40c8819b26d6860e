//! What a program asks for: one object on a line, read in full however wrong it is, so that the answer
//! says which request it answers.
//!
//! Nothing is decoded before it is wanted. `ref` is taken as it was written, of an object that is wrong
//! in other ways too; the object is a command only if every field that is known is right.

use core::fmt;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::driver::front::intent::{Command, Intent, Look, Meant};
use crate::machine::Whom;

/// The longest `ref`, in bytes as it was written: every answer repeats it.
pub(crate) const REF_MAX: usize = 4096;

/// Whom `to` can name. Never a name: whoever is gone, and somebody else takes theirs, would lose to
/// them what is for them alone.
const TO: &str = "to is a whole id of 13 letters, or a key of 64 digits, and no name";

/// The fields that are known. Others are ignored.
const FIELDS: [&str; 7] = ["t", "text", "action", "to", "name", "ref", "count"];

/// `ref` as it was written.
pub(crate) type Reference = Box<RawValue>;

/// Why a line is no command, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

const OBJECT: &str = r#"one object on each line: {"t":"send","text":"hi"}"#;
const KINDS: &str = "t is send, nick, who, doctor, history, search, forget or quit";
/// How many messages `history` shows.
const COUNT: &str = "count is a number from 1 to 1000";

const SEARCH: &str = r#"{"t":"search","text":"hi"}"#;

/// How a field is written.
fn example(field: &str) -> &'static str {
    match field {
        "t" => KINDS,
        "name" => r#"{"t":"nick","name":"al"}"#,
        "to" => r#"{"t":"who"} asks for ids and keys"#,
        "action" => r#"{"t":"send","text":"waves","action":true}"#,
        "count" => r#"{"t":"history","count":50}"#,
        _ => r#"{"t":"send","text":"hi"}"#,
    }
}

fn wrong(what: impl Into<String>, hint: &'static str) -> Wrong {
    Wrong { what: what.into(), hint }
}

/// What is wrong with JSON. It is one line: where in it says the column, if it is said of the whole.
fn told(error: &serde_json::Error, whole: bool) -> String {
    let text = error.to_string();
    let what = text.split_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    match error.column() {
        column if whole && column > 0 => format!("{what} at column {column}"),
        _ => what.to_owned(),
    }
}

/// What a line asks for, or why nothing; and its `ref`, where that can be had. A mark of byte order, with
/// which some programs begin, is none of it.
pub(crate) fn read(line: &str) -> (Option<Reference>, Result<Intent, Wrong>) {
    let line = line.strip_prefix('\u{FEFF}').unwrap_or(line);
    let mut found = Fields::default();
    let mut reader = serde_json::Deserializer::from_str(line);
    let whole = reader.deserialize_map(&mut found).and_then(|()| reader.end());
    let command = match (whole, found.wrong.take()) {
        (Err(error), _) => {
            found = Fields::of_a_broken_one(line);
            Err(wrong(told(&error, true), OBJECT))
        }
        (Ok(()), Some(wrong)) => Err(wrong),
        (Ok(()), None) => found.command(),
    };
    (found.reference(), command)
}

/// The value that a text begins with.
fn beginning(text: &str) -> Option<&RawValue> {
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

/// The `ref` in the beginning of a line, of which no more is known.
pub(crate) fn reference_in(head: &str) -> Option<Reference> {
    // A number that ends with what is known may go on behind it.
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    read(head.trim_end_matches(part)).0
}

/// The values of an object, not decoded.
#[derive(Default)]
struct Fields<'a> {
    values: [Option<&'a RawValue>; FIELDS.len()],
    /// The first thing that is wrong with the object as such.
    wrong: Option<Wrong>,
    /// `ref` is there twice: nobody knows which one is meant.
    ambiguous: bool,
}

impl<'a> Fields<'a> {
    /// Those of an object that is none. What is wrong somewhere, letters that may not stand in a text or a
    /// number that is none, hides what stands behind it from nobody who counts quotes and brackets.
    fn of_a_broken_one(line: &'a str) -> Self {
        let mut found = Self::default();
        let (mut depth, mut quoted, mut escaped, mut begins) = (0_usize, false, false, 0);
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' if quoted => {
                    quoted = false;
                    let value = line[at + 1..].trim_ascii_start().strip_prefix(':');
                    let value = value.filter(|_| depth == 1).and_then(beginning);
                    if let Some((key, value)) = beginning(&line[begins..=at]).zip(value) {
                        found.put(key, value);
                    }
                }
                b'"' => (quoted, begins) = (true, at),
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        found
    }

    fn put(&mut self, key: &RawValue, value: &'a RawValue) {
        let name: String = match serde_json::from_str(key.get()) {
            Ok(name) => name,
            Err(error) => {
                let what = format!("a key is not text: {}", told(&error, false));
                return self.note(wrong(what, OBJECT));
            }
        };
        let Some(at) = FIELDS.iter().position(|field| *field == name) else { return };
        if self.values[at].replace(value).is_some() {
            self.ambiguous |= name == "ref";
            self.note(wrong(format!("{name} is there twice"), "each field once"));
        }
        if name == "ref" && value.get().len() > REF_MAX {
            let hint = "ref comes back as it is: a short one does";
            self.note(wrong(format!("ref has at most {REF_MAX} bytes"), hint));
        }
    }

    fn note(&mut self, wrong: Wrong) {
        self.wrong.get_or_insert(wrong);
    }

    fn reference(&self) -> Option<Reference> {
        let value = self.values[5].filter(|value| value.get().len() <= REF_MAX);
        value.filter(|_| !self.ambiguous).map(ToOwned::to_owned)
    }

    /// The value of a field; null is none.
    fn get<T: DeserializeOwned>(&self, name: &str, kind: &str) -> Result<Option<T>, Wrong> {
        let at = FIELDS.iter().position(|field| *field == name);
        let Some(value) = at.and_then(|at| self.values[at]) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|error| {
            wrong(format!("{name} is {kind}: {}", told(&error, false)), example(name))
        })
    }

    fn text(&self, name: &str) -> Result<Option<String>, Wrong> {
        self.get(name, "a text")
    }

    /// How many messages are asked for.
    fn count(&self) -> Result<usize, Wrong> {
        let count: Option<u64> = self.get("count", "a number")?;
        let count = count.map_or(Ok(Look::LAST), usize::try_from);
        let count = count.ok().filter(|count| (1..=Look::LAST_MAX).contains(count));
        count.ok_or_else(|| wrong(COUNT, example("count")))
    }

    fn command(&self) -> Result<Intent, Wrong> {
        let t = self.text("t")?.ok_or_else(|| wrong("t is missing", KINDS))?;
        let (text, name, to) = (self.text("text")?, self.text("name")?, self.text("to")?);
        let action = self.get("action", "true or false")?.unwrap_or(false);
        let count = self.count()?;
        let command = match t.as_str() {
            "send" => {
                let text = text.ok_or_else(|| wrong("send needs a text", example("text")))?;
                let exact = |to: String| Whom::exact(&to).map(Meant::from);
                let to = to.map(|to| exact(to).ok_or_else(|| wrong(TO, example("to"))));
                let to = to.transpose()?;
                Ok(Command::Say { text, action, to })
            }
            "nick" => {
                let none = || wrong("nick needs a name", example("name"));
                name.map(Command::Nick).ok_or_else(none)
            }
            "who" => Ok(Command::Who),
            "doctor" => Ok(Command::Doctor),
            "quit" => Ok(Command::Quit),
            "history" => return Ok(Intent::Look(Look::Last(count))),
            "search" => {
                let text = text.ok_or_else(|| wrong("search needs a text", SEARCH))?;
                return Ok(Intent::Look(Look::Search(text)));
            }
            "forget" => return Ok(Intent::Look(Look::Forget { sure: true })),
            other => Err(wrong(format!("unknown t '{other}'"), KINDS)),
        };
        command.map(Intent::Command)
    }
}

impl<'de> Visitor<'de> for &mut Fields<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&RawValue>()? {
            self.put(key, map.next_value()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `ref` of a line, and whether the line is a command.
    fn seen(line: &str) -> (Option<String>, bool) {
        let (reference, command) = read(line);
        (reference.map(|reference| reference.get().to_owned()), command.is_ok())
    }

    /// Every mistake had the same hint, and every one in the JSON itself was in line 1.
    #[test]
    fn a_mistake_is_told_with_what_to_write_instead() {
        for (line, what, hint) in [
            (r#"{"t":"send","text":}"#, "expected value at column 20", OBJECT),
            ("7", "invalid type: integer `7`, expected an object at column 1", OBJECT),
            (r#"{"t":"dance"}"#, "unknown t 'dance'", KINDS),
            (r#"{"text":"hi"}"#, "t is missing", KINDS),
            (r#"{"t":"send"}"#, "send needs a text", r#"{"t":"send","text":"hi"}"#),
            (r#"{"t":"nick"}"#, "nick needs a name", r#"{"t":"nick","name":"al"}"#),
            (r#"{"t":"who","t":"who"}"#, "t is there twice", "each field once"),
            (
                r#"{"t":"send","text":5}"#,
                "text is a text: invalid type: integer `5`, expected a string",
                r#"{"t":"send","text":"hi"}"#,
            ),
            (
                r#"{"t":"send","text":"x","action":"yes"}"#,
                "action is true or false: invalid type: string \"yes\", expected a boolean",
                r#"{"t":"send","text":"waves","action":true}"#,
            ),
            (r#"{"t":"send","text":"x","to":"bob"}"#, TO, r#"{"t":"who"} asks for ids and keys"#),
        ] {
            let told = read(line).1.unwrap_err();
            assert_eq!((told.what.as_str(), told.hint), (what, hint), "{line}");
        }
    }

    #[test]
    fn a_ref_is_had_of_an_object_that_is_wrong() {
        for line in [
            r#"{"t":"send","text":5,"ref":"a"}"#,
            r#"{"ref":"a","t":"send","text":"x","text":"y"}"#,
            r#"{"t":"send","text":"\ud800","ref":"a"}"#,
            r#"{"t":"send","text":"x","to":"bob","ref":"a"}"#,
            r#"{"t":"send","text":"x","action":"yes","ref":"a"}"#,
            r#"{"t":["send"],"ref":"a"}"#,
            r#"{"\udc00":1,"t":"who","ref":"a"}"#,
            r#"{"ref":"a","t":"who","#,
            r#"{"ref":"a","t":"who"} and more"#,
            r#"{"ref":"a" "t":"who"}"#,
            r#"{"\u0072ef":"a"}"#,
            "{\"t\":\"nick\",\"name\":null , \"ref\" :\t\"a\" }",
        ] {
            assert_eq!(seen(line), (Some(r#""a""#.to_owned()), false), "{line}");
        }
        for line in [
            "{\"t\":\"send\",\"text\":\"a\tb\",\"ref\":\"a\"}",
            "{\"t\":\"send\",\"text\":\"a\u{0}b\",\"ref\":\"a\"}",
            r#"{"t":"send","text":"\x \" {","ref":"a"}"#,
            r#"{"t":"send","text":NaN,"ref":"a"}"#,
            r#"{"t":"send","text":01,"x":[{"ref":1}],"ref":"a"}"#,
            r#"{"t":"send","text":'ref',"ref" : "a"}"#,
        ] {
            assert_eq!(seen(line), (Some(r#""a""#.to_owned()), false), "{line}");
        }
        for line in [
            r#"{"ref":1,"ref":2,"t":"who"}"#,
            r#"{"t":"dance"}"#,
            r#"{"t":01,"ref":1,"ref":2}"#,
            r#"{"t":01,"x":{"ref":1}}"#,
            r#"{"t":01,"x":"\"ref\":1"}"#,
            r#"["x":01,"y","ref":"#,
            "{",
            "",
            "7",
            "null",
        ] {
            assert_eq!(seen(line), (None, false), "{line}");
        }
        let long = format!(r#"{{"t":"who","ref":"{}"}}"#, "x".repeat(REF_MAX - 1));
        assert_eq!(seen(&long), (None, false));
    }

    #[test]
    fn a_ref_stays_as_it_was_written() {
        for reference in [
            "12345678901234567890123",
            "-0",
            "1.0e+5",
            "0.10",
            r#""\u0041\/\ud83d\ude00""#,
            r#""\ud800""#,
            r#"{"b":1, "a":[ 2,{"a":1,"a":2}]}"#,
            "null",
            "true",
        ] {
            let line = format!(r#"{{"t":"who","ref":{reference}}}"#);
            assert_eq!(seen(&line), (Some(reference.to_owned()), true));
        }
    }

    #[test]
    fn objects_alone_are_commands() {
        for line in [
            r#"["send","hello",false,null,null,null]"#,
            r#"["who"]"#,
            r#""who""#,
            "[]",
            r#"[{"t":"who"}]"#,
            r#"{"who":null}"#,
        ] {
            assert_eq!(seen(line), (None, false), "{line}");
        }
        assert!(seen("\u{FEFF}{\"t\":\"who\"}").1);
        assert!(seen(r#" {"unknown":[{"t":1}],"t":"who","unknown":2} "#).1);
    }

    #[test]
    fn the_beginning_of_a_line_has_a_ref_or_not() {
        let of = |head| reference_in(head).map(|found| found.get().to_owned());
        assert_eq!(of(r#"{"ref":"a","text":"xxx"#), Some(r#""a""#.to_owned()));
        assert_eq!(of(r#"{"ref":12,"text":"xxx"#), Some("12".to_owned()));
        for head in [r#"{"ref":12"#, r#"{"ref":1.2e"#, r#"{"ref":"a"#, r#"{"text":"\"ref\":1,"#, ""]
        {
            assert_eq!(of(head), None, "{head}");
        }
    }
}
