//! Who is chosen, in tables: explicit names used or refused, `auto` by the chain's order,
//! health, room and price, and refusals that say what to do.

use super::*;
use crate::{
    catalogue::{Discovered, Fetched},
    provider::{Providers, Resolved},
};
use exai_engine::ports::models::{Category, ChatRequest, Image, Message, Part, Pin, WebSearch};

/// A daemon's endpoints with these variables set.
struct World {
    catalogue: Catalogue,
    resolved: Vec<Resolved>,
    input: u64,
    default: Option<&'static str>,
    break_at: Vec<(&'static str, BreakerState)>,
    full: Vec<&'static str>,
}

impl World {
    fn with(variables: &[&str], providers: &str, models: &str) -> Self {
        let set: Vec<String> = variables.iter().map(|name| (*name).to_owned()).collect();
        let providers = Providers::with("providers.toml", providers).unwrap();
        let env = move |name: &str| {
            set.iter()
                .any(|known| known == name)
                .then(|| "k".to_owned())
        };
        Self {
            catalogue: Catalogue::with("models.toml", models, &providers).unwrap(),
            resolved: providers.resolve(&env),
            input: 100,
            default: None,
            break_at: Vec::new(),
            full: Vec::new(),
        }
    }

    fn keys(variables: &[&str]) -> Self {
        Self::with(variables, "", "")
    }

    fn choose(&self, wish: &Wish) -> Result<Vec<Candidate>, ChoiceError> {
        let states: Vec<EndpointState<'_>> = self
            .resolved
            .iter()
            .map(|resolved| {
                let mut state = EndpointState::idle(resolved);
                let name = resolved.name.as_str();
                if let Some((_, breaker)) = self.break_at.iter().find(|(at, _)| *at == name) {
                    state.breaker = breaker.clone();
                }
                if self.full.contains(&name) {
                    state.in_flight = state.concurrency;
                }
                state
            })
            .collect();
        let now = Moment {
            catalogue: &self.catalogue,
            endpoints: &states,
            default_model: self.default,
            input: self.input,
        };
        candidates(&now, wish)
    }

    fn names(&self, wish: &Wish) -> Vec<String> {
        let found = self.choose(wish).unwrap();
        found.iter().map(|one| one.model.full_name()).collect()
    }

    fn first(&self, wish: &Wish) -> (String, String) {
        let found = self.choose(wish).unwrap();
        (found[0].model.full_name(), found[0].reason.clone())
    }

    fn refusal(&self, wish: &Wish) -> (Refusal, String) {
        let error = self.choose(wish).unwrap_err();
        (error.kind, error.message)
    }
}

fn named(name: &str) -> Wish {
    Wish {
        model: Some(name.to_owned()),
        ..Wish::default()
    }
}

fn kind(category: Category) -> Wish {
    Wish {
        category,
        ..Wish::default()
    }
}

fn open() -> BreakerState {
    BreakerState::Open {
        cause: "rate_limited".to_owned(),
        retry_after_secs: Some(7),
    }
}

#[test]
fn a_model_asked_for_by_name_is_used_alone() {
    let world = World::keys(&["GLM_API_KEY", "KIMI_API_KEY"]);
    for (name, expected, reason) in [
        ("glm-4.6", "glm-4.6@glm", "asked for by name"),
        ("GLM-4.6", "glm-4.6@glm", "as 'GLM-4.6'"),
        ("kimi-k2", "kimi-k2-0905-preview@kimi", "as 'kimi-k2'"),
        ("glm-4.5-flash", "glm-4.5-flash@glm", "asked for by name"),
        ("glm-99@glm", "glm-99@glm", "does not describe it"),
        (" glm-4.6 ", "glm-4.6@glm", "asked for by name"),
    ] {
        let found = world.choose(&named(name)).unwrap();
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].model.full_name(), expected);
        assert!(found[0].reason.contains(reason), "{}", found[0].reason);
    }
}

#[test]
fn a_model_asked_for_by_name_is_used_even_where_it_rests() {
    let mut world = World::keys(&["GLM_API_KEY", "KIMI_API_KEY"]);
    world.break_at = vec![("glm", open())];
    assert_eq!(world.names(&named("glm-4.6")), ["glm-4.6@glm"]);
}

