//! The shipped list good; merging entry by entry; names that mean what they say.

use super::*;
use crate::{
    chat::{TemperatureRule, ThinkingStyle},
    price::Price,
    provider::Providers,
};
use exai_engine::ports::models::Category;
use proptest::prelude::*;

fn providers() -> Providers {
    Providers::shipped().unwrap()
}

fn shipped() -> Catalogue {
    Catalogue::shipped(&providers()).unwrap()
}

fn with(text: &str) -> Catalogue {
    Catalogue::with("mine.toml", text, &providers()).unwrap()
}

fn faults(text: &str) -> String {
    Catalogue::with("mine.toml", text, &providers())
        .unwrap_err()
        .to_string()
}

fn names(matches: &Matches<'_>) -> Vec<String> {
    matches.rows.iter().map(|row| row.full_name()).collect()
}

#[test]
fn the_shipped_models_are_good_and_known_by_the_predecessors_names() {
    let catalogue = shipped();
    assert_eq!(catalogue.notes(), &[] as &[String]);
    for name in [
        "glm-4.6",
        "glm-4.5",
        "glm-4.5-flash",
        "glm-4.5-air",
        "glm-4.5-x",
        "glm-4.5v",
        "kimi-k2",
        "kimi-k2-0905",
        "kimi-k2-0905-preview",
        "kimi-k2-0711-preview",
        "kimi-k2-turbo-preview",
        "kimi-k2-thinking",
        "kimi-k2-thinking-turbo",
        "kimi-thinking-preview",
        "kimi-latest",
        "moonshot-v1-8k",
        "moonshot-v1-32k",
        "moonshot-v1-128k",
        "MiniMax-M2",
        "llama3.2",
    ] {
        assert!(!catalogue.matches(name).rows.is_empty(), "{name}");
    }
    assert_eq!(
        catalogue.matches("Kimi-K2").rows[0].id,
        "kimi-k2-0905-preview"
    );
}

#[test]
fn a_shipped_name_means_one_home() {
    let catalogue = shipped();
    for model in catalogue.models() {
        let names = model.aliases.iter().chain([&model.id]);
        // Every command line has one of that name, and its endpoint's name beside it.
        for name in names.filter(|name| *name != "default") {
            let homes = catalogue.matches(name).rows;
            let homes: Vec<_> = homes.iter().filter(|row| !row.alternate).collect();
            assert_eq!(homes.len(), 1, "{name}");
        }
    }
}

#[test]
fn a_command_line_is_called_by_its_endpoints_name() {
    let catalogue = shipped();
    let matches = catalogue.matches("claude-cli");
    assert_eq!(names(&matches), ["default@claude-cli"]);
    assert_eq!(matches.rows[0].traits.tools, Some(false));
    let own = with("[[models]]\nid='default'\nendpoint='claude-cli'\ncontext=9\n");
    assert_eq!(names(&own.matches("default@claude-cli")).len(), 1);
    let row = own.at("claude-cli", "default").unwrap();
    assert_eq!(row.traits.context, Some(9));
}

#[test]
fn every_shipped_price_has_a_date_and_both_halves() {
    for model in shipped().models() {
        if let Some(price) = &model.price {
            let whole = price.input.is_some() && price.output.is_some();
            assert!(whole && price.date.is_some(), "{}", model.full_name());
        }
    }
}

/// https://platform.kimi.ai/docs/guide/use-reasoning-effort and Z.ai's chat completion: these
/// answer 400 to the switch of the models before them.
#[test]
fn models_that_always_think_are_never_told_not_to() {
    let catalogue = shipped();
    for name in ["kimi-k3", "glm-5.3"] {
        let traits = &catalogue.matches(name).rows[0].traits;
        let style = traits.thinking_style;
        assert_eq!(style, Some(ThinkingStyle::ReasoningEffort), "{name}");
        let words = traits.efforts.as_deref().unwrap_or_default();
        assert_eq!(words, ["low", "high", "max"], "{name}");
    }
}

