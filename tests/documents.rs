//! What the documents say of the code is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every test that docs/PROTOCOL.md names for what somebody can or cannot do.
#[test]
fn the_tests_that_hold_the_table_of_who_can_do_what_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/PROTOCOL.md")).expect("a document");
    let table = text.split("## Who can do what").nth(1).expect("a table");
    let named: BTreeSet<(&str, &str)> =
        table.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
    assert!(named.len() >= 20, "{named:?}");
    for (file, test) in named.into_iter().filter(|&named| named != ("file", "test")) {
        let code = fs::read_to_string(root.join(format!("tests/{file}.rs"))).expect(file);
        let there = code.contains(&format!("#[test]\nfn {test}() {{"));
        assert!(there, "tests/{file}.rs has no test {test}");
    }
}

/// The rows of one table of docs/PROTOCOL.md that name a constant: its name, its file and its value.
fn rows<'a>(document: &'a str, heading: &str) -> Vec<(&'a str, &'a str, &'a str)> {
    let (_, table) = document.split_once(&format!("\n### {heading}\n")).expect(heading);
    let table = table.split("\n#").next().expect("its end");
    let row = |line: &'a str| {
        let mut cells =
            line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_matches('`'));
        let (name, file, value) = (cells.next()?, cells.next()?, cells.next()?);
        assert!(matches!(cells.next()?, "must" | "should" | "may"), "{line}");
        Some((name, file, value))
    };
    table.lines().filter_map(row).collect()
}

/// A number as the document writes it, in microseconds if it is a time.
fn written(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number = match number.strip_prefix('2').filter(|power| !power.is_ascii()) {
        Some(power) => {
            1 << power.chars().try_fold(0, |so_far, digit| {
                Some(so_far * 10 + "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|other| other == digit)?)
            })?
        }
        None => number.replace(',', "").parse::<u64>().ok()?,
    };
    let scale = match unit {
        "" | "µs" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "h" => 3_600_000_000,
        "MiB" => 1 << 20,
        _ => return None,
    };
    Some(number * scale)
}

/// The value of the constant that a file of the machines defines under a name, in the document's form: a
/// number, or how many at once and one in how much time.
fn defined(code: &str, name: &str) -> Option<(u64, Option<u64>)> {
    let (_, after) = code.split_once(&format!("const {name}: "))?;
    let (_, value) = after.split_once(" = ")?;
    let value = value.split(';').next()?;
    let number = |text: &str| -> Option<u64> {
        let text = text.trim().replace('_', "");
        match (text.split_once(" << "), text.split_once(" * ")) {
            (Some((bits, shift)), _) => {
                Some(bits.parse::<u64>().ok()? << shift.parse::<u32>().ok()?)
            }
            (_, Some((one, other))) => Some(one.parse::<u64>().ok()? * other.parse::<u64>().ok()?),
            _ => text.parse().ok(),
        }
    };
    let time = |text: &str| -> Option<u64> {
        let text = text.trim();
        let Some((unit, count)) =
            text.strip_prefix("Duration::from_").and_then(|text| text.split_once('('))
        else {
            return defined(code, text).map(|(value, _)| value);
        };
        let scale = match unit {
            "micros" => 1,
            "millis" => 1_000,
            "secs" => 1_000_000,
            _ => return None,
        };
        Some(number(count.trim_end_matches(')'))? * scale)
    };
    if let Some(rate) = value.strip_prefix("Rate::new(") {
        let (every, burst) = rate.trim_end_matches(')').rsplit_once(',')?;
        return Some((number(burst)?, Some(time(every)?)));
    }
    Some((if value.starts_with("Duration") { time(value)? } else { number(value)? }, None))
}

/// Every limit and every timer of docs/PROTOCOL.md is the constant that its row names.
#[test]
fn the_limits_and_timers_are_the_constants_they_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/PROTOCOL.md")).expect("a document");
    let mut seen = BTreeSet::new();
    for (table, least) in [("Limits", 50), ("Timers", 40)] {
        let rows = rows(&document, table);
        assert!(rows.len() >= least, "{table}: {}", rows.len());
        for (name, file, value) in rows {
            assert!(seen.insert((name, file)), "{name} of {file} stands there twice");
            let code = fs::read_to_string(root.join("src/machine").join(file)).expect(file);
            let there = defined(&code, name).unwrap_or_else(|| panic!("{file} has no {name}"));
            let (count, every) = match value.split_once(" at once, one every ") {
                Some((burst, every)) => (burst, Some(every)),
                None => (value, None),
            };
            let says = written(count)
                .map(|count| (count, every.map(|every| written(every).expect(every))));
            assert_eq!(says, Some(there), "{name} of {file}: {value}");
        }
    }
}

/// The addresses of a computer are asked for over netlink: without it, a service prints the loopback.
#[test]
fn the_unit_of_a_nodeset_lets_it_see_its_addresses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = fs::read_to_string(root.join("docs/chatrpc-nodeset.service")).expect("a unit");
    let families = unit.lines().find_map(|line| line.strip_prefix("RestrictAddressFamilies="));
    let families: BTreeSet<&str> = families.expect("a limit").split(' ').collect();
    assert_eq!(families, BTreeSet::from(["AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"]));
}