#[test]
fn the_home_goes_before_the_others() {
    let both = World::keys(&["GLM_API_KEY", "GLM_CN_API_KEY"]);
    assert_eq!(both.names(&named("glm-4.6")), ["glm-4.6@glm"]);
    assert_eq!(both.names(&named("glm-4.6@glm-cn")), ["glm-4.6@glm-cn"]);
    let other = World::keys(&["GLM_CN_API_KEY"]);
    let (name, reason) = other.first(&named("glm-4.6"));
    assert_eq!(name, "glm-4.6@glm-cn");
    assert!(reason.contains("'glm-cn' is the first"), "{reason}");
}

#[test]
fn a_model_that_cannot_be_asked_says_what_to_set() {
    let world = World::with(
        &["GLM_API_KEY", "KIMI_API_KEY"],
        "[providers.kimi]\ndeny_models=['kimi-k3']\n",
        "",
    );
    for (name, kind, parts) in [
        (
            "gpt-5.2",
            Refusal::NotReady,
            vec!["set OPENAI_API_KEY", "Ready now: glm-"],
        ),
        (
            "gpt-x@openai",
            Refusal::NotReady,
            vec!["set OPENAI_API_KEY"],
        ),
        (
            "kimi-k3",
            Refusal::NotReady,
            vec!["allow_models and deny_models"],
        ),
        (
            "glm-4.6x",
            Refusal::Unknown,
            vec!["Names like it: glm-4.6", "'glm-4.6x@glm'"],
        ),
        (
            "glm/glm-4.6",
            Refusal::Unknown,
            vec!["is written 'glm-4.6@glm'"],
        ),
        (
            "qwen3:32b@ollama",
            Refusal::NotReady,
            vec!["'ollama' is not enabled", "enabled = true"],
        ),
    ] {
        let (told_kind, told) = world.refusal(&named(name));
        assert_eq!(told_kind, kind, "{told}");
        for part in parts {
            assert!(told.contains(part), "{part} is missing in: {told}");
        }
    }
}

#[test]
fn a_name_for_several_is_refused_with_the_choices() {
    let world = World::with(
        &["OLLAMA_HOST", "CUSTOM_API_URL"],
        "[providers.custom]\nbase_url='http://127.0.0.1:1/v1'\nbase_url_env=[]\n",
        "[[models]]\nid='llama3.2'\nendpoint='ollama'\n",
    );
    let (kind, told) = world.refusal(&named("llama3.2"));
    assert_eq!(kind, Refusal::Ambiguous);
    assert!(told.contains("llama3.2@custom, llama3.2@ollama"), "{told}");
}

#[test]
fn an_undescribed_model_goes_where_it_is_clear_where_to() {
    let only = World::keys(&["OPENROUTER_API_KEY"]);
    let (name, reason) = only.first(&named("vendor/model:free"));
    assert_eq!(name, "vendor/model:free@openrouter");
    assert!(reason.contains("only endpoint"), "{reason}");
    let list = |endpoint: &str, id: &str| Fetched {
        endpoint: endpoint.to_owned(),
        fetched_ms: 1,
        models: vec![Discovered {
            id: id.to_owned(),
            ..Discovered::default()
        }],
    };
    let mut listed = World::keys(&["OPENROUTER_API_KEY"]);
    listed.catalogue = listed.catalogue.and(&list("openrouter", "other"));
    assert_eq!(
        listed.refusal(&named("vendor/model:free")).0,
        Refusal::Unknown
    );
    let mut two = World::keys(&["OPENROUTER_API_KEY", "GLM_API_KEY"]);
    assert_eq!(two.refusal(&named("vendor/model:free")).0, Refusal::Unknown);
    two.catalogue = two.catalogue.and(&list("openrouter", "vendor/model:free"));
    assert_eq!(
        two.names(&named("vendor/model:free")),
        ["vendor/model:free@openrouter"]
    );
}

#[test]
fn nothing_ready_says_what_to_set() {
    let world = World::keys(&[]);
    for wish in [Wish::default(), named("auto"), named("some-model")] {
        let (kind, told) = world.refusal(&wish);
        assert_eq!(kind, Refusal::NothingReady);
        for part in ["GLM_API_KEY (GLM (Z.ai))", "ANTHROPIC_API_KEY", "ollama"] {
            assert!(told.contains(part), "{part} is missing in: {told}");
        }
    }
    let error = world.choose(&Wish::default()).unwrap_err();
    assert_eq!(error.code(), exai_protocol::Code::Unavailable);
}

