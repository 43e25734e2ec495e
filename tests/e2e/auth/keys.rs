//! Keys that are replaced while the node runs, and the verbs that make and explain tokens.

use std::path::PathBuf;

use starling_mesh::transport::Transport;
use starling_protocol::close::CloseCode;
use starling_protocol::v1;
use starling_protocol::v1::server_frame::Body;

use super::session;
use crate::cli::verb;
use crate::support::eventually::eventually;
use crate::support::node::Node;
use crate::support::raw::{Heard, Raw, hello, publish};
use crate::support::settings::Settings;
use crate::support::token::Token;

/// A directory that is gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("starling-keys-{:x}", fastrand::u64(..)));
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // it is in a directory for what may be left behind
    }
}

#[tokio::test]
async fn keys_are_read_again_when_the_node_is_told() {
    const TRANSPORT: Transport = Transport::WebSocket;
    let directory = Directory::new();
    let (old, new) = ("o".repeat(40), "n".repeat(40));
    let path = directory.file("token.key", &format!("{old}\n"));
    let settings = Settings::default()
        .set("auth.anonymous", "false")
        .key("app", &format!("secret_file = \"{path}\""));
    let node = Node::start(settings).await;
    let signed = |secret: &String| Token::of_everything().signed_with(secret.clone());
    let mut living = session(&node, TRANSPORT, &signed(&old)).await;

    directory.file("token.key", &new);
    node.hang_up();
    let is_let_in = async |secret: &String| {
        let mut raw = Raw::connect(&node, TRANSPORT).await;
        let token = signed(secret).text();
        raw.send(v1::Hello { token, ..hello() }).await;
        match raw.next().await {
            Heard::Frame(Body::Welcome(_)) => true,
            Heard::Frame(Body::Goodbye(goodbye)) => {
                assert_eq!(goodbye.code, u32::from(CloseCode::Unauthorized.number()));
                false
            }
            other => panic!("{other:?}"),
        }
    };
    eventually("the new key", async || is_let_in(&new).await.then_some(())).await;
    assert!(!is_let_in(&old).await);
    // Who was let in stays in, until its token ends.
    living.send(publish(1, "demo:a", "x")).await;
    living.ack(1).await;

    // What cannot be used is not used.
    directory.file("token.key", "short");
    node.hang_up();
    let told = async || node.log().text().contains("stay as they were").then_some(());
    eventually("a word in the log", told).await;
    assert!(is_let_in(&new).await);
    assert!(!node.log().text().contains(&new) && !node.log().text().contains(&old));
    drop(living);
    node.terminate();
}

#[tokio::test]
async fn tokens_are_made_and_explained() {
    let directory = Directory::new();
    let key = directory.file("token.key", &"k".repeat(40));
    let config = format!(
        "auth.issuer = \"login\"\n[[auth.keys]]\nid = \"app\"\nalgorithm = \"HS256\"\nsecret_file = \"{key}\"\n\
         [[namespaces]]\nmatch = \"demo\"\n"
    );
    let config = directory.file("starling.toml", &config);
    let mint = [
        "token",
        "mint",
        "--config",
        &config,
        "--subject",
        "anna",
        "--allow",
        "publish,subscribe:demo:a",
        "--expires",
        "5m",
    ];
    let minted = verb::run_with("", &mint).await;
    assert_eq!((minted.code, &*minted.stderr), (Some(0), ""));
    let token = minted.stdout.trim_end();
    assert_eq!((minted.stdout.lines().count(), token.matches('.').count()), (1, 2));

    // It opens a session, and permits what it says.
    let settings = Settings::default()
        .set("auth.anonymous", "false")
        .set("auth.issuer", "login")
        .key("app", &format!("secret_file = \"{key}\""));
    let node = Node::start(settings).await;
    let published = verb::run(&node, &["pub", "demo:a", "hi", "--token", token]).await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    let refused = verb::run(&node, &["pub", "demo:b", "hi", "--token", token, "--json"]).await;
    assert_eq!(
        (refused.code, &refused.json()[0]["code"]),
        (Some(3), &"forbidden".into())
    );
    let refused = verb::run(&node, &["pub", "demo:a", "hi"]).await;
    assert_eq!(refused.code, Some(1), "without a token: {}", refused.stderr);
    assert!(refused.stderr.contains("unauthorized (4401)"), "{}", refused.stderr);
    node.stop().await;

    let check = async |token: &str, more: &[&str]| {
        let arguments = [&["token", "check", "-"], more].concat();
        verb::run_with(token, &arguments).await
    };
    let valid = check(token, &["--config", &config, "--json"]).await;
    let explained = &valid.json()[0];
    assert_eq!(
        (valid.code, &explained["valid"], &explained["subject"]),
        (Some(0), &true.into(), &"anna".into())
    );
    assert_eq!(
        explained["capabilities"],
        serde_json::json!([{ "channels": "demo:a", "operations": ["publish", "subscribe"] }])
    );
    let told = check(token, &["--key-file", &key]).await;
    assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("subject: anna") && told.stdout.contains("may publish, subscribe demo:a"));
    let other = directory.file("other.key", &"j".repeat(40));
    let invalid = check(token, &["--key-file", &other, "--json"]).await;
    assert_eq!(
        (invalid.code, &invalid.json()[0]["code"]),
        (Some(5), &"bad_signature".into())
    );
    let invalid = check("sesame", &["--config", &config]).await;
    assert_eq!(invalid.code, Some(5));
    assert!(invalid.stdout.starts_with("not valid: "), "{}", invalid.stdout);

    // What cannot be done is said before anything is printed.
    let short = directory.file("short.key", "short");
    for key in [&*short, "/nowhere/at/all"] {
        let failed = verb::run_with(
            "",
            &["token", "mint", "--subject", "a", "--allow", "all:*", "--key-file", key],
        )
        .await;
        assert_eq!((failed.code, &*failed.stdout), (Some(2), ""), "{}", failed.stderr);
    }
    let checked = directory.file(
        "bad.toml",
        &std::fs::read_to_string(&config)
            .expect("read")
            .replace("token.key", "none"),
    );
    let refused = verb::run_with("", &["config", "check", "--config", &checked]).await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("cannot be read"), "{}", refused.stderr);
}
