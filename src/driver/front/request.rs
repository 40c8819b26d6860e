//! What a program asks for: one object on a line, read in full however wrong it is, so that the answer
//! says which request it answers.
//!
//! Nothing is decoded before it is wanted. `ref` is taken as it was written, of an object that is wrong
//! in other ways too; the object is a command only if every field that is known is right.

use core::fmt;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::driver::front::intent::{Command, Meant};
use crate::machine::Whom;

/// The longest `ref`, in bytes as it was written: every answer repeats it.
pub(crate) const REF_MAX: usize = 4096;

/// Whom `to` can name. Never a name: whoever is gone, and somebody else takes theirs, would lose to
/// them what is for them alone.
const TO: &str = "to is a whole id of 13 letters, or a key of 64 digits, and no name";

/// The fields that are known. Others are ignored.
const FIELDS: [&str; 6] = ["t", "text", "action", "to", "name", "ref"];

/// `ref` as it was written.
pub(crate) type Reference = Box<RawValue>;

/// What a line asks for, or why nothing; and its `ref`, where that can be had. A mark of byte order, with
/// which some programs begin, is none of it.
pub(crate) fn read(line: &str) -> (Option<Reference>, Result<Command, String>) {
    let line = line.strip_prefix('\u{FEFF}').unwrap_or(line);
    let mut found = Fields::default();
    let mut reader = serde_json::Deserializer::from_str(line);
    let whole = reader.deserialize_map(&mut found).and_then(|()| reader.end());
    let command = match (whole, found.wrong.take()) {
        (Err(error), _) => {
            found = Fields::of_a_broken_one(line);
            Err(error.to_string())
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
    wrong: Option<String>,
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
            Err(error) => return self.note(format!("a key is not text: {error}")),
        };
        let Some(at) = FIELDS.iter().position(|field| *field == name) else { return };
        if self.values[at].replace(value).is_some() {
            self.ambiguous |= name == "ref";
            self.note(format!("{name} is there twice"));
        }
        if name == "ref" && value.get().len() > REF_MAX {
            self.note(format!("ref has at most {REF_MAX} bytes"));
        }
    }

    fn note(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn reference(&self) -> Option<Reference> {
        let value = self.values[5].filter(|value| value.get().len() <= REF_MAX);
        value.filter(|_| !self.ambiguous).map(ToOwned::to_owned)
    }

    /// The value of a field; null is none.
    fn get<T: DeserializeOwned>(&self, name: &str, kind: &str) -> Result<Option<T>, String> {
        let at = FIELDS.iter().position(|field| *field == name);
        let Some(value) = at.and_then(|at| self.values[at]) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|error| format!("{name} is {kind}: {error}"))
    }

    fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.get(name, "a text")
    }

    fn command(&self) -> Result<Command, String> {
        let t = self.text("t")?.ok_or("t is missing")?;
        let (text, name, to) = (self.text("text")?, self.text("name")?, self.text("to")?);
        let action = self.get("action", "true or false")?.unwrap_or(false);
        match t.as_str() {
            "send" => {
                let text = text.ok_or("send needs a text")?;
                let to = to.map(|to| Whom::exact(&to).map(Meant::from).ok_or(TO)).transpose()?;
                Ok(Command::Say { text, action, to })
            }
            "nick" => Ok(Command::Nick(name.ok_or("nick needs a name")?)),
            "who" => Ok(Command::Who),
            "quit" => Ok(Command::Quit),
            other => Err(format!("unknown t '{other}'")),
        }
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