#[test]
fn auto_takes_the_cheapest_of_the_first_group() {
    let world = World::keys(&["GLM_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"]);
    for (category, expected) in [
        (Category::Fast, "glm-4.7-flash@glm"),
        (Category::Balanced, "glm-4.7@glm"),
        (Category::Deep, "glm-5.3@glm"),
    ] {
        for wish in [
            kind(category),
            Wish {
                model: Some("AUTO".into()),
                ..kind(category)
            },
        ] {
            let (name, reason) = world.first(&wish);
            assert_eq!(name, expected);
            assert!(reason.starts_with("auto ("), "{reason}");
        }
    }
    let openai = World::keys(&["OPENAI_API_KEY"]);
    let found = openai.names(&kind(Category::Fast));
    assert_eq!(
        found,
        ["gpt-5-mini@openai"],
        "one endpoint of the two it has"
    );
}

#[test]
fn health_and_room_go_before_price() {
    let fast = kind(Category::Fast);
    let mut world = World::keys(&["GLM_API_KEY", "GEMINI_API_KEY"]);
    assert_eq!(world.first(&fast).0, "glm-4.7-flash@glm");
    world.full = vec!["glm"];
    assert_eq!(world.first(&fast).0, "gemini-3.1-flash-lite@gemini");
    world.full.clear();
    let cause = "timeout".to_owned();
    world.break_at = vec![("glm", BreakerState::HalfOpen { cause })];
    assert_eq!(world.first(&fast).0, "gemini-3.1-flash-lite@gemini");
    world.break_at = vec![("glm", open())];
    let (name, reason) = world.first(&fast);
    assert_eq!(name, "gemini-3.1-flash-lite@gemini");
    assert!(
        reason.contains("passed over after failures: glm"),
        "{reason}"
    );
    world.break_at.push(("gemini", open()));
    let error = world.choose(&fast).unwrap_err();
    assert_eq!(
        (error.kind, error.retry_after_secs),
        (Refusal::Resting, Some(7))
    );
}

#[test]
fn a_flat_chain_is_kept_in_its_order_and_names_the_fallbacks() {
    let world = World::with(
        &["GLM_API_KEY", "ANTHROPIC_API_KEY", "KIMI_API_KEY"],
        "",
        "[chains]\nbalanced=['claude-opus-5-5','gpt-5.2','kimi-k2.6','glm-4.6']\n",
    );
    let found = world.choose(&Wish::default()).unwrap();
    let names: Vec<String> = found.iter().map(|one| one.model.full_name()).collect();
    let expected = ["claude-opus-5-5@anthropic", "kimi-k2.6@kimi", "glm-4.6@glm"];
    assert_eq!(names, expected);
    let reason = &found[1].reason;
    assert!(
        reason.contains("stands in for 'claude-opus-5-5'"),
        "{reason}"
    );
}

#[test]
fn what_is_needed_decides_who_can() {
    let pictures = Wish {
        chat: ChatRequest {
            messages: vec![Message::User(vec![Part::Image(image())])],
            ..ChatRequest::default()
        },
        ..Wish::default()
    };
    let world = World::keys(&["GLM_API_KEY"]);
    assert_eq!(world.first(&pictures).0, "glm-4.6v@glm");
    let blind = World::keys(&["GROQ_API_KEY"]);
    let (refusal, told) = blind.refusal(&pictures);
    assert_eq!(refusal, Refusal::NothingFits);
    assert!(told.contains("does not see pictures"), "{told}");

    let mut long = World::keys(&["GLM_API_KEY", "GEMINI_API_KEY"]);
    long.input = 600_000;
    assert_eq!(
        long.first(&kind(Category::Fast)).0,
        "gemini-3.1-flash-lite@gemini"
    );
    long.input = 5_000_000;
    let (refusal, told) = long.refusal(&kind(Category::Fast));
    assert_eq!(refusal, Refusal::NothingFits);
    assert!(told.contains("are needed"), "{told}");

    let searching = Wish {
        chat: ChatRequest {
            search: Some(WebSearch::default()),
            ..ChatRequest::default()
        },
        ..kind(Category::Fast)
    };
    let world = World::keys(&["GROQ_API_KEY", "ANTHROPIC_API_KEY"]);
    assert_eq!(
        world.first(&kind(Category::Fast)).0,
        "openai/gpt-oss-20b@groq"
    );
    assert_eq!(world.first(&searching).0, "claude-haiku-4-5@anthropic");
    let (_, reason) = World::keys(&["GROQ_API_KEY"]).first(&searching);
    assert!(reason.contains("no ready model can search"), "{reason}");
}

fn image() -> Image {
    Image::Inline {
        media_type: "image/png".to_owned(),
        base64: "aGk=".to_owned(),
    }
}