#[test]
fn an_entry_changes_the_fields_it_names() {
    let catalogue = with(
        "[[models]]\nid='glm-4.6'\nendpoint='glm'\ncontext=1000\nprice={in=9.0,out=9.0}\n\
         [[models]]\nid='mine'\nendpoint='custom'\naliases=['own']\ntemperature='fixed'\n\
         thinking='think'\nefforts=['low']\n\
         [[models]]\nid='glm-4.5v'\nendpoint='glm'\nhidden=true\n\
         [[models]]\nid='glm-4.6'\nendpoint='glm-cn'\noutput=7\n",
    );
    let model = catalogue.at("glm", "glm-4.6").unwrap();
    assert_eq!(model.traits.context, Some(1000));
    assert_eq!(model.traits.output, Some(131_072));
    assert_eq!(model.traits.thinking, Some(true));
    let price = model.price.as_ref().unwrap();
    assert_eq!((price.input, price.cached), (Some(9.0), None));
    let mine = catalogue.at("custom", "mine").unwrap();
    assert_eq!(mine.traits.temperature, TemperatureRule::Fixed);
    assert_eq!(mine.traits.thinking_style, Some(ThinkingStyle::Think));
    assert_eq!(mine.traits.vision, None, "no abilities are unknown ones");
    assert!(catalogue.at("glm", "glm-4.5v").is_none());
    assert!(
        catalogue.at("glm-cn", "glm-4.5v").is_some(),
        "only the named one"
    );
    let there = catalogue.at("glm-cn", "glm-4.6").unwrap();
    assert!(there.alternate);
    assert_eq!((there.traits.output, &there.price), (Some(7), &None));
    assert_eq!(there.traits.context, Some(1000));
}

#[test]
fn a_chain_of_ones_own_replaces_the_shipped_one() {
    let catalogue = with("[chains]\nfast=['glm-4.6', ['a','b']]\n'kimi-k3'=['glm-4.6']\n");
    let chain = catalogue.chains().of_category(Category::Fast);
    assert_eq!(chain, [vec!["glm-4.6"], vec!["a", "b"]]);
    assert!(!catalogue.chains().of_category(Category::Deep).is_empty());
    let chain = catalogue.chains().of_model(&|name| name == "kimi-k3");
    assert_eq!(chain, [vec!["glm-4.6"]]);
    let told = catalogue.notes().join("\n");
    assert!(told.contains("chains.fast names 'a'"), "{told}");
}

#[test]
fn every_fault_is_told_with_its_place() {
    let told = faults(
        "colour=1\n\
         [chains]\ndeep='x'\n\
         [[models]]\nid='a'\nendpoint='nowhere'\ncontex=1\n\
         [[models]]\nid='b'\nendpoint='nowhere'\nabilities=['sing']\ncontext=0\n\
         price={in=-1.0,out=1.0,date='today'}\n\
         [[models]]\nid='auto'\nendpoint='glm'\naliases=[' x']\n\
         [[models]]\nid='glm-4.6'\nendpoint='glm'\n\
         [[models]]\nid='glm-4.6'\nendpoint='glm'\n\
         [[models]]\nendpoint='glm'\n",
    );
    for part in [
        "mine.toml: 'colour' means nothing",
        "mine.toml: chains.deep must be a list",
        "mine.toml: model 'a' at 'nowhere': unknown field `contex`",
        "model 'b' at 'nowhere': the endpoint 'nowhere' is not in providers.toml",
        "'sing' is no ability",
        "context is 0",
        "price.in = -1",
        "price.date = 'today'",
        "'auto' means",
        "' x' is no name",
        "model 'glm-4.6' at 'glm': stands twice",
        "[[models]] number 6: missing field `id`",
    ] {
        assert!(told.contains(part), "{part} is missing in:\n{told}");
    }
    let told = faults("[[models]]\nid = glm\n");
    assert!(told.contains("mine.toml, line 2"), "{told}");
}

#[test]
fn the_endpoints_of_an_old_file_are_told_about_and_the_rest_is_used() {
    let catalogue = with(
        "[endpoints.glm]\nname='GLM'\ndialect='openai-chat'\nkey_env=['K']\nmax_inflight=4\n\
         [[models]]\nid='glm-9'\nendpoint='glm'\nprice={in=1.0,out=2.0}\n",
    );
    assert!(catalogue.at("glm", "glm-9").is_some());
    let told = catalogue.notes().join("\n");
    assert!(told.contains("[endpoints] is not read any more"), "{told}");
    assert!(told.contains("providers.toml"), "{told}");
}

