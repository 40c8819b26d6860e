//! docs/JSON.md has every object, field, type and code of the schema, and no other; its examples are
//! allowed; and the codes of runs that fail are those of the sources, with their exit status.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chatrpc::machine::doctor::Cause;
use serde_json::Value;

use crate::contract;
use crate::schema::Schema;

const PAGE: &str = include_str!("../../docs/JSON.md");

/// The cells of the tables below a heading, whichever it is, until the next.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let (_, after) =
        PAGE.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{heading}"));
    let lines = after.lines().take_while(|line| !line.starts_with('#'));
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.filter(|line| line.starts_with('|')).map(cells).collect()
}

fn coded(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

/// What the page calls the type of a field.
fn called(schema: &Value) -> String {
    let of_name = |name: &str| match name {
        "ts" => "time".to_owned(),
        "message" => "message id".to_owned(),
        "addr" => "address".to_owned(),
        "count" => "number".to_owned(),
        "flag" => "boolean or null".to_owned(),
        "few" => "number or null".to_owned(),
        "to" => "id, key or null".to_owned(),
        other => other.to_owned(),
    };
    if schema == &Value::Bool(true) {
        return "any".to_owned();
    }
    if let Some(name) = schema["$ref"].as_str() {
        return of_name(name.rsplit('/').next().unwrap());
    }
    if schema["enum"].is_array() {
        return "word".to_owned();
    }
    if let Some(several) = schema["anyOf"].as_array() {
        return several.iter().map(called).collect::<Vec<_>>().join(" or ");
    }
    match schema["type"].as_str().unwrap() {
        "string" => "text".to_owned(),
        "integer" => "number".to_owned(),
        "array" => format!("list of {}", called(&schema["items"])),
        other => other.to_owned(),
    }
}

/// The fields of an object as the page has to have them: name and type.
fn fields(of: &Value, but: &[&str]) -> BTreeMap<String, String> {
    let required = of["required"].as_array().unwrap();
    let properties = of["properties"].as_object().unwrap();
    let named = properties.iter().filter(|(name, _)| !but.contains(&name.as_str()));
    let one = |(name, schema): (&String, &Value)| {
        let optional = if required.iter().any(|other| other == name) { "" } else { ", optional" };
        (name.clone(), called(schema) + optional)
    };
    named.map(one).collect()
}

/// Rows of which the first cell names an object and those below belong to it: fields and types, by object.
fn by_object(rows: &[Vec<String>]) -> BTreeMap<String, BTreeMap<String, String>> {
    let (mut all, mut of) = (BTreeMap::<String, BTreeMap<String, String>>::new(), String::new());
    for row in rows.iter().filter(|row| row.len() == 4 && row[1] != "field") {
        match coded(&row[0]) {
            Some(name) => of = name.to_owned(),
            None if !row[0].is_empty() => continue,
            None => {}
        }
        let known = all.entry(of.clone()).or_default();
        if let Some(field) = coded(&row[1]) {
            assert!(known.insert(field.to_owned(), row[2].clone()).is_none(), "{of}.{field} twice");
        }
    }
    all
}

#[test]
fn the_page_has_every_field_and_its_type() {
    let contract = contract();
    let statuses = by_object(&rows("### `status`"));
    let mut told = BTreeSet::new();
    for name in contract.variants("out") {
        let of = contract.named(name);
        let t = of["properties"]["t"]["const"].as_str().unwrap();
        told.insert(t);
        if let Some(code) = of["properties"]["code"]["const"].as_str() {
            let there = statuses.get(code).unwrap_or_else(|| panic!("no status {code}"));
            assert_eq!(there, &fields(of, &["v", "t", "ts", "code"]), "{code}");
            continue;
        }
        let there: BTreeMap<String, String> = rows(&format!("### `{t}`"))
            .iter()
            .filter(|row| row.len() == 3)
            .filter_map(|row| Some((coded(&row[0])?.to_owned(), row[1].clone())))
            .filter(|(_, kind)| kind.parse::<u8>().is_err())
            .collect();
        assert_eq!(there, fields(of, &["v", "t", "ts"]), "{t}");
    }
    let codes = contract.variants("out").into_iter().filter(|name| name.starts_with("status_"));
    assert_eq!(codes.count(), statuses.len(), "{statuses:?}");
    let headings: BTreeSet<&str> =
        PAGE.lines().filter_map(|line| coded(line.strip_prefix("### ")?)).collect();
    assert_eq!(headings, told);
    // What an object of the program may have that is no object of its own.
    for part in ["unreached", "here"] {
        let (_, text) = PAGE.split_once(&format!(" *{part}* is ")).expect(part);
        let text = text.lines().next().unwrap();
        let base = if part == "here" { "introduced" } else { "person" };
        assert!(text.contains(base), "{text}");
        let known = fields(contract.named(base), &[]);
        for field in
            fields(contract.named(part), &[]).keys().filter(|&name| !known.contains_key(name))
        {
            assert!(text.contains(&format!("`{field}`")), "{part}.{field}");
        }
    }
}

#[test]
fn the_page_has_every_input() {
    let contract = contract();
    let there = by_object(&rows("## Input"));
    let names = contract.variants("in");
    assert_eq!(there.len(), names.len());
    for name in names {
        let of = contract.named(name);
        // The others only have to be of the type that they have elsewhere.
        let unused = ["text", "action", "to", "name", "count"].into_iter().filter(|&field| {
            let schema = &of["properties"][field];
            let kind = schema["$ref"].as_str().unwrap_or_default();
            kind.ends_with("/words")
                || kind.ends_with("/flag") && name != "send"
                || kind.ends_with("/few") && name != "history"
        });
        let but: Vec<&str> = ["t", "ref"].into_iter().chain(unused).collect();
        assert_eq!(there[name], fields(of, &but), "{name}");
    }
}

/// Every word that a field can be stands on the page, in a table of its own or beside the field.
#[test]
fn the_page_has_every_word() {
    let contract = contract();
    let has = |part: &str, word: &str| part.contains(&format!("`{word}`"));
    let words = |name: &str, field: &str| -> Vec<String> {
        let all = contract.named(name)["properties"][field]["enum"].as_array().unwrap();
        all.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let section = |heading: &str| rows(heading).concat().join(" ");
    for why in words("leave", "why") {
        assert!(has(&section("### `leave`"), &why), "{why}");
    }
    let unreached = PAGE.lines().find(|line| line.starts_with("An *unreached*")).unwrap();
    for why in words("unreached", "why") {
        assert!(has(unreached, &why), "{why}");
    }
    for gravity in words("finding", "gravity") {
        assert!(has(&section("### `finding`"), &gravity), "{gravity}");
    }
    for by in words("path", "by") {
        assert!(has(&section("### `path`"), &by), "{by}");
    }
    let causes = rows("### `finding`").into_iter().filter(|row| row.len() == 2);
    let causes: Vec<String> =
        causes.filter_map(|row| coded(&row[0]).map(ToOwned::to_owned)).collect();
    assert_eq!(causes, words("finding", "cause"), "in their order");
    assert_eq!(causes, Cause::ALL.map(Cause::code));
    let codes: BTreeSet<String> = words("error", "code").into_iter().collect();
    let mut there = BTreeSet::new();
    for row in rows("### `error`") {
        let is_field = ["code", "message", "hint", "ref"].map(|field| format!("`{field}`"));
        if !is_field.contains(&row[0]) {
            there.extend(row[0].split(", ").filter_map(coded).map(ToOwned::to_owned));
        }
    }
    assert_eq!(there, codes);
    // Those of the answers are among them.
    let answers = rows("## Input").into_iter().filter(|row| row.len() == 2);
    for row in answers.filter(|row| row[1].contains("`error`")) {
        let (_, named) = row[1].rsplit_once("`error`").unwrap();
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() && named.iter().all(|&code| codes.contains(code)), "{row:?}");
    }
}

#[test]
fn the_examples_are_allowed() {
    let contract: Schema = contract();
    let (_, example) = PAGE.split_once("```json\n").unwrap();
    let lines: Vec<&str> = example.split("```").next().unwrap().lines().collect();
    assert!(lines.len() > 10);
    for (at, line) in lines.iter().enumerate() {
        let object: Value = serde_json::from_str(line).unwrap();
        let way = if object.get("v").is_some() { "out" } else { "in" };
        let refused = lines.get(at + 1).is_some_and(|next| next.contains(r#""code":"bad_input""#));
        let allowed = contract.check(way, &object, true);
        assert_eq!(allowed.is_err(), refused && way == "in", "{line}: {allowed:?}");
    }
}

/// The codes that end a run, and the exit status of each.
pub(crate) fn fatal_codes() -> Vec<(String, u8)> {
    let with_status = rows("### `error`").into_iter().filter_map(|row| {
        let exit: u8 = row.get(1)?.parse().ok()?;
        let codes = row[0].split(", ").filter_map(coded).map(ToOwned::to_owned);
        Some(codes.map(|code| (code, exit)).collect::<Vec<_>>())
    });
    with_status.flatten().collect()
}

/// Every code with which the sources make a failure stands in the table, with the status it is made with.
#[test]
fn the_codes_of_failures_are_those_of_the_sources() {
    let table: BTreeMap<String, u8> = fatal_codes().into_iter().collect();
    // Those that never are an object: before there is a format, of `send`, and of an output that fails.
    let without = ["config", "usage", "output", "empty"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut made = BTreeSet::new();
    for path in sources(&root) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let words: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
        for call in words.split("Failure::new(").skip(1) {
            let call = call.trim_start();
            let Some((status, rest)) =
                call.strip_prefix("status::").and_then(|call| call.split_once(", "))
            else {
                continue;
            };
            let Some(code) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            let exit = match status {
                "INTERNAL" => 1,
                "USAGE" => 2,
                "NO_NODESET" => 3,
                "NAME" => 4,
                "UNDELIVERED" => 5,
                "BIND" => 6,
                "PROTOCOL" => 7,
                other => panic!("{other} in {}", path.display()),
            };
            if !without.contains(&code) {
                assert_eq!(table.get(code), Some(&exit), "{code} in {}", path.display());
                made.insert(code.to_owned());
            }
        }
    }
    // Where the code is chosen by what is wrong with a name, or the status stands elsewhere.
    let elsewhere = ["bad_name", "name_taken", "name_alike", "internal"];
    let all = made.iter().map(String::as_str).chain(elsewhere).collect::<BTreeSet<_>>();
    assert_eq!(all, table.keys().map(String::as_str).collect());
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.append(&mut sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
