//! A mint as its caller sees it: the forms of the request, and the answer.

use serde_json::json;

use crate::both_databases;

both_databases! {
    async fn one_recipient_is_minted_to_and_the_asset_comes_back_with_its_new_supply(server) {
        let answer = server.mint(&server.world.equity, &server.world.recipients[0], "1000000000000000000000").await;

        assert!(answer.header("X-Operation-Id").is_some());
        let asset = answer.ok();
        assert_eq!(asset["id"], json!(server.world.equity));
        assert_eq!(asset["totalSupply"], r#"["1000000000000000000000",18]"#);
    }
}
