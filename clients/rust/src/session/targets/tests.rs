use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL of the test")
}

fn urls<const N: usize>(texts: [&str; N]) -> Vec<Url> {
    texts.map(url).to_vec()
}

fn targets(given: &[&str]) -> Targets {
    Targets::new(given.iter().map(|text| url(text)).collect())
}

fn learn(targets: &mut Targets, nodes: &[&str]) {
    targets.learn(nodes.iter().map(|text| url(text)).collect(), &mut Rng::with_seed(7));
}

fn hint(targets: &mut Targets, alternates: &[&str]) {
    targets.hint(&alternates.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
}

/// One that has reached `http://a`, the first that was given.
fn at_a(given: &[&str]) -> Targets {
    let mut targets = targets(given);
    assert_eq!(targets.next()[0], url("http://a"));
    targets.reached(url("http://a"));
    targets
}

#[test]
fn the_node_that_was_lost_is_the_last() {
    let mut targets = at_a(&["http://a", "http://b", "http://c"]);
    assert_eq!(targets.next(), urls(["http://b", "http://c", "http://a"]));
    targets.reached(url("http://b"));
    assert_eq!(targets.next(), urls(["http://c", "http://a", "http://b"]));
    targets.missed();
    assert_eq!(
        targets.next(),
        urls(["http://c", "http://a", "http://b"]),
        "each once more"
    );
    targets.reached(url("http://a"));
    assert_eq!(
        targets.next(),
        urls(["http://b", "http://c", "http://a"]),
        "and c before a was tried, too"
    );
}

#[test]
fn one_url_leads_to_the_others() {
    let mut targets = at_a(&["http://a"]);
    learn(&mut targets, &["http://a", "http://b", "http://c"]);
    assert_eq!(targets.known.len(), 3, "a is known already");
    let next = targets.next();
    assert_eq!(next[2], url("http://a"), "{next:?}");
    targets.reached(next[0].clone());
    learn(&mut targets, &["http://a", "http://b", "http://c"]);
    let after = targets.next();
    assert_eq!(after, [next[1].clone(), url("http://a"), next[0].clone()]);
}

#[test]
fn clients_of_one_node_do_not_all_go_to_the_same() {
    let given: [&[&str]; 2] = [&["http://a"], &["http://a", "http://b", "http://c"]];
    for given in given {
        let first = |seed| {
            let mut targets = at_a(given);
            let nodes = urls(["http://a", "http://b", "http://c"]);
            targets.learn(nodes, &mut Rng::with_seed(seed));
            targets.next()[0].clone()
        };
        let to_b = (0..100).filter(|seed| first(*seed) == url("http://b")).count();
        assert!((30..70).contains(&to_b), "{to_b}");
    }
}

#[test]
fn hints_are_the_first_to_be_tried_and_in_their_order() {
    let mut targets = at_a(&["http://a", "http://b"]);
    learn(&mut targets, &["http://c"]);
    hint(&mut targets, &["http://c", "not a url", "http://e"]);
    assert_eq!(targets.next(), urls(["http://c", "http://e", "http://b"]));
    targets.missed();
    assert_eq!(
        targets.next(),
        urls(["http://a", "http://c", "http://b"]),
        "a hint counts for one attempt"
    );
}

#[test]
fn a_node_leads_only_to_those_of_its_own_scheme() {
    let mut plain = at_a(&["http://a"]);
    learn(&mut plain, &["https://b", "http://c"]);
    assert_eq!(plain.next(), urls(["http://c", "http://a"]));

    let mut safe = targets(&["https://a"]);
    safe.next();
    safe.reached(url("https://a"));
    hint(&mut safe, &["http://evil", "file:///etc", "https://b"]);
    learn(&mut safe, &["http://evil", "https://c"]);
    assert_eq!(safe.next(), urls(["https://b", "https://c", "https://a"]));

    let mut nobody = targets(&["https://a"]);
    hint(&mut nobody, &["https://evil"]);
    assert_eq!(nobody.next(), urls(["https://a"]), "nobody that is trusted said so");
}

#[test]
fn what_is_learned_is_bounded_and_replaced() {
    let mut targets = at_a(&["http://a"]);
    let many: Vec<_> = (0..100).map(|n| format!("http://n{n}")).collect();
    learn(&mut targets, &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(targets.known.len(), 1 + LEARNED_MAX);
    assert_eq!(targets.round(), 3, "attempts with three each");
    for _ in 0..20 {
        targets.next();
        targets.missed();
    }
    assert_eq!(targets.tried.len(), 1 + LEARNED_MAX);
    learn(&mut targets, &["http://b"]);
    assert_eq!((targets.known.len(), targets.tried.len()), (2, 1));
    learn(&mut targets, &["http://a"]);
    assert_eq!(
        targets.known.len(),
        2,
        "a node that knows of no other makes nobody forget"
    );
}
