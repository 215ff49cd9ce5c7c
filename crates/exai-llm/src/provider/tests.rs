//! Endpoints: shipped ones good, faults told all at once, keys never repeated.

use super::*;
use crate::dialect::{Dialect, SearchStyle};
use std::collections::BTreeMap;

fn env(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let map: BTreeMap<String, String> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    move |name| map.get(name).cloned()
}

fn one(name: &str, pairs: &[(&str, &str)]) -> Resolved {
    let providers = Providers::shipped().unwrap();
    let all = providers.resolve(&env(pairs));
    all.into_iter()
        .find(|resolved| resolved.name == name)
        .unwrap()
}

#[test]
fn the_shipped_endpoints_are_good_and_complete() {
    let providers = Providers::shipped().unwrap();
    for name in [
        "glm",
        "glm-cn",
        "kimi",
        "kimi-cn",
        "openai",
        "openai-chat",
        "anthropic",
        "gemini",
        "openrouter",
        "deepseek",
        "xai",
        "mistral",
        "groq",
        "ollama",
        "lmstudio",
        "llamacpp",
        "vllm",
        "minimax",
        "custom",
    ] {
        assert!(providers.endpoints.contains_key(name), "{name}");
    }
    assert_eq!(providers.endpoints["glm"].limits.concurrency, 4);
    assert_eq!(providers.endpoints["kimi"].limits.concurrency, 6);
    assert_eq!(
        providers.endpoints["kimi"].quirks.search,
        SearchStyle::KimiBuiltin
    );
}

