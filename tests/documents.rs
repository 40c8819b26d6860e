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
