//! `docs/configuration.md`, made from the comments of `config/default.toml`, so that the two cannot differ.
//!
//! A comment belongs to the line below it: to a `[section]`, or to a `key = value`. A line that starts with `#` and
//! no space is a key without a default of its own (the entry of a namespace).

use std::fmt::Write as _;

use super::DEFAULT;
use super::source::variable_of;

/// Where the page goes, and what writes it again.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");

const TAKES_ALL: &str = "a string takes whatever is written to it";

#[test]
fn the_page_says_what_the_default_file_says() {
    let page = page(DEFAULT);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(PAGE).expect("docs/configuration.md is there");
    assert!(
        written == page,
        "docs/configuration.md is not what config/default.toml says: run the tests once with UPDATE_DOCS=1"
    );
}

fn page(manual: &str) -> String {
    let mut page = String::from("# Configuration\n\n<!-- Made from config/default.toml: change that file. -->\n");
    let (mut section, mut is_list) = (String::new(), false);
    for block in manual.split("\n\n") {
        let (prose, rest): (Vec<_>, Vec<_>) = block.lines().partition(|line| line.starts_with("# ") || *line == "#");
        let prose: Vec<_> = prose
            .iter()
            .map(|line| line.trim_start_matches('#').trim_start())
            .collect();
        let line = rest.first().map_or("", |line| line.trim_start_matches('#'));
        if let Some(name) = line.strip_prefix('[') {
            is_list = name.starts_with('[');
            section = name.trim_start_matches('[').trim_end_matches(']').to_owned();
            write!(page, "\n## `{line}`\n").expect(TAKES_ALL);
        } else if let Some((key, value)) = line.split_once(" = ") {
            write!(page, "\n### `{section}.{key}`\n\n`{key} = {value}`").expect(TAKES_ALL);
            // An entry of a list has no variable of its own.
            if !is_list {
                write!(page, " · `{}`", variable_of(&format!("{section}.{key}"))).expect(TAKES_ALL);
            }
            page.push('\n');
        }
        write!(page, "\n{}\n", prose.join("\n")).expect(TAKES_ALL);
    }
    page
}
