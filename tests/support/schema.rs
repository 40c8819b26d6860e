//! As much of JSON Schema 2020-12 as docs/json.schema.json needs. A keyword that is not known is a fault of
//! the schema: nothing in it goes unchecked.

use std::collections::BTreeSet;

use serde_json::Value;

/// Keywords that say something about values, and those that only tell.
const KEYWORDS: [&str; 13] = [
    "$ref",
    "const",
    "enum",
    "type",
    "pattern",
    "minimum",
    "maximum",
    "required",
    "properties",
    "items",
    "anyOf",
    "oneOf",
    "$defs",
];
const TELLING: [&str; 3] = ["$schema", "title", "description"];

/// The schema.
pub(crate) struct Schema(Value);

/// What was seen of it: `sent.ref`, `msg.to null`, `leave.why quit`.
pub(crate) type Seen = BTreeSet<String>;

impl Schema {
    /// Reads it, and sees to it that nothing in it is unknown here.
    pub(crate) fn read(text: &str) -> Self {
        let schema = Self(serde_json::from_str(text).expect("JSON"));
        schema.is_known(&schema.0);
        schema
    }

    fn is_known(&self, part: &Value) {
        if part.is_boolean() {
            return;
        }
        for (keyword, value) in part.as_object().expect("a schema") {
            let keyword = keyword.as_str();
            assert!(KEYWORDS.contains(&keyword) || TELLING.contains(&keyword), "{keyword}");
            match keyword {
                "$ref" => drop(self.target(value)),
                "items" => self.is_known(value),
                "anyOf" | "oneOf" => {
                    value.as_array().expect("a list").iter().for_each(|one| self.is_known(one));
                }
                "properties" | "$defs" => {
                    value.as_object().expect("names").values().for_each(|one| self.is_known(one));
                }
                _ => {}
            }
        }
    }

    /// What a reference names, and by which name.
    fn target<'a>(&'a self, reference: &'a Value) -> (&'a str, &'a Value) {
        let name = reference.as_str().and_then(|text| text.strip_prefix("#/$defs/")).expect("ours");
        (name, self.named(name))
    }

    /// A definition.
    pub(crate) fn named(&self, name: &str) -> &Value {
        self.0["$defs"].get(name).unwrap_or_else(|| panic!("{name} is not defined"))
    }

    /// The definitions that one of several refers to, and those of their fields.
    pub(crate) fn variants(&self, name: &str) -> Vec<&str> {
        let all = self.named(name)["oneOf"].as_array().expect("several");
        all.iter().map(|one| self.target(&one["$ref"]).0).collect()
    }

    /// Whether a value is what a definition says, with no field that it does not name if it is `closed`.
    /// What is seen of the schema is noted.
    pub(crate) fn check(&self, name: &str, value: &Value, closed: bool) -> Result<Seen, String> {
        let mut seen = Seen::new();
        self.holds(self.named(name), value, (name, closed), &mut seen)?;
        Ok(seen)
    }

    fn holds(
        &self,
        schema: &Value,
        value: &Value,
        (at, closed): (&str, bool),
        seen: &mut Seen,
    ) -> Result<(), String> {
        let Some(parts) = schema.as_object() else {
            return if schema == &Value::Bool(true) { Ok(()) } else { Err(format!("{at}: never")) };
        };
        for (keyword, part) in parts {
            let good = match keyword.as_str() {
                "$ref" => {
                    let (name, target) = self.target(part);
                    // A type without fields belongs to the field that has it.
                    let at = if target["properties"].is_object() { name } else { at };
                    self.holds(target, value, (at, closed), seen)?;
                    true
                }
                "const" => part == value,
                "enum" => part.as_array().is_some_and(|all| all.contains(value)),
                "type" => is_of(value, part.as_str().expect("a type")),
                "pattern" => {
                    value.as_str().is_none_or(|text| matches(part.as_str().expect("one"), text))
                }
                "minimum" => value.as_i64().is_none_or(|it| it >= part.as_i64().expect("a number")),
                "maximum" => value.as_i64().is_none_or(|it| it <= part.as_i64().expect("a number")),
                "items" => {
                    let items = value.as_array().into_iter().flatten();
                    items.map(|item| self.holds(part, item, (at, closed), seen)).collect::<Result<
                        Vec<()>,
                        String,
                    >>(
                    )?;
                    true
                }
                "anyOf" => self.fitting(part, value, (at, closed), seen) > 0,
                "oneOf" => self.fitting(part, value, (at, closed), seen) == 1,
                "required" => self.has_all(part, value),
                "properties" => {
                    self.fields(part, value, (at, closed), seen)?;
                    true
                }
                _ => true,
            };
            if !good {
                return Err(format!("{at}: {value} against {keyword} {part}"));
            }
        }
        Ok(())
    }

    fn has_all(&self, required: &Value, value: &Value) -> bool {
        let mut names = required.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.all(|name| value.get(name).is_some())
    }

    /// How many of these a value is; what is seen of the first of them is noted.
    fn fitting(&self, all: &Value, value: &Value, place: (&str, bool), seen: &mut Seen) -> usize {
        let mut count = 0;
        for one in all.as_array().into_iter().flatten() {
            let mut of_this = Seen::new();
            if self.holds(one, value, place, &mut of_this).is_ok() {
                count += 1;
                if count == 1 {
                    seen.append(&mut of_this);
                }
            }
        }
        count
    }

    fn fields(
        &self,
        known: &Value,
        value: &Value,
        (at, closed): (&str, bool),
        seen: &mut Seen,
    ) -> Result<(), String> {
        let (Some(known), Some(there)) = (known.as_object(), value.as_object()) else {
            return Ok(());
        };
        for (name, field) in there {
            match known.get(name) {
                Some(schema) => {
                    self.holds(schema, field, (at, closed), seen)
                        .map_err(|error| format!("{name}: {error}"))?;
                    seen.insert(format!("{at}.{name}"));
                    if schema.get("anyOf").is_some() {
                        let null = if field.is_null() { "null" } else { "something" };
                        seen.insert(format!("{at}.{name} {null}"));
                    }
                    if schema.get("enum").is_some() {
                        seen.insert(format!("{at}.{name} {}", field.as_str().unwrap_or_default()));
                    }
                }
                None if closed => return Err(format!("{at} has no field {name}")),
                None => {}
            }
        }
        let absent = known.keys().filter(|&name| !there.contains_key(name));
        seen.extend(absent.map(|name| format!("{at}.{name} absent")));
        Ok(())
    }

    /// All that can be seen of the objects of a definition.
    pub(crate) fn all(&self, name: &str) -> Seen {
        let mut all = Seen::new();
        self.collect(self.named(name), name, &mut all);
        all
    }

    fn collect(&self, schema: &Value, at: &str, all: &mut Seen) {
        if let Some(reference) = schema.get("$ref") {
            let (name, target) = self.target(reference);
            self.collect(target, name, all);
        }
        if let Some(items) = schema.get("items") {
            self.collect(items, at, all);
        }
        for one in
            ["anyOf", "oneOf"].iter().filter_map(|several| schema[several].as_array()).flatten()
        {
            self.collect(one, at, all);
        }
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            all.insert(format!("{at}.{name}"));
            if field.get("anyOf").is_some() {
                all.extend(["null", "something"].map(|value| format!("{at}.{name} {value}")));
            }
            for value in field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                all.insert(format!("{at}.{name} {value}"));
            }
            if !required.iter().any(|needed| needed == name.as_str()) {
                all.insert(format!("{at}.{name} absent"));
            }
            self.collect(field, at, all);
        }
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

