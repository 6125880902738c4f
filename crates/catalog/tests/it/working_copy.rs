//! Specifications, offerings and prices: created, read, listed, patched, moved through their lives.

use serde_json::json;

use crate::support::{Catalog, id, text};

#[tokio::test]
async fn a_draft_is_created_read_patched_and_read_again() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let draft = json!({"externalId": "R1", "name": "Router", "kind": "simple", "stocked": true});
    let created = editor.post("/catalog/v1/offerings", &draft).send().await.expect(201);
    assert_eq!(created.version(), 1);
    assert_eq!(created.value()["lifecycleStatus"], "inStudy");
    let path = format!("/catalog/v1/offerings/{}", id(&created));
    assert_eq!(created.header("location"), path);

    let changes = json!({"name": "Router 2", "description": "with wings", "externalId": "R1"});
    let patched = editor.patch(&path, &changes).if_match(1).send().await.expect(200);
    assert_eq!((patched.version(), text(&patched.value(), "name")), (2, "Router 2"));
    let again = editor.patch(&path, &json!({"description": null})).if_match(2).send().await.expect(200);
    assert_eq!(again.version(), 3);
    assert!(again.value()["description"].is_null());

    let read = catalog.buyer().get(&path).send().await.expect(200);
    assert_eq!((read.version(), read.value()), (3, again.value()));
    let held = catalog.buyer().get(&path).header("if-none-match", "\"3\"").send().await;
    assert_eq!((held.status.as_u16(), held.body.len()), (304, 0));
}

#[tokio::test]
async fn a_patch_that_changes_nothing_makes_no_version_and_no_event() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let draft = json!({"name": "Line", "characteristics": [{"name": "kg", "valueType": "decimal", "minimum": "1.0"}]});
    let path = format!(
        "/catalog/v1/specifications/{}",
        id(&editor.post("/catalog/v1/specifications", &draft).send().await.expect(201))
    );
    let before = catalog.everything().await;
    let same = editor.patch(&path, &json!({"name": "Line"})).if_match(1).send().await.expect(200);
    assert_eq!(same.version(), 1);
    assert_eq!(catalog.everything().await, before);
}

#[tokio::test]
async fn a_stale_or_missing_if_match_is_refused_and_nothing_changes() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let draft = json!({"name": "Router", "kind": "simple", "stocked": true});
    let created = editor.post("/catalog/v1/offerings", &draft).send().await.expect(201);
    let path = format!("/catalog/v1/offerings/{}", id(&created));
    let rename = json!({"name": "Other"});
    let _ = editor.patch(&path, &rename).if_match(1).send().await.expect(200);
    let before = catalog.everything().await;
    let stale = editor.patch(&path, &rename).if_match(1).send().await;
    assert_eq!(stale.expect_problem(412, "precondition-failed")["currentVersion"], 2);
    assert_eq!(stale.version(), 2);
    editor.patch(&path, &rename).send().await.expect_problem(428, "precondition-required");
    assert_eq!(catalog.everything().await, before);
}

#[tokio::test]
async fn only_listed_steps_of_life_are_taken_and_each_leaves_history() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let draft = json!({"name": "Router", "kind": "simple", "stocked": true});
    let path = format!("/catalog/v1/offerings/{}", id(&editor.post("/catalog/v1/offerings", &draft).send().await));
    let refused = editor.patch(&path, &json!({"lifecycleStatus": "active"})).if_match(1).send().await;
    assert_eq!(refused.expect_problem(409, "illegal-transition")["allowed"], json!(["inDesign"]));
    for (version, status) in (1..).zip(["inDesign", "inTest", "active", "launched", "retired", "obsolete"]) {
        let step = json!({ "lifecycleStatus": status });
        let _ = editor.patch(&path, &step).if_match(version).send().await.expect(200);
    }
    let final_step = editor.patch(&path, &json!({"lifecycleStatus": "active"})).if_match(7).send().await;
    assert_eq!(final_step.expect_problem(409, "illegal-transition")["allowed"], json!([]));
    let history: Vec<(Option<String>, String, String)> =
        sqlx::query_as("select from_status, to_status, actor from catalog.lifecycle_history order by version")
            .fetch_all(&catalog.admin)
            .await
            .unwrap();
    assert_eq!(history.len(), 7);
    assert_eq!(history[0], (None, "inStudy".to_owned(), "keeper".to_owned()));
    assert_eq!(history[6], (Some("retired".to_owned()), "obsolete".to_owned(), "keeper".to_owned()));
}

#[tokio::test]
async fn lists_are_paged_and_a_cursor_opens_only_its_own_list() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    for number in 0..5 {
        let draft = json!({"name": format!("n{number}"), "externalId": format!("x{number}"), "kind": "simple", "stocked": false});
        let _ = editor.post("/catalog/v1/offerings", &draft).send().await.expect(201);
    }
    let mut names = Vec::new();
    let mut path = "/catalog/v1/offerings?limit=2".to_owned();
    loop {
        let page = editor.get(&path).send().await.expect(200).value();
        names.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "name").to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/catalog/v1/offerings?limit=2&cursor={cursor}");
        editor
            .get(&format!("/catalog/v1/specifications?cursor={cursor}"))
            .send()
            .await
            .expect_problem(400, "invalid-cursor");
    }
    assert_eq!(names, ["n0", "n1", "n2", "n3", "n4"]);
    let one = editor.get("/catalog/v1/offerings?externalId=x3").send().await.expect(200).value();
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    for query in ["limit=0", "limit=101", "colour=red", "cursor=abc"] {
        let refused = editor.get(&format!("/catalog/v1/offerings?{query}")).send().await;
        assert_eq!(refused.status.as_u16(), 400, "{query}: {}", refused.text());
    }
}

#[tokio::test]
async fn an_external_id_is_unique_and_stays() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let draft = json!({"externalId": "A", "name": "a", "kind": "simple", "stocked": false});
    let path = format!("/catalog/v1/offerings/{}", id(&editor.post("/catalog/v1/offerings", &draft).send().await));
    let twice = editor.post("/catalog/v1/offerings", &draft).send().await;
    twice.expect_problem(409, "external-id-taken");
    assert_eq!(twice.pointers(), ["/externalId"]);
    let moved = editor.patch(&path, &json!({"externalId": "B"})).if_match(1).send().await;
    moved.expect_problem(422, "invalid-request");
    assert_eq!(moved.pointers(), ["/externalId"]);
}

#[tokio::test]
async fn the_same_key_creates_once_and_answers_the_same() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let draft = json!({"name": "once", "kind": "simple", "stocked": false});
    let first = editor.post("/catalog/v1/offerings", &draft).key("k1").send().await.expect(201);
    let again = editor.post("/catalog/v1/offerings", &draft).key("k1").send().await.expect(201);
    assert_eq!((again.value(), again.header("idempotency-replayed")), (first.value(), "true"));
    assert_eq!(catalog.count("offering").await, 1);
    let other = json!({"name": "other", "kind": "simple", "stocked": false});
    editor.post("/catalog/v1/offerings", &other).key("k1").send().await.expect_problem(422, "idempotency-key-reused");
    assert_eq!(catalog.count("offering").await, 1);
}
