//! Fields into prompts, and what a definition may not do.

use super::*;
use crate::fakes::call;
use serde_json::json;

fn definition() -> Definition {
    Definition {
        name: "explain".to_owned(),
        title: "Explain".to_owned(),
        description: "Explains.".to_owned(),
        input: json!({
            "type": "object", "required": ["topic"],
            "properties": {
                "topic": { "type": "string" },
                "depth": { "type": "integer" },
                "tone": { "type": "string", "enum": ["dry", "warm"] },
            },
        }),
        prompt: "Explain {{topic}} now, {{ topic }}!".to_owned(),
        persona: None,
        model: None,
        category: "balanced".to_owned(),
        effort: None,
        files: Files::Optional,
        steps: vec!["Read.".to_owned()],
    }
}

#[test]
fn fields_go_where_the_prompt_names_them_and_are_not_looked_into() {
    let definition = definition();
    let call = call(r#"{"topic":"{{depth}}","depth":3,"unknown":1}"#);
    let given = fields::given(&definition, &call).unwrap();
    assert_eq!(
        fields::filled(&definition, &given),
        "Explain {{depth}} now, {{depth}}!\n\ndepth: 3"
    );
}

#[test]
fn what_is_sent_is_held_to_the_schema() {
    for (sent, told) in [
        ("{}", "'topic' is missing"),
        (r#"{"topic":1}"#, "'topic' must be of type string; got 1"),
        (
            r#"{"topic":"x","depth":1.5}"#,
            "'depth' must be of type integer",
        ),
        (r#"{"topic":"x","tone":"loud"}"#, "'tone' must be one of"),
    ] {
        let error = fields::given(&definition(), &call(sent)).unwrap_err();
        assert!(error.message.contains(told), "{sent}: {}", error.message);
    }
}

#[test]
fn the_schema_holds_its_own_fields_and_ours() {
    let schema = fields::schema(&definition()).unwrap();
    for name in [
        "topic",
        "files",
        "step_number",
        "findings",
        "continuation_id",
        "model",
    ] {
        assert!(schema["properties"].get(name).is_some(), "{name}");
    }
    let mut taken = definition();
    taken.input["properties"]["files"] = json!({ "type": "string" });
    assert!(fields::schema(&taken).unwrap_err().contains("'files'"));
    let mut plain = definition();
    (plain.files, plain.steps) = (Files::None, Vec::new());
    let schema = fields::schema(&plain).unwrap();
    assert!(schema["properties"].get("files").is_none());
    assert!(schema["properties"].get("findings").is_none());
}
