//! The command line as scripts use it: what stands on standard output, byte for byte where it is a contract, and the
//! exit codes.

use serde_json::{Value, json};
use starling_mesh::transport::Transport;

use crate::support::directory::Directory;
use crate::support::eventually::eventually;
use crate::support::node::Node;
use crate::support::proxy::{Cut, Proxy};
use crate::support::settings::Settings;

mod doc;
mod presence;
pub(crate) mod verb;

use verb::{run, run_with, start, start_at};

#[tokio::test]
async fn publishing_one_message() {
    let node = Node::start(Settings::default()).await;
    let plain = run(&node, &["pub", "demo:a", "hello"]).await;
    assert_eq!((plain.code, &*plain.stderr), (Some(0), ""));
    let (epoch, rest) = plain.stdout.trim_end().split_once(':').expect("a position");
    assert_eq!(rest, "1:1", "{}", plain.stdout);

    let object = run(&node, &["pub", "demo:a", "again", "--json"]).await.json();
    let serial = object[0]["serial"].clone();
    assert!(serial.as_u64().is_some_and(|serial| serial > 0), "{object:?}");
    assert_eq!(
        object,
        [json!({"channel": "demo:a", "epoch": epoch, "seq": 2, "serial": serial, "copies": 1})]
    );

    let refused = run(&node, &["pub", "nowhere:a", "hello", "--json"]).await;
    assert_eq!(refused.code, Some(3));
    let object = &refused.json()[0];
    assert_eq!(
        (&object["channel"], &object["line"], &object["code"]),
        (&json!("nowhere:a"), &json!(1), &json!("unknown_namespace"))
    );
    assert!(
        object["error"].as_str().is_some_and(|error| error.contains("nowhere")),
        "{object}"
    );
    let refused = run(&node, &["pub", "nowhere:a", "hello"]).await;
    assert_eq!((refused.code, &*refused.stdout), (Some(3), ""));
    assert!(refused.stderr.contains("unknown_namespace"), "{}", refused.stderr);
    node.stop().await;
}

#[tokio::test]
async fn reading_what_was_published() {
    let node = Node::start(Settings::default().namespace("state", "keyed = true")).await;
    let mut publish = start(&node, &["pub", "demo:a", "-"]);
    publish.write("one\ntwo\nthree\n").await;
    let mut positions = Vec::new();
    for _ in 0..3 {
        positions.push(publish.line().await);
    }
    publish.close();
    assert_eq!(publish.ended().await, Some(0));

    for transport in Transport::ALL {
        let history = run(&node, &["history", "demo:a", "--transport", transport.name()]).await;
        assert_eq!(
            (history.code, &*history.stdout),
            (Some(0), "one\ntwo\nthree\n"),
            "{}",
            history.stderr
        );
    }
    assert_eq!(
        run(&node, &["history", "demo:a", "--last", "1"]).await.stdout,
        "three\n"
    );
    assert_eq!(
        run(&node, &["history", "demo:a", "--since", &positions[0]])
            .await
            .stdout,
        "two\nthree\n"
    );
    let counted = run(&node, &["sub", "demo:a", "--rewind", "3", "--count", "2"]).await;
    assert_eq!(
        (counted.code, &*counted.stdout),
        (Some(0), "one\ntwo\n"),
        "{}",
        counted.stderr
    );
    let since = run(
        &node,
        &["sub", "demo:a", "--since", &positions[1], "--count", "1", "--json"],
    )
    .await;
    let object = &since.json()[0];
    let epoch = positions[1].split(':').next();
    let time = object["time_ms"].clone();
    assert!(time.as_u64().is_some_and(|time| time > 1_700_000_000_000), "{object}");
    let expected =
        json!({"channel": "demo:a", "epoch": epoch, "seq": 3, "data": "three", "replayed": true, "time_ms": time});
    assert_eq!(*object, expected);

    run(&node, &["pub", "state:doc", "42", "--key", "answer"]).await;
    run(&node, &["pub", "state:doc", "blue", "--key", "colour"]).await;
    let state = run(&node, &["history", "state:doc", "--json"]).await.json();
    assert_eq!(state[0]["state"], "replace", "{state:?}");
    let pairs: Vec<_> = state[1..]
        .iter()
        .map(|entry| (entry["key"].as_str(), entry["data"].as_str()))
        .collect();
    assert_eq!(pairs, [(Some("answer"), Some("42")), (Some("colour"), Some("blue"))]);

    let nowhere = run(&node, &["sub", "nowhere:a"]).await;
    assert_eq!((nowhere.code, &*nowhere.stdout), (Some(1), ""));
    assert!(nowhere.stderr.contains("unknown_namespace"), "{}", nowhere.stderr);
    node.stop().await;
}

