//! Lists as the providers document them, and as they come broken.

use super::*;
use crate::{fault::FaultClass, provider::Providers};

fn ids(page: &Page) -> Vec<&str> {
    page.models.iter().map(|model| model.id.as_str()).collect()
}

fn endpoint(name: &str) -> Resolved {
    let all = Providers::shipped().unwrap().resolve(&|_| None);
    all.into_iter().find(|one| one.name == name).unwrap()
}

#[test]
fn each_endpoint_is_asked_in_its_way() {
    for (name, path, headers) in [
        ("glm", "/models", 0),
        ("anthropic", "/v1/models?limit=1000", 1),
        ("gemini", "/models?pageSize=1000", 0),
        ("ollama", "/api/tags", 0),
    ] {
        let request = request(&endpoint(name)).unwrap();
        assert_eq!(request.path, path);
        assert_eq!(request.headers.len(), headers, "{name}");
    }
    assert_eq!(request(&endpoint("minimax")), None);
    let more = next(&endpoint("anthropic"), "a b").unwrap();
    assert_eq!(more.path, "/v1/models?limit=1000&after_id=a%20b");
    let more = next(&endpoint("gemini"), "t=").unwrap();
    assert_eq!(more.path, "/models?pageSize=1000&pageToken=t%3D");
}

#[test]
fn a_plain_list_has_names_only() {
    let body = br#"{"object":"list","data":[{"id":"glm-4.6","object":"model"},
        {"id":"text-embedding-3"},{"id":" odd "},{"id":7},{},{"id":"vendor/model:free"}]}"#;
    let page = parse(Dialect::OpenaiChat, body).unwrap();
    assert_eq!(ids(&page), ["glm-4.6", "vendor/model:free"]);
    assert_eq!(page.models[0].context, None);
    assert_eq!(page.more, None);
    let bare = parse(Dialect::OpenaiChat, br#"[{"id":"a"}]"#).unwrap();
    assert_eq!(ids(&bare), ["a"]);
}

#[test]
fn what_others_added_is_read() {
    let body = br#"{"data":[
        {"id":"a","context_length":200000,"top_provider":{"context_length":131072,"max_completion_tokens":8192},
         "architecture":{"input_modalities":["text","image"],"output_modalities":["text"]},
         "supported_parameters":["tools","reasoning"],
         "pricing":{"prompt":"0.00000015","completion":"0.0000006","input_cache_read":"0.000000075","web_search":"0.01"}},
        {"id":"auto-router","pricing":{"prompt":"-1","completion":"-1"}},
        {"id":"painter","architecture":{"output_modalities":["image"]}},
        {"id":"b","context_window":131072,"active":true,"max_completion_tokens":65536},
        {"id":"off","active":false},
        {"id":"c","max_context_length":32768,"capabilities":{"completion_chat":true,"function_calling":true,"vision":false}},
        {"id":"d","max_model_len":8192},
        {"id":"e","meta":{"n_ctx_train":40960}},
        {"id":"f","context_length":262144,"supports_image_in":true,"supports_reasoning":true}]}"#;
    let page = parse(Dialect::OpenaiChat, body).unwrap();
    assert_eq!(ids(&page), ["a", "auto-router", "b", "c", "d", "e", "f"]);
    let a = &page.models[0];
    assert_eq!((a.context, a.output), (Some(131_072), Some(8192)));
    assert_eq!(
        (a.vision, a.tools, a.thinking),
        (Some(true), Some(true), Some(true))
    );
    let price = a.price.as_ref().unwrap();
    assert_eq!((price.input, price.output), (Some(0.15), Some(0.6)));
    assert_eq!((price.cached, price.search), (Some(0.075), Some(0.01)));
    assert_eq!(page.models[1].price, None);
    let contexts: Vec<_> = page.models[2..].iter().map(|model| model.context).collect();
    let expected = [131_072, 32_768, 8192, 40_960, 262_144].map(Some);
    assert_eq!(contexts, expected);
    assert_eq!(
        (page.models[3].tools, page.models[3].vision),
        (Some(true), Some(false))
    );
    assert_eq!(page.models[6].vision, Some(true));
}

#[test]
fn pages_are_followed() {
    let body = br#"{"data":[{"type":"model","id":"claude-x","display_name":"X"}],
        "has_more":true,"first_id":"claude-x","last_id":"claude-x"}"#;
    let page = parse(Dialect::Anthropic, body).unwrap();
    assert_eq!(
        (ids(&page), page.more.as_deref()),
        (vec!["claude-x"], Some("claude-x"))
    );
    let last = br#"{"data":[],"has_more":false,"last_id":null}"#;
    assert_eq!(parse(Dialect::Anthropic, last).unwrap().more, None);
    let body = br#"{"models":[
        {"name":"models/gemini-x","inputTokenLimit":1048576,"outputTokenLimit":65536,
         "supportedGenerationMethods":["generateContent"],"thinking":true},
        {"name":"models/vectors","supportedGenerationMethods":["embedContent"]}],
        "nextPageToken":"t"}"#;
    let page = parse(Dialect::Gemini, body).unwrap();
    assert_eq!(
        (ids(&page), page.more.as_deref()),
        (vec!["gemini-x"], Some("t"))
    );
    assert_eq!(page.models[0].context, Some(1_048_576));
    let all = gather([page.clone(), page]);
    assert_eq!(all.len(), 1);
}

#[test]
fn installed_models_keep_their_tags() {
    let body = br#"{"models":[{"name":"qwen3:32b","model":"qwen3:32b","size":1,
        "details":{"family":"qwen3"},"capabilities":["completion","tools","thinking"]},
        {"name":"nomic-embed-text:latest"},{"name":"vectors","capabilities":["embedding"]},
        {"name":"llama3.2:latest"}]}"#;
    let page = parse(Dialect::Ollama, body).unwrap();
    assert_eq!(ids(&page), ["qwen3:32b", "llama3.2:latest"]);
    assert_eq!(
        (page.models[0].tools, page.models[0].vision),
        (Some(true), Some(false))
    );
    assert_eq!(page.models[1].tools, None);
}

#[test]
fn what_is_no_list_is_a_fault() {
    for dialect in Dialect::ALL {
        for body in [
            &b"<html>"[..],
            b"{}",
            b"7",
            b"{\"data\":{}}",
            b"{\"models\":1}",
            b"",
        ] {
            let fault = parse(dialect, body).unwrap_err();
            assert_eq!(fault.class, FaultClass::Malformed);
        }
    }
}
