//! The examples of `docs/http.md`, as they stand there: each command is run against a node, in order, and what it prints
//! has the shape and the values that the page shows.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::editors::serving;
use crate::support::directory::Directory;
use crate::support::eventually::soon;
use crate::support::node::Node;

const PAGE: &str = include_str!("../../../docs/http.md");

/// Where the page's node serves; the test's node took a free port.
const PAGE_URL: &str = "http://127.0.0.1:4433";

/// Fields whose values are another node's or another moment's.
const FREE: &[&str] = &["epoch", "time_ms", "next", "position", "message", "version"];

#[tokio::test]
async fn each_command_prints_what_the_page_shows() {
    let directory = Directory::new();
    let node = Node::start(serving(&directory).namespace("board", "keyed = true")).await;
    let examples = examples();
    assert!(examples.len() >= 8, "the page shows {} commands", examples.len());
    let mut epoch = None;
    for (command, shown) in examples {
        // The epoch that the page writes is the one that this node told.
        let shown_epoch = "0-2f6c1a9be04d7753";
        let command = command.replace(PAGE_URL, &node.url());
        let command = command.replace(shown_epoch, epoch.as_deref().unwrap_or(shown_epoch));
        let ran = Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).output();
        let output = soon("curl", ran).await.expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}: {output:?}");
        let printed: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"));
        let expected: Value = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
        same(&expected, &printed, &command);
        if let Some(told) = printed["epoch"].as_str() {
            epoch.get_or_insert_with(|| told.to_owned());
        }
    }
    node.is_unharmed().await;
    node.stop().await;
}

/// Each command of the page, and the JSON that stands below it.
fn examples() -> Vec<(String, String)> {
    let mut examples = Vec::new();
    let mut rest = PAGE;
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let (command, after) = after.split_once("```").expect("a command ends");
        let (between, after) = after.split_once("```json\n").expect("what a command prints follows it");
        assert!(between.trim().is_empty(), "{command} is followed by {between}");
        let (shown, after) = after.split_once("```").expect("what it prints ends");
        examples.push((command.to_owned(), shown.to_owned()));
        rest = after;
    }
    examples
}

/// The same fields everywhere, and the same values but where they are free.
fn same(expected: &Value, printed: &Value, command: &str) {
    match (expected, printed) {
        (Value::Object(expected), Value::Object(printed)) => {
            let names = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(expected), names(printed), "{command}");
            for (name, value) in expected.iter().filter(|(name, _)| !FREE.contains(&name.as_str())) {
                same(value, &printed[name], command);
            }
        }
        (Value::Array(expected), Value::Array(printed)) => {
            assert_eq!(expected.len(), printed.len(), "{command}");
            for (expected, printed) in expected.iter().zip(printed) {
                same(expected, printed, command);
            }
        }
        _ => assert_eq!(expected, printed, "{command}"),
    }
}
