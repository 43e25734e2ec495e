use super::super::draft::UNTIMED;
use super::*;
use crate::scenario::Scenario;

fn plan() -> Plan {
    Plan {
        scenario: Scenario::DocKill,
        faults: 1,
        members: 0,
        seed: 1,
        binary: PathBuf::new(),
        directory: PathBuf::new(),
        forgets: false,
    }
}

/// An editor that has typed, all of which is told as saved but for the last edits, and the updates.
fn typed(unsaved: usize) -> (Draft, Vec<Vec<u8>>) {
    let mut draft = Draft::new(3);
    draft.connected();
    draft.lost();
    let mut updates = vec![draft.edit(UNTIMED).1];
    draft.connected();
    draft.sends(1, updates[0].clone());
    for number in 2..=60 {
        updates.push(draft.edit(1).1);
        draft.sends(number, updates[updates.len() - 1].clone());
    }
    for update in &updates[..updates.len() - unsaved] {
        draft.given_back(update, 1).expect("it was sent");
    }
    (draft, updates)
}

/// What a node tells that has all of these updates but one.
fn node_without(updates: &[Vec<u8>], without: Option<usize>) -> Doc {
    let doc = Doc::new();
    for (at, update) in updates.iter().enumerate() {
        if Some(at) != without {
            draft::apply(&doc, update).expect("an update");
        }
    }
    doc
}

fn judged(draft: &Draft, nodes: Vec<Result<Doc, String>>) -> Verdict {
    let mut verdict = Verdict::new(&plan(), (1, 1));
    verdict.fault_made();
    let nodes = nodes.into_iter().zip(["a", "b", "c"]);
    let copies = Copies {
        document: "plan-0".into(),
        nodes: nodes.map(|(told, node)| (node.to_owned(), told)).collect(),
        editors: vec![0],
    };
    verdict.judge(&[copies], &[draft]);
    verdict.finish(1, 0, 0, 0.0);
    verdict.close(false);
    verdict
}

#[test]
fn a_good_run_is_good_and_says_what_was_seen() {
    let (draft, updates) = typed(0);
    let mut backwards = updates.clone();
    backwards.reverse();
    let nodes = vec![Ok(node_without(&updates, None)), Ok(node_without(&backwards, None))];
    let verdict = judged(&draft, nodes);
    assert_eq!(verdict.missed(), [""; 0]);
    let line: serde_json::Value = serde_json::from_str(&verdict.line()).expect("one object");
    for (key, value) in [("edits", 60), ("edits_offline", 1), ("saved", 60), ("saved_lost", 0)] {
        assert_eq!(line[key], value, "{key}");
    }
    assert!(line["save_ms_p99"].is_f64());
}

#[test]
fn each_edit_that_is_lost_is_found_a_deletion_too() {
    let (draft, updates) = typed(0);
    let (mut deletions, mut insertions) = (0, 0);
    for without in 0..updates.len() {
        let update = Update::decode_v1(&updates[without]).expect("an update");
        match update.insertions(true).is_empty() {
            true => deletions += 1,
            false => insertions += 1,
        }
        // What builds on it waits for it, and is not there either.
        let lost = lost(&node_without(&updates, Some(without)), draft.saved());
        assert!(lost.contains(&(without as u64 + 1)), "edit {without}: {lost:?}");
    }
    assert!(deletions > 3 && insertions > 3, "{deletions}, {insertions}");
}

#[test]
fn each_goal_can_be_missed() {
    let says = |verdict: &Verdict, all: &[&str]| {
        let missed = verdict.missed();
        assert!(missed.len() == all.len(), "{missed:?}");
        assert!(
            all.iter().zip(missed).all(|(what, missed)| missed.contains(what)),
            "{missed:?}"
        );
    };
    let (draft, updates) = typed(0);
    let last = Some(updates.len() - 1);
    let (all, without) = (|| Ok(node_without(&updates, None)), || Ok(node_without(&updates, last)));
    says(&judged(&draft, vec![all(), without()]), &["not the same"]);
    says(&judged(&draft, vec![without(), without()]), &["lost", "not the same"]);
    says(&judged(&draft, vec![all(), Err("closed".into())]), &["did not tell"]);
    says(&judged(&typed(1).0, vec![all()]), &["never told"]);
    let with = |change: &dyn Fn(&mut Verdict)| {
        let mut verdict = judged(&draft, vec![all()]);
        change(&mut verdict);
        verdict.close(false);
        verdict
    };
    says(&with(&|verdict| verdict.save_ms_p50 = Some(15.1)), &["save_ms_p50"]);
    says(&with(&|verdict| verdict.save_ms_p99 = Some(50.1)), &["save_ms_p99"]);
    says(&with(&|verdict| verdict.save_ms_p99 = None), &["was not seen"]);
    says(&with(&|verdict| verdict.panics = 1), &["panics"]);
    says(&with(&|verdict| verdict.faults = 0), &["not every fault"]);
    says(&with(&|verdict| verdict.returns = 0), &["nobody lost"]);
    says(&with(&|verdict| verdict.trouble(&Error::NotRoot)), &["root"]);
    let mut slow = with(&|verdict| verdict.save_ms_p50 = Some(15.1));
    slow.close(true);
    says(&slow, &[]);
}
