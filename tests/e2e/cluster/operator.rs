//! What an operator sees and orders.

use serde_json::json;

use super::{discovery, operate, status_of};
use crate::support::cluster::{Cluster, is_ready};
use crate::support::eventually::{becomes, eventually};
use crate::support::http::Request;

#[tokio::test]
async fn an_operator_sees_the_nodes_and_has_one_drained_at_another() {
    let cluster = Cluster::new();
    let [a, b, c] = cluster.three().await;
    let status = operate(&a, &["status", "--json"]).await.json().remove(0);
    let names: Vec<_> = ["a", "b", "c"].map(|name| json!(name)).into();
    let nodes = status["nodes"].as_array().expect("a list");
    assert_eq!(nodes.iter().map(|node| node["name"].clone()).collect::<Vec<_>>(), names);
    for node in nodes {
        assert_eq!(
            (&node["voter"], &node["registered"], &node["settings_differ"]),
            (&json!(true), &json!(true), &json!(false))
        );
    }
    assert_eq!(
        nodes.iter().filter(|node| node["leader"] == true).count(),
        1,
        "{status}"
    );
    assert_eq!(status["slots"]["all"], 1_024);
    let text = operate(&b, &["status"]).await;
    assert_eq!(text.code, Some(0), "{}", text.stderr);
    assert!(
        text.stdout.starts_with("cluster test, as b sees it; "),
        "{}",
        text.stdout
    );
    assert!(text.stdout.contains("NODE"), "{}", text.stdout);
    assert_eq!(operate(&c, &["slots", "--json"]).await.json().len(), 1_024);
    let slots = operate(&c, &["slots", "--all"]).await.stdout;
    assert_eq!(slots.lines().count(), 1_026, "counts, heads, slots");

    let drained = operate(&a, &["drain", "b", "--json"]).await;
    assert_eq!(
        drained.json(),
        [json!({"node": "b", "duty": "drained"})],
        "{}",
        drained.stderr
    );
    is_ready(&b, 503).await;
    becomes("what c hears of b", json!("draining"), async || {
        status_of(&c, "b").await["phase"].clone()
    })
    .await;
    becomes("nodes that take clients", 2, async || {
        discovery(&a).await["nodes"].as_array().expect("a list").len()
    })
    .await;
    assert_eq!(
        Request::get("/health/live").send(b.admin()).await.status,
        200,
        "it stays up"
    );
    let back = operate(&c, &["undrain", "b"]).await;
    assert_eq!(
        (back.code, &*back.stdout),
        (Some(0), "b serves again\n"),
        "{}",
        back.stderr
    );
    is_ready(&b, 200).await;

    for (arguments, told) in [
        (&["drain", "z"][..], "no node of this cluster is called \"z\""),
        (&["reset", "--node", "b", "--accept-loss"], "node \"b\" is there"),
    ] {
        let refused = operate(&a, arguments).await;
        assert_eq!((refused.code, &*refused.stdout), (Some(1), ""));
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    let unsure = operate(&a, &["reset", "--node", "b"]).await;
    assert_eq!(unsure.code, Some(2), "the loss has to be accepted: {}", unsure.stderr);
    let page = Request::post("/cluster/drain", r#"{"node":"b"}"#).header("origin", "http://localhost:1234");
    assert_eq!(
        page.send(a.admin()).await.refusal(),
        (403, "forbidden_origin".to_owned())
    );
    for node in [a, b, c] {
        node.log().has_no_panic();
    }
}

#[tokio::test]
async fn a_node_that_will_not_come_back_is_given_up_and_may_come_back_all_the_same() {
    let cluster = Cluster::new();
    let [a, b, mut c] = cluster.three().await;
    c.kill().await;
    eventually("c is missed", async || {
        let state = status_of(&a, "c").await["state"].clone();
        (state != "live").then_some(())
    })
    .await;
    let reset = async || operate(&a, &["reset", "--node", "c", "--accept-loss"]).await;
    // Gossip may still hear what its last words were.
    eventually("it is given up", async || (reset().await.code == Some(0)).then_some(())).await;
    becomes("what b knows of c", (json!("lost"), json!(false)), async || {
        let status = status_of(&b, "c").await;
        (status["state"].clone(), status["registered"].clone())
    })
    .await;
    let c = cluster.start("c").await;
    is_ready(&c, 200).await;
    assert_eq!(status_of(&a, "c").await["registered"], true);
}