#[tokio::test]
async fn publishing_and_reading_through_a_crash() {
    let mut node = Node::start(Settings::default().set("session.heartbeat", "1s")).await;
    let mut publish = start(&node, &["pub", "demo:a", "-", "--json"]);
    let mut read = start(&node, &["sub", "demo:a", "--rewind", "1", "--json"]);
    let mut strict = start(&node, &["sub", "demo:a", "--rewind", "1", "--json", "--strict"]);
    publish.write("before\n").await;
    let before = publish.json().await;
    for reader in [&mut read, &mut strict] {
        assert_eq!(reader.json().await["data"], "before");
    }

    node.kill().await;
    let node = Node::start_again(node).await;
    publish.write("after\n").await;
    let after = publish.json().await;
    assert_ne!(after["epoch"], before["epoch"]);
    assert!(after["error"].is_null(), "{after}");
    let mut lines = Vec::new();
    while lines
        .last()
        .is_none_or(|line: &Value| line["data"] != "after" && line["seq"] != after["seq"])
    {
        lines.push(read.json().await);
    }
    let expected = json!({"channel": "demo:a", "discontinuity": "node_restarted", "epoch": after["epoch"], "seq": lines[0]["seq"]});
    assert_eq!(lines[0], expected, "{lines:?}");
    assert_eq!(strict.json().await["discontinuity"], "node_restarted");
    assert_eq!(strict.ended().await, Some(4), "--strict ends where messages were lost");

    read.interrupt();
    assert_eq!(read.ended().await, Some(130));
    publish.close();
    assert_eq!(publish.ended().await, Some(0));
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_was_given_up_has_its_place_in_the_output() {
    let node = Node::start(Settings::default()).await;
    let proxy = Proxy::start(node.address()).await;
    let arguments = ["pub", "demo:a", "-", "--json", "--timeout", "2s", "--transport", "ws"];
    let mut publish = start_at(&proxy.url(), &arguments);
    publish.write("one\n").await;
    let first = publish.json().await;
    assert_eq!(first["seq"], 1);

    // What is sent from here on goes nowhere, and nobody says so before the time is over.
    let connection = eventually("the connection", async || proxy.whole(Transport::WebSocket).pop()).await;
    connection.cut(Cut::DeadUp);
    publish.write("two\n").await;
    let given_up = publish.json().await;
    assert_eq!(
        (&given_up["line"], &given_up["code"]),
        (&json!(2), &json!("timed_out")),
        "{given_up}"
    );
    publish.write("three\n").await;
    let third = publish.json().await;
    assert_eq!(
        (third["seq"].as_u64(), third["serial"].as_u64()),
        (Some(2), first["serial"].as_u64().map(|first| first + 2)),
        "{third}: the serial between them was retired"
    );
    publish.close();
    assert_eq!(publish.ended().await, Some(3), "one message was not acknowledged");
    let history = run(&node, &["history", "demo:a"]).await;
    assert_eq!(
        history.stdout, "one\nthree\n",
        "what was given up does not appear later"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_reader_of_the_output_may_leave() {
    let node = Node::start(Settings::default()).await;
    let mut read = start(&node, &["sub", "demo:a", "--rewind", "10"]);
    run(&node, &["pub", "demo:a", "first"]).await;
    assert_eq!(read.line().await, "first");
    read.leave();
    run(&node, &["pub", "demo:a", "second"]).await;
    assert_eq!(read.ended().await, Some(0));
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_told_before_anything_runs() {
    let check = ["config", "check", "--config", "/dev/stdin"];
    let good = run_with(Settings::default().file(), &check).await;
    assert_eq!((good.code, &*good.stdout), (Some(0), ""), "{}", good.stderr);
    assert!(good.stderr.contains("the configuration holds"), "{}", good.stderr);

    let bad = "[session]\nheartbeat = 15\nwindw = \"5ms\"\n[client]\nlisten = [\"0.0.0.0:4433\"]\n";
    let bad = run_with(bad, &check).await;
    assert_eq!((bad.code, &*bad.stdout), (Some(2), ""));
    assert!(
        bad.stderr.contains("/dev/stdin:3") && bad.stderr.contains("windw"),
        "where, and what: {}",
        bad.stderr
    );

    let exposed = "[client]\nlisten = [\"0.0.0.0:4433\"]\n[[namespaces]]\nmatch = \"demo\"\n";
    for arguments in [&check[..], &["serve", "--config", "/dev/stdin"]] {
        let refused = run_with(exposed, arguments).await;
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains("client.tls.certificate"), "{}", refused.stderr);
    }
    for arguments in [
        &["sub"][..],
        &["sub", "demo:a", "demo:b", "--since", "e:1"],
        &["sub", "demo:a", "--since", "nowhere"],
        &["pub", "demo:a"],
        &["pub", "demo:a", "x", "--url", "not a url"],
        &["serve", "--config", "/nowhere/starling.toml"],
        &["serve", "--set", "nothing"],
        &["frobnicate"],
    ] {
        let refused = run_with("", arguments).await;
        assert_eq!(refused.code, Some(2), "{arguments:?}: {}", refused.stderr);
        assert!(!refused.stderr.is_empty() && refused.stdout.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn an_authority_and_the_certificates_of_its_nodes_are_made_once() {
    let directory = Directory::new();
    let ca = directory.path().join("ca");
    let dir = ca.to_str().expect("text");
    let made = run_with("", &["cluster", "ca", "init", "--dir", dir]).await;
    assert_eq!((made.code, &*made.stderr), (Some(0), ""));
    let lines: Vec<_> = made.stdout.lines().collect();
    assert_eq!(
        lines[..2],
        [format!("certificate {dir}/ca.pem"), format!("key {dir}/ca.key")]
    );
    assert!(
        lines[2].starts_with("expires 20") && lines.len() == 3,
        "{}",
        made.stdout
    );

    let issue = [
        "cluster", "ca", "issue", "node-a", "--dir", dir, "--san", "10.0.0.1", "--json",
    ];
    let issued = run_with("", &issue).await;
    assert_eq!(issued.code, Some(0));
    let object = &issued.json()[0];
    assert_eq!(object["certificate"], json!(format!("{dir}/node-a.pem")));
    assert!(
        object["expires_ms"].as_u64().is_some_and(|at| at > 1_700_000_000_000),
        "{object}"
    );
    let key = std::fs::read_to_string(ca.join("node-a.key")).expect("it is there");
    assert!(key.contains("PRIVATE KEY") && !made.stdout.contains("PRIVATE") && !issued.stdout.contains("PRIVATE"));

    for again in [&["cluster", "ca", "init", "--dir", dir][..], &issue] {
        let refused = run_with("", again).await;
        assert_eq!((refused.code, &*refused.stdout), (Some(2), ""));
        assert!(refused.stderr.contains("not overwritten"), "{}", refused.stderr);
    }
    let nowhere = run_with("", &["cluster", "ca", "issue", "b", "--dir", "/nowhere"]).await;
    assert_eq!((nowhere.code, &*nowhere.stdout), (Some(1), ""));
    assert!(
        nowhere.stderr.contains("cannot read /nowhere/ca.pem"),
        "{}",
        nowhere.stderr
    );
}
