//! The list of models through the front door: nothing ready says what to set, a person's files
//! go over the shipped ones, and a broken file stops nobody.

use exai_testkit::Sandbox;
use serde_json::Value;

async fn list(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let call = [&["call", "listmodels"], arguments].concat();
    sandbox.cli(&call).await.ok().stdout
}

#[tokio::test]
async fn without_a_key_the_list_says_what_to_set() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let text = list(&sandbox, &[]).await;
    for part in [
        "No model can be asked.",
        "GLM_API_KEY (GLM (Z.ai))",
        "providers.NAME.enabled = true",
        "kimi: set KIMI_API_KEY or MOONSHOT_API_KEY",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(text.len() < 5000, "{} bytes", text.len());
    let status = sandbox.cli(&["call", "status"]).await.ok().stdout;
    assert!(status.contains("none is ready"), "{status}");
    let check = sandbox.cli(&["call", "self-check"]).await.ok().stdout;
    assert!(check.contains("GLM_API_KEY"), "{check}");
}

#[tokio::test]
async fn files_and_keys_of_the_home_are_in_force_and_no_key_is_shown() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GLM_API_KEY", "canary-of-the-environment");
    sandbox.write(".env", "KIMI_API_KEY=canary-of-the-file\n");
    sandbox.write(
        "config/providers.toml",
        "[providers.mine]\ntitle='Mine'\ndialect='openai-chat'\n\
         base_url='http://127.0.0.1:9/v1'\n",
    );
    sandbox.write(
        "config/models.toml",
        "[endpoints.old]\nname='old'\ndialect='openai-chat'\n\
         [[models]]\nid='glm-4.6'\nendpoint='glm'\nprice={in=0.25,out=1.25}\n\
         [[models]]\nid='vendor/model:free'\nendpoint='mine'\naliases=['own']\n\
         [[models]]\nid='glm-4.5'\nendpoint='glm'\nhidden=true\n",
    );
    let _daemon = sandbox.daemon().await;
    let text = list(&sandbox, &["--arg", "ready=true"]).await;
    for part in [
        "glm-4.6 | 200k | thinking tools search | 0.25/1.25",
        "vendor/model:free (own) | ? | ? | ?",
        "kimi-k2.6 | 262k",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains("glm-4.5 |"), "{text}");
    let full = list(&sandbox, &["--arg", "full=true"]).await;
    let all: Value = serde_json::from_str(&full).unwrap_or_default();
    let rows = all["models"].as_array().map_or(0, Vec::len);
    assert!(rows > 60, "{full}");
    assert!(!full.contains("canary") && !text.contains("canary"));
    let status = sandbox.cli(&["call", "status"]).await.ok().stdout;
    assert!(status.contains("glm, kimi, mine ready"), "{status}");
    assert!(
        status.contains("[endpoints] is not read any more"),
        "{status}"
    );
}

#[tokio::test]
async fn a_broken_file_is_told_whole_and_the_shipped_list_stands_in() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GLM_API_KEY", "k");
    sandbox.write(
        "config/models.toml",
        "[[models]]\nid='a'\nendpoint='nowhere'\n[[models]]\nid='b'\nendpoint='glm'\ncontex=1\n",
    );
    let _daemon = sandbox.daemon().await;
    let text = list(&sandbox, &[]).await;
    assert!(text.contains("glm-4.6 | 200k"), "{text}");
    let status = sandbox.cli(&["call", "status"]).await.ok().stdout;
    for part in [
        "the endpoint 'nowhere'",
        "unknown field `contex`",
        "shipped model list",
    ] {
        assert!(status.contains(part), "{part:?} in {status}");
    }
}