#[test]
fn what_no_chain_names_is_a_last_resort() {
    let models = "[[models]]\nid='own'\nendpoint='custom'\n\
         [[models]]\nid='llama3.2'\nendpoint='custom'\nhidden=true\n";
    let providers = "[providers.custom]\nbase_url='http://127.0.0.1:1/v1'\nbase_url_env=[]\n";
    let world = World::with(&[], providers, models);
    let (name, reason) = world.first(&Wish::default());
    assert_eq!(name, "own@custom");
    assert!(reason.contains("no model of the chain"), "{reason}");
    let both = World::with(&["GLM_API_KEY"], providers, models);
    let names = both.names(&Wish::default());
    assert!(!names.contains(&"own@custom".to_owned()), "{names:?}");
    let nobody = World::with(
        &["OLLAMA_HOST"],
        "[providers.ollama]\nenabled=true\nbase_url_env=[]\n",
        "",
    );
    let (refusal, told) = nobody.refusal(&Wish::default());
    assert_eq!(refusal, Refusal::NotReady);
    assert!(told.contains("models refresh ollama"), "{told}");
}

#[test]
fn a_local_servers_pinned_context_counts() {
    let mut world = World::with(
        &[],
        "[providers.ollama]\nenabled=true\n",
        "[[models]]\nid='big'\nendpoint='ollama'\ncontext=100000\nabilities=['tools']\n",
    );
    world.input = 20_000;
    let (refusal, told) = world.refusal(&Wish::default());
    assert_eq!(refusal, Refusal::NothingFits);
    assert!(told.contains("reads 16384 tokens"), "{told}");
}

#[test]
fn the_default_model_is_preferred_where_it_can_do_it() {
    let mut world = World::keys(&["GLM_API_KEY", "KIMI_API_KEY"]);
    world.default = Some("kimi-k2.6");
    let (name, reason) = world.first(&Wish::default());
    assert_eq!(
        (name.as_str(), reason.as_str()),
        ("kimi-k2.6@kimi", "DEFAULT_MODEL is 'kimi-k2.6'")
    );
    assert!(
        world
            .names(&Wish::default())
            .contains(&"glm-4.7@glm".to_owned())
    );
    assert_eq!(world.first(&named("auto")).0, "glm-4.7@glm");
    assert_eq!(world.names(&named("glm-4.6")), ["glm-4.6@glm"]);
    world.default = Some("gpt-5.2");
    let (name, reason) = world.first(&Wish::default());
    assert_eq!(name, "glm-4.7@glm");
    assert!(
        reason.contains("not DEFAULT_MODEL") && reason.contains("OPENAI_API_KEY"),
        "{reason}"
    );
    world.default = Some("auto");
    assert_eq!(world.first(&Wish::default()).0, "glm-4.7@glm");
}

#[test]
fn a_conversation_keeps_its_model() {
    let world = World::keys(&["GLM_API_KEY", "KIMI_API_KEY"]);
    let pin = |endpoint: &str, model: &str, name: Option<&str>| Wish {
        pin: Some(Pin {
            endpoint: endpoint.to_owned(),
            model: model.to_owned(),
        }),
        model: name.map(str::to_owned),
        ..Wish::default()
    };
    assert_eq!(world.names(&pin("kimi", "kimi-k3", None)), ["kimi-k3@kimi"]);
    assert_eq!(
        world.names(&pin("kimi", "kimi-k3", Some("auto"))),
        ["kimi-k3@kimi"]
    );
    assert_eq!(
        world.names(&pin("kimi", "kimi-k3", Some("glm-4.6"))),
        ["glm-4.6@glm"]
    );
    assert_eq!(world.names(&pin("kimi", "gone", None)), ["gone@kimi"]);
    let (refusal, told) = world.refusal(&pin("openai", "gpt-5.2", None));
    assert_eq!(refusal, Refusal::NotReady);
    assert!(
        told.contains("OPENAI_API_KEY") && told.contains("name it in `model`"),
        "{told}"
    );
}

#[test]
fn a_model_asked_for_falls_back_only_where_its_chain_says_so() {
    let world = World::with(
        &["GLM_API_KEY", "KIMI_API_KEY"],
        "",
        "[chains]\n'glm-4.6'=['gpt-5.2','kimi-k2.6']\n",
    );
    assert_eq!(
        world.names(&named("glm-4.6")),
        ["glm-4.6@glm", "kimi-k2.6@kimi"]
    );
    assert_eq!(world.names(&named("glm-4.5")), ["glm-4.5@glm"]);
}