/// Whether a text is what a pattern says, which is `^`, characters and classes of them, each perhaps with
/// how often it stands there, and `$`.
fn matches(pattern: &str, text: &str) -> bool {
    let whole = pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$'));
    let (mut rest, mut text) = (whole.expect("a whole pattern"), text);
    while let Some(first) = rest.chars().next() {
        let (class, after): (Vec<char>, &str) = match first {
            '[' => {
                let (class, after) = rest[1..].split_once(']').expect("its end");
                (members(class), after)
            }
            '\\' => (vec![rest[1..].chars().next().expect("one")], &rest[2..]),
            plain => (vec![plain], &rest[plain.len_utf8()..]),
        };
        let (least, most, after) = match after.strip_prefix('{') {
            Some(count) => {
                let (count, after) = count.split_once('}').expect("its end");
                let (least, most) = count.split_once(',').unwrap_or((count, count));
                (least.parse().expect("a number"), most.parse().expect("a number"), after)
            }
            None => (1, 1, after),
        };
        // As many as there are: no pattern of ours goes on with what a class has.
        let count = text.chars().take(most).take_while(|c| class.contains(c)).count();
        if count < least {
            return false;
        }
        text = &text[text.chars().take(count).map(char::len_utf8).sum()..];
        rest = after;
    }
    text.is_empty()
}

fn members(class: &str) -> Vec<char> {
    let class: Vec<char> = class.chars().collect();
    let (mut members, mut at) = (Vec::new(), 0);
    while let Some(&first) = class.get(at) {
        match (class.get(at + 1), class.get(at + 2)) {
            (Some('-'), Some(&last)) => {
                members.extend(first..=last);
                at += 3;
            }
            _ => {
                members.push(first);
                at += 1;
            }
        }
    }
    members
}

#[test]
fn the_checker_refuses_what_a_schema_does_not_allow() {
    let schema = Schema::read(
        r##"{"$defs": {
            "one": {"type": "object", "required": ["a"], "properties": {
                "a": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "null"}]},
                "b": {"enum": ["x", "y"]}, "c": {"type": "array", "items": {"$ref": "#/$defs/id"}}, "d": true}},
            "id": {"type": "string", "pattern": "^[a-c2]{2,3}\\.[0-9]{1}$"}}}"##,
    );
    let good = |text: &str, closed| {
        schema.check("one", &serde_json::from_str(text).expect("JSON"), closed).is_ok()
    };
    for text in [
        r#"{"a":0}"#,
        r#"{"a":null,"b":"y","c":[],"d":{"e":1}}"#,
        r#"{"a":9,"c":["ab.7","2cc.0"]}"#,
    ] {
        assert!(good(text, true), "{text}");
    }
    for text in [
        "[]",
        "{}",
        r#"{"a":-1}"#,
        r#"{"a":10}"#,
        r#"{"a":"0"}"#,
        r#"{"a":1,"b":"z"}"#,
        r#"{"a":1,"c":"ab.7"}"#,
        r#"{"a":1,"c":["a.7"]}"#,
        r#"{"a":1,"c":["abca.7"]}"#,
        r#"{"a":1,"c":["ad.7"]}"#,
        r#"{"a":1,"c":["ab.77"]}"#,
        r#"{"a":1,"c":["ab.7", 1]}"#,
    ] {
        assert!(!good(text, false), "{text}");
    }
    assert!(good(r#"{"a":1,"e":1}"#, false) && !good(r#"{"a":1,"e":1}"#, true));
    let seen = schema.check("one", &serde_json::json!({"a": null, "b": "x"}), true).expect("good");
    let left: Vec<String> = schema.all("one").difference(&seen).cloned().collect();
    assert_eq!(left, ["one.a something", "one.b absent", "one.b y", "one.c", "one.d"]);
}
