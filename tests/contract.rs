//! docs/json.schema.json and docs/JSON.md are what `--json` takes and says: every object that the program
//! writes is allowed there, everything that is allowed there is written, and what is read is what they say.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "contract/page.rs"]
mod page;
#[path = "contract/runs.rs"]
mod runs;
#[path = "support/schema.rs"]
mod schema;
mod support;
#[path = "contract/written.rs"]
mod written;

use std::net::SocketAddr;

use chatrpc::driver::trial;
use chatrpc::machine::{Name, Room};
use schema::Schema;
use serde_json::{Value, json};

pub(crate) fn contract() -> Schema {
    Schema::read(include_str!("../docs/json.schema.json"))
}

pub(crate) fn room() -> Room {
    Room::new(Name::parse("lobby").unwrap(), None)
}

pub(crate) fn addr() -> SocketAddr {
    "10.0.0.9:40112".parse().unwrap()
}

/// Whether the reader takes a line for a command; of one that it does not, what it says is a `bad_input`
/// with that `ref`.
fn is_command(line: &Value) -> bool {
    let text = format!("{line}\n");
    let (wishes, out, err) = trial::read(true, false, [text.as_bytes()]);
    assert!(err.is_empty() && wishes.len() + out.lines().count() == 1, "{line}: {out}{err}");
    if wishes.is_empty() {
        let error: Value = serde_json::from_str(&out).unwrap();
        contract().check("out", &error, true).unwrap();
        assert_eq!((&error["code"], error.get("ref")), (&"bad_input".into(), line.get("ref")));
    }
    !wishes.is_empty()
}

/// Values of every kind, and whom `to` can name.
fn values() -> Vec<Value> {
    let (id, odd) = ("5fidpqxyqtmx6", "5fidpqxyqtmxb");
    let (key, large) = ("8a".repeat(32), "8A".repeat(32));
    let mut values = vec![json!(null), json!(true), json!(5), json!(-0.5), json!([]), json!({})];
    values.extend([0, 1000, 1001].map(Value::from));
    let short = &key[..62];
    values.extend(
        ["", "bob", id, odd, &id[..12], &id.to_uppercase(), &key, &large, short].map(Value::from),
    );
    values
}

/// A line is a command if the schema says so, and is refused otherwise: with any value in any field that
/// is known, of any command; and whatever is in one that is not.
#[test]
fn input_is_what_the_schema_says() {
    let contract = contract();
    let (mut commands, mut refused) = (0, 0);
    for t in
        ["send", "nick", "who", "doctor", "history", "search", "forget", "quit", "dance", "msg", ""]
            .map(Value::from)
            .into_iter()
            .chain(values())
    {
        for base in
            [json!({"t": t}), json!({"t": t, "text": "x"}), json!({"t": t, "name": "x", "ref": 7})]
        {
            let fields =
                ["t", "text", "action", "to", "name", "ref", "count", "id", "Text", "v", ""];
            for (field, value) in fields
                .into_iter()
                .flat_map(|field| values().into_iter().map(move |value| (field, value)))
            {
                let mut line = base.clone();
                line[field] = value;
                let allowed = contract.check("in", &line, false).is_ok();
                assert_eq!(is_command(&line), allowed, "{line}");
                *(if allowed { &mut commands } else { &mut refused }) += 1;
            }
        }
    }
    for line in values() {
        assert!(contract.check("in", &line, false).is_err() && !is_command(&line), "{line}");
    }
    assert!(commands > 500 && refused > 500, "{commands} and {refused}");
}

/// Every command of the schema has an example that is one, with each of its fields.
#[test]
fn every_input_of_the_schema_is_taken() {
    let contract = contract();
    for name in contract.variants("in") {
        let of = contract.named(name);
        let required = of["required"].as_array().unwrap();
        let example = |field: &str| match field {
            "t" => of["properties"]["t"]["const"].clone(),
            "action" => true.into(),
            "count" => 5.into(),
            "to" => "5fidpqxyqtmx6".into(),
            _ => "x".into(),
        };
        let mut line = json!({});
        for field in required {
            line[field.as_str().unwrap()] = example(field.as_str().unwrap());
        }
        assert!(is_command(&line), "{line}");
        for field in required {
            let mut less = line.clone();
            less.as_object_mut().unwrap().remove(field.as_str().unwrap());
            assert!(!is_command(&less), "{less}");
        }
        for field in of["properties"].as_object().unwrap().keys() {
            line[field] = example(field);
            assert!(is_command(&line) && contract.check(name, &line, true).is_ok(), "{line}");
        }
    }
}

/// What is not JSON, or has a field twice, is refused; the limits are those of the page.
#[test]
fn lines_that_no_schema_describes() {
    let read = |text: &str| {
        let (wishes, out, _) = trial::read(true, false, [text.as_bytes()]);
        let answer: Option<Value> =
            out.lines().next().map(|line| serde_json::from_str(line).unwrap());
        (wishes.len(), answer)
    };
    for line in [
        r#"{"t":"who","t":"who","ref":1}"#,
        r#"{"ref":1,"t":"send","text":"x","text":"x"}"#,
        r#"{"ref":1,"t":"who""#,
        r#"{"ref":1,"t":"who"}}"#,
        r#"{"ref":1,"t":"send","text":"\udead"}"#,
    ] {
        let (count, answer) = read(&format!("{line}\n"));
        let answer = answer.unwrap();
        assert_eq!((count, &answer["code"], &answer["ref"]), (0, &"bad_input".into(), &1.into()));
    }
    for blank in ["\n", "   \n", "\r\n", " \t \r\n"] {
        assert_eq!(read(blank), (0, None), "{blank:?}");
    }
    assert_eq!(
        read("{\"t\":\"who\"}\r\n{\"t\":\"quit\"}").0,
        2,
        "and the end of the input ends a line"
    );
    let padded = |len: usize| format!("{{\"t\":\"who\",\"ref\":1{}}}\n", " ".repeat(len - 19));
    assert_eq!(padded(262_144).len(), 262_145);
    assert_eq!(read(&padded(262_144)).0, 1);
    assert_eq!(read(&padded(262_145)).1.unwrap()["code"], "bad_input");
    let referred = |len: usize| format!("{{\"t\":\"who\",\"ref\":\"{}\"}}\n", "x".repeat(len - 2));
    assert_eq!(read(&referred(4096)).0, 1);
    let answer = read(&referred(4097)).1.unwrap();
    assert_eq!((&answer["code"], answer.get("ref")), (&"bad_input".into(), None));
}
