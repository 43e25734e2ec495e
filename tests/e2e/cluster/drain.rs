//! A node that is drained and serves again: its slots come back within the planner's bounds, and nobody notices.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::operate;
use crate::support::cluster::{Cluster, Slots, is_ready};
use crate::support::eventually::{PATIENCE, becomes};
use crate::support::http::Request;
use crate::support::stream::Stream;

/// Few, so that they are back in seconds.
const SLOTS: usize = 64;

/// How long a node serves before slots are moved to it, and how many a second each of the others gives away
/// (`core/src/placement/planner/config.rs`).
const STEADY: Duration = Duration::from_secs(10);
const MOVES_A_SECOND: usize = 16;

/// Between two publishes: the machine has other things to do.
const PAUSE: Duration = Duration::from_millis(5);

#[tokio::test]
async fn a_drained_node_gives_its_slots_away_and_gets_them_back() {
    let cluster = Cluster::new().with(|settings| settings.set("slots.count", &SLOTS.to_string()));
    let [a, b, c] = cluster.three().await;
    let before = Slots::whole(&a).await;
    let owned = before.owned("b");
    assert!(owned > 0, "b owns some");
    let channels = [
        before.channels("demo", "a", 1),
        before.channels("demo", "b", 4),
        before.channels("demo", "c", 1),
    ]
    .concat();
    let stream = Stream::start(&a, &c, &channels, PAUSE).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let over_http = before.channels("demo", "b", 5).remove(4);
    let requests = tokio::spawn(request(
        over_http.clone(),
        [a.address(), b.address(), c.address()],
        stopped,
    ));

    let drained = operate(&a, &["drain", "b", "--json"]).await;
    assert_eq!(drained.json(), [json!({"node": "b", "duty": "drained"})]);
    becomes("what b owns and holds", (0, 0), async || {
        let slots = Slots::of(&c).await;
        (slots.owned("b"), slots.held("b"))
    })
    .await;
    is_ready(&b, 503).await;
    stream.goes_on(5).await;

    let began = Instant::now();
    let served = operate(&c, &["undrain", "b"]).await;
    assert_eq!(served.code, Some(0), "{}", served.stderr);
    let longest = STEADY + Duration::from_secs((owned / MOVES_A_SECOND) as u64) + PATIENCE;
    loop {
        let back = Slots::of(&c).await.owned("b");
        let after = began.elapsed();
        let rounds = after
            .checked_sub(STEADY)
            .map_or(0, |steady| steady.as_secs() as usize + 1);
        let most = 2 * MOVES_A_SECOND * rounds;
        assert!(back <= most, "{back} slots are back after {after:?}, and {most} may be");
        if back == owned {
            break;
        }
        assert!(after < longest, "{back} of {owned} slots are back after {after:?}");
        sleep(Duration::from_millis(50)).await;
    }
    is_ready(&b, 200).await;
    let after = Slots::whole(&c).await;
    assert!(after.owners().eq(before.owners()), "each has what it had");
    let listed = operate(&b, &["slots", "--json"]).await.json();
    let owners = listed
        .iter()
        .filter(|slot| slot["owner"].as_str().is_some_and(|owner| owner.starts_with("b@")));
    assert_eq!(owners.count(), owned);

    stream.goes_on(5).await;
    let done = stream.stop().await;
    println!("the slowest acknowledgement took {:?}", done.slowest);
    // It ends by itself only with a panic, which is told below.
    let _ = stop.send(());
    let (taken, told) = requests.await.expect("every publish is taken");
    println!("of {taken} publishes over HTTP {told} were told to come again");
    assert!(taken > 100, "{taken} publishes over HTTP");
    let read = Request::get(&format!("/v1/channels/{over_http}/messages?limit=1"));
    assert_eq!(
        read.send(b.address()).await.json()["head"],
        taken,
        "none is there twice"
    );
    for node in [a, b, c] {
        node.log().has_no_panic();
    }
}

/// Publishes over HTTP, at each node in turn. A slot that is handed over at this moment may ask for the same request again, at
/// once; nothing else but success will do. How many were taken, and how often one was asked for again.
async fn request(channel: String, nodes: [SocketAddr; 3], mut stopped: oneshot::Receiver<()>) -> (u64, u64) {
    let (mut taken, mut told) = (0_u64, 0_u64);
    while stopped.try_recv().is_err() {
        let publish = Request::publish(&channel, r#"{"data": "over HTTP"}"#);
        let publish = publish.header("idempotency-key", &format!("request-{taken}"));
        let node = nodes[usize::try_from(taken % 3).expect("one of three")];
        let began = Instant::now();
        loop {
            let answer = publish.send(node).await;
            if answer.status == 200 {
                break;
            }
            assert_eq!(answer.refusal(), (503, "unavailable".to_owned()), "publish {taken}");
            assert_eq!(answer.json()["error"]["retry_after_ms"], 50, "{answer:?}");
            assert!(began.elapsed() < PATIENCE, "publish {taken}: {answer:?}");
            told += 1;
            sleep(Duration::from_millis(50)).await;
        }
        taken += 1;
        sleep(PAUSE).await;
    }
    (taken, told)
}