#[test]
fn the_predecessors_and_the_common_variables_work() {
    for (name, variable) in [
        ("glm", "GLM_API_KEY"),
        ("glm", "ZHIPUAI_API_KEY"),
        ("glm", "ZAI_API_KEY"),
        ("kimi", "KIMI_API_KEY"),
        ("kimi", "MOONSHOT_API_KEY"),
        ("minimax", "MINIMAX_M2_KEY"),
        ("openrouter", "OPENROUTER_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("gemini", "GEMINI_API_KEY"),
        ("gemini", "GOOGLE_API_KEY"),
    ] {
        let resolved = one(name, &[(variable, "canary")]);
        assert_eq!(resolved.key, KeyState::Env(variable.to_owned()));
        assert_eq!(resolved.standing, Standing::Ready, "{name}");
        assert!(!format!("{resolved:?}").contains("canary"));
    }
    for (name, variable) in [
        ("glm", "GLM_API_URL"),
        ("glm", "ZHIPUAI_API_URL"),
        ("glm", "GLM_BASE_URL"),
        ("glm", "ZAI_BASE_URL"),
        ("kimi", "KIMI_API_URL"),
        ("kimi", "MOONSHOT_API_URL"),
        ("kimi", "KIMI_BASE_URL"),
        ("kimi", "MOONSHOT_BASE_URL"),
        ("openai", "OPENAI_BASE_URL"),
        ("anthropic", "ANTHROPIC_BASE_URL"),
        ("minimax", "MINIMAX_API_URL"),
        ("custom", "CUSTOM_API_URL"),
    ] {
        let resolved = one(name, &[(variable, "https://proxy.example/x/")]);
        assert_eq!(
            resolved.base_url.as_deref(),
            Some("https://proxy.example/x"),
            "{variable}"
        );
    }
}

#[test]
fn the_first_variable_that_says_something_wins() {
    let pairs = [
        ("GLM_API_KEY", " "),
        ("ZAI_API_KEY", "k"),
        ("ZHIPUAI_API_KEY", ""),
    ];
    assert_eq!(
        one("glm", &pairs).key,
        KeyState::Env("ZAI_API_KEY".to_owned())
    );
}

#[test]
fn what_cannot_be_used_says_what_to_set() {
    assert_eq!(
        one("glm", &[]).standing,
        Standing::Lacks("set GLM_API_KEY or ZHIPUAI_API_KEY or ZAI_API_KEY".to_owned())
    );
    assert_eq!(
        one("custom", &[]).standing,
        Standing::Lacks("set CUSTOM_API_URL to its address".to_owned())
    );
    assert!(matches!(one("ollama", &[]).standing, Standing::Offered(_)));
    let set = one("ollama", &[("OLLAMA_HOST", "127.0.0.1")]);
    assert_eq!(set.standing, Standing::Ready);
    let pairs = [("GLM_API_KEY", "k"), ("DISABLED_PROVIDERS", "kimi, GLM")];
    assert!(matches!(one("glm", &pairs).standing, Standing::Barred(_)));
    let pairs = [("GLM_API_KEY", "k"), ("ALLOWED_PROVIDERS", "kimi")];
    assert!(matches!(one("glm", &pairs).standing, Standing::Barred(_)));
    let pairs = [
        ("GLM_API_KEY", "k"),
        ("GLM_API_URL", "http://far.example/v4"),
    ];
    let Standing::Lacks(what) = one("glm", &pairs).standing else {
        panic!("an open line is used");
    };
    assert!(what.starts_with("GLM_API_URL is not encrypted"), "{what}");
}

#[test]
fn addresses_are_taken_as_people_write_them() {
    for (name, variable, written, expected) in [
        ("ollama", "OLLAMA_HOST", ":11500", "http://127.0.0.1:11500"),
        ("ollama", "OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434"),
        ("ollama", "OLLAMA_HOST", "box:1", "http://box:1"),
        ("ollama", "OLLAMA_HOST", "http://box:1/", "http://box:1"),
        ("ollama", "OLLAMA_HOST", "http://box:1/v1", "http://box:1"),
        (
            "lmstudio",
            "LMSTUDIO_BASE_URL",
            "http://localhost:1234",
            "http://localhost:1234/v1",
        ),
        (
            "custom",
            "CUSTOM_API_URL",
            "https://a.b/v1/chat/completions",
            "https://a.b/v1",
        ),
        (
            "anthropic",
            "ANTHROPIC_BASE_URL",
            "https://a.b/v1/",
            "https://a.b",
        ),
    ] {
        let resolved = one(name, &[(variable, written)]);
        assert_eq!(resolved.base_url.as_deref(), Some(expected), "{written}");
    }
}

#[test]
fn a_file_of_ones_own_changes_only_what_it_says() {
    let text = "[providers.glm]\nlimits.concurrency = 2\nkey = { file = 'glm.key' }\n\
         [providers.mine]\ntitle='Mine'\ndialect='openai-chat'\nbase_url='https://m.example/v1'\n";
    let providers = Providers::with("mine.toml", text).unwrap();
    let glm = &providers.endpoints["glm"];
    assert_eq!(glm.limits.concurrency, 2);
    assert_eq!(glm.limits.retries, 2);
    assert!(glm.quirks.textual_tool_calls);
    let mine = providers.resolve(&env(&[]));
    let glm = mine.iter().find(|one| one.name == "glm").unwrap();
    assert_eq!(glm.key, KeyState::File("glm.key".to_owned()));
    assert_eq!(glm.key_from(), "the file glm.key");
    assert!(
        mine.iter()
            .any(|one| one.name == "mine" && one.standing == Standing::Ready)
    );
}

#[test]
fn every_fault_is_told_and_no_key_is() {
    let text = "colour = 1\n\
         [providers.a]\ntitle='a'\ndialect='openai-chat'\nkey='sk-canarycanarycanary'\n\
         [providers.b]\ntitle='b'\ndialect='openai-chat'\nbase_url='http://far.example'\n\
         limits.concurrency=0\nkey = { env = ['X'], file = 'y' }\n\
         headers = { Authorization = 'Bearer canarycanary' }\n\
         [providers.c]\ntitle='c'\ndialect='telepathy'\n\
         [providers.d]\ntitle='d'\ndialect='gemini'\nbase_url='https://canary:canary@x.y'\n\
         [providers.e]\ntitle='e'\ndialect='gemini'\nkey = { env = 'sk-canarycanary' }\n\
         [providers.f]\ntitle='f'\ndialect='gemini'\nkey = { env = ['sk-canarycanary'] }\n\
         [providers.g]\ntitle='g'\ndialect='gemini'\nbase-url='x'\n";
    let told = Providers::with("mine.toml", text).unwrap_err().to_string();
    for expected in [
        "'colour' means nothing",
        "providers.a: 'key' holds text",
        "providers.b: base_url is not encrypted",
        "providers.b: limits.concurrency is 0",
        "providers.b: key names 2 places",
        "'authorization' carries keys",
        "providers.c: ",
        "providers.d: base_url holds a user",
        "providers.e: ",
        "providers.f: key.env",
        "providers.g: unknown field `base-url`",
    ] {
        assert!(told.contains(expected), "{expected} is missing in:\n{told}");
    }
    assert!(!told.contains("canary"), "{told}");
    let broken = "[providers.a]\nkey = sk-canarycanarycanary\n";
    let told = Providers::with("mine.toml", broken)
        .unwrap_err()
        .to_string();
    assert!(told.contains("mine.toml, line 2"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn model_lists_bar_and_let_through() {
    let text = "[providers.openrouter]\nallow_models=['z-ai/*','a']\ndeny_models=['z-ai/big']\n";
    let providers = Providers::with("mine.toml", text).unwrap();
    let endpoint = &providers.endpoints["openrouter"];
    assert!(endpoint.allows("z-ai/glm:free") && endpoint.allows("a"));
    assert!(!endpoint.allows("z-ai/big") && !endpoint.allows("ab"));
    assert_eq!(endpoint.dialect, Dialect::OpenaiChat);
}

#[test]
fn shipped_agents_read_unless_they_are_let_write_and_are_never_let_do_everything() {
    let providers = Providers::shipped().unwrap();
    let commands = providers.endpoints.iter();
    let commands = commands.filter_map(|(name, endpoint)| Some((name, endpoint.command.as_ref()?)));
    let mut seen = Vec::new();
    for (name, command) in commands {
        let agent = command.agent.as_ref().unwrap();
        let write = agent.write.as_ref().unwrap();
        assert_ne!(&agent.read, write, "{name}");
        for manner in [&agent.read, write] {
            let all = format!("{manner:?}").to_lowercase();
            for never in ["danger", "bypass", "yolo", "skip-permissions", "full-auto"] {
                assert!(!all.contains(never), "{name}: {all}");
            }
        }
        let answer = &providers.endpoints[name].quirks.answer;
        let named = answer.events.iter().any(|rule| rule.session.is_some());
        assert!(named && !agent.resume.is_empty(), "{name} goes on");
        seen.push(name.as_str());
    }
    assert_eq!(
        seen,
        ["claude-cli", "codex-cli", "gemini-cli", "opencode-cli"]
    );
}

#[test]
fn an_agent_is_told_what_is_wrong_with_its_settings() {
    for (agent, expected) in [
        ("resume = ['--resume']", "nowhere says {session}"),
        ("read = { env = { EXAI_HOME = '/' } }", "variables of exai"),
        ("write = { env = { 'A B' = '1' } }", "no variable"),
        ("wirte = {}", "wirte"),
    ] {
        let text = format!(
            "[providers.a]\ntitle = 'A'\ndialect = 'cli'\n\
             command = {{ program = 'a', agent = {{ {agent} }} }}\n"
        );
        let fault = Providers::with("mine", &text).unwrap_err().to_string();
        assert!(fault.contains(expected), "{agent}: {fault}");
    }
}
