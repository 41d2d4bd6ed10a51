//! The demo and its node end and start again, in any order.

use std::fs;

use crate::stage::{Demo, Manifest, Place};

/// One more unit is final, and nothing was lost or doubled on the way to it.
async fn one_more(manifest: &Manifest, before: u128) -> u128 {
    let after = manifest.supply_after_one_more().await;
    assert_eq!(after, before + 1);
    manifest.books_and_chain_agree().await;
    after
}

async fn started(place: &Place) -> (Demo, Manifest) {
    let mut demo = place.start(&[]);
    let manifest = demo.ready().await;
    (demo, manifest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_of_node_and_demo_is_killed_what_was_final_stays_and_the_next_mint_is_final() {
    let place = Place::new(None);
    let (demo, manifest) = started(&place).await;
    let mut supply = manifest.supply_after_one_more().await;

    // The node alone, right after something became final, and with something under way.
    let node = place.node();
    node.kill();
    supply = one_more(&manifest, supply).await;
    assert_ne!(place.node(), node, "the node is another process");

    // The demo alone: its node ends with it.
    demo.kill();
    place.node().ended().await;
    let (demo, manifest) = started(&place).await;
    supply = one_more(&manifest, supply).await;

    // Both at once.
    place.node().kill();
    demo.kill();
    let (demo, manifest) = started(&place).await;
    supply = one_more(&manifest, supply).await;

    // The demo and whoever was to end its node: the node lives on, and the next start ends it.
    let node = place.node();
    demo.freeze();
    node.parent().kill();
    demo.kill();
    assert!(node.is_there());
    let (demo, manifest) = started(&place).await;
    assert!(!node.is_there(), "two nodes work on one state");
    supply = one_more(&manifest, supply).await;

    // As somebody stops it who has time.
    demo.stop();
    assert!(!place.node().is_there());
    let (_demo, manifest) = started(&place).await;
    one_more(&manifest, supply).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_state_is_mended_and_a_lost_one_is_refused_until_somebody_resets() {
    let place = Place::new(None);
    let (demo, manifest) = started(&place).await;
    let supply = manifest.supply_after_one_more().await;
    demo.stop();

    let state = place.path("node/state.json");
    let text = fs::read(&state).unwrap();
    fs::write(&state, &text[..text.len() / 2]).unwrap();
    let (demo, manifest) = started(&place).await;
    assert!(
        demo.printed().contains("the node's state is broken"),
        "{}",
        demo.printed()
    );
    one_more(&manifest, supply).await;
    demo.stop();

    let elsewhere = place.path("elsewhere");
    fs::rename(place.path("node"), &elsewhere).unwrap();
    let refused = place.refusal(&[]);
    assert!(refused.contains("is gone") && refused.contains("--reset"), "{refused}");

    // The chain of another demo has the same number and another beginning.
    let other = Place::new(None);
    let (demo, _) = started(&other).await;
    demo.stop();
    fs::rename(other.path("node"), place.path("node")).unwrap();
    let refused = place.refusal(&[]);
    assert!(
        refused.contains("began with block") && refused.contains("--reset"),
        "{refused}"
    );
    fs::remove_dir_all(place.path("node")).unwrap();

    fs::rename(&elsewhere, place.path("node")).unwrap();
    let (demo, manifest) = started(&place).await;
    one_more(&manifest, supply + 1).await;
    demo.stop();

    let mut demo = place.start(&["--reset"]);
    let anew = demo.ready().await;
    assert_ne!(anew.0["assets"], manifest.0["assets"]);
    anew.books_and_chain_agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_demos_run_side_by_side_on_chains_of_their_own() {
    let places = [Place::new(None), Place::new(None)];
    let mut demos = [places[0].start(&[]), places[1].start(&[])];
    let manifests = [demos[0].ready().await, demos[1].ready().await];

    assert_ne!(manifests[0].text("/chain/rpcUrl"), manifests[1].text("/chain/rpcUrl"));
    for manifest in &manifests {
        manifest.books_and_chain_agree().await;
    }
}