#[test]
fn a_name_is_read_in_one_order() {
    let catalogue = with(
        "[[models]]\nid='Twin'\nendpoint='custom'\n\
         [[models]]\nid='other'\nendpoint='vllm'\naliases=['twin','x@glm']\n\
         [[models]]\nid='a@b'\nendpoint='custom'\n\
         [[models]]\nid='a@glm'\nendpoint='custom'\n",
    );
    for (name, level, expected) in [
        ("Twin", Level::Id, vec!["Twin@custom"]),
        ("twin", Level::Alias, vec!["Twin@custom", "other@vllm"]),
        ("twin@vllm", Level::Full, vec!["other@vllm"]),
        ("x@glm", Level::Alias, vec!["other@vllm"]),
        ("a@b", Level::Id, vec!["a@b@custom"]),
        ("a@b@custom", Level::Full, vec!["a@b@custom"]),
        ("a@glm", Level::Id, vec!["a@glm@custom"]),
        ("GLM-4.6@glm", Level::Full, vec!["glm-4.6@glm"]),
        ("glm-4.6", Level::Id, vec!["glm-4.6@glm", "glm-4.6@glm-cn"]),
    ] {
        let matches = catalogue.matches(name);
        assert_eq!(names(&matches), expected, "{name}");
        assert_eq!(matches.level, level, "{name}");
    }
    assert_eq!(
        catalogue.split("qwen3:32b@ollama"),
        Some(("qwen3:32b", "ollama"))
    );
    assert_eq!(catalogue.split("@ollama"), None);
    assert_eq!(catalogue.split("x@nowhere"), None);
    assert_eq!(
        catalogue.our_way("ollama/qwen3:32b").as_deref(),
        Some("qwen3:32b@ollama")
    );
}

#[test]
fn a_mistyped_name_has_neighbours() {
    let catalogue = shipped();
    assert_eq!(catalogue.near("glm-4.6x", 1), ["glm-4.6"]);
    assert!(
        catalogue
            .near("gml-4.5-flash", 3)
            .contains(&"glm-4.5-flash".to_owned())
    );
    assert!(
        catalogue
            .near("sonnet-5", 3)
            .contains(&"claude-sonnet-5-5".to_owned())
    );
    assert!(catalogue.near("zzzzzzzz", 3).is_empty());
}

fn list() -> Fetched {
    let found = |id: &str| Discovered {
        id: id.to_owned(),
        context: Some(77),
        price: Some(Price {
            input: Some(5.0),
            ..Price::default()
        }),
        tools: Some(true),
        ..Discovered::default()
    };
    Fetched {
        endpoint: "glm".to_owned(),
        fetched_ms: 5,
        models: vec![found("glm-4.6"), found("glm-new")],
    }
}

#[test]
fn a_providers_list_fills_gaps_and_comes_last() {
    let kept = Fetched::from_json(&list().to_json()).unwrap();
    assert_eq!(kept, list());
    assert!(Fetched::from_json("{").is_err());
    assert_eq!(kept.told(&shipped()), "glm: 2 models, 1 new: glm-new");
    let catalogue = shipped().and(&kept);
    assert_eq!(catalogue.list_of("glm"), Some(5));
    let known = catalogue.at("glm", "glm-4.6").unwrap();
    assert_eq!(known.traits.context, Some(200_000));
    assert_eq!(known.price.as_ref().unwrap().input, Some(0.6));
    let last = catalogue.models().last().unwrap();
    assert_eq!(last.full_name(), "glm-new@glm");
    assert!(!last.described);
    assert_eq!(last.abilities, ["tools"]);
    let gone = Fetched {
        models: Vec::new(),
        ..list()
    };
    let catalogue = catalogue.and(&gone);
    assert!(catalogue.at("glm", "glm-new").is_none());
    assert!(catalogue.at("glm", "glm-4.6").is_some());
    let elsewhere = Fetched {
        endpoint: "gone".to_owned(),
        ..list()
    };
    assert!(catalogue.and(&elsewhere).at("gone", "glm-new").is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever an id looks like, `id@endpoint` means it, and nothing is cut off or changed.
    #[test]
    fn every_model_is_reached_by_its_full_name(
        ids in proptest::collection::btree_set("[a-zA-Z0-9:/@._~ -]{1,12}", 1..6),
    ) {
        let models = ids.iter().map(|id| Discovered { id: id.clone(), ..Discovered::default() });
        let fetched = Fetched { endpoint: "ollama".into(), fetched_ms: 1, models: models.collect() };
        let catalogue = shipped().and(&fetched);
        for id in &ids {
            let full = format!("{id}@ollama");
            prop_assert_eq!(names(&catalogue.matches(&full)), vec![full.clone()]);
            let bare = catalogue.matches(id);
            prop_assert!(!bare.rows.is_empty());
            prop_assert!(bare.level == Level::Full || bare.rows.iter().all(|row| row.id == *id));
            prop_assert_eq!(catalogue.split(&full), Some((id.as_str(), "ollama")));
        }
    }

    /// Names nobody is called by never panic, whatever they are.
    #[test]
    fn any_name_can_be_asked_about(name in ".{0,60}") {
        let catalogue = shipped();
        let _ = catalogue.matches(&name);
        let _ = catalogue.near(&name, 5);
        let _ = catalogue.our_way(&name);
    }
}
