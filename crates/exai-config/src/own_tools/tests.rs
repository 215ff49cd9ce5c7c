//! What a definition may say, and how each mistake is told.

use super::*;

struct House {
    dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["tools", "roles"] {
            fs::create_dir_all(dir.path().join("config").join(folder)).unwrap();
        }
        Self { dir }
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.dir.path().join("config").join(name);
        crate::atomic::write(&path, text.as_bytes(), 0o600).unwrap();
        self
    }

    fn read(&self) -> Found {
        read(&Home::at(self.dir.path()))
    }
}

#[test]
fn a_whole_definition_is_understood() {
    let found = House::new()
        .with("roles/senior.md", "You are a senior engineer.")
        .with("tools/ask.md", "Explain {{topic}} to {{whom}}.")
        .with(
            "tools/explain.toml",
            "description = \"Explains.\"\nprompt_file = \"ask.md\"\npersona = \"senior\"\n\
             model = \"glm\"\ncategory = \"fast\"\neffort = \"low\"\nfiles = \"required\"\n\
             steps = [\"Read.\"]\n[input]\nrequired = [\"topic\"]\n[input.properties.topic]\n\
             type = \"string\"\n[input.properties.whom]\ntype = \"string\"\n",
        )
        .with(
            "tools/plain.toml",
            "description = \"x\"\nprompt = \"{{prompt}}\"\n",
        )
        .read();
    assert_eq!(found.faults, []);
    let [explain, plain] = found.tools.as_slice() else {
        panic!("two tools: {:?}", found.tools);
    };
    assert_eq!(
        explain.name, "explain",
        "the file's name, where none is written"
    );
    assert_eq!(
        explain.persona.as_deref(),
        Some("You are a senior engineer.")
    );
    assert_eq!(explain.prompt, "Explain {{topic}} to {{whom}}.");
    assert_eq!(explain.input["type"], "object");
    assert_eq!((explain.files, explain.steps.len()), (Files::Required, 1));
    assert_eq!(plain.input["required"][0], "prompt");
    assert_eq!(
        (plain.files, plain.category.as_str()),
        (Files::Optional, "balanced")
    );
}

#[test]
fn each_mistake_is_told_with_file_line_and_field() {
    let good = "description = \"x\"\nprompt = \"p\"\n";
    for (text, told) in [
        (
            "description = 1\nprompt = \"p\"",
            ":1: invalid type: integer",
        ),
        ("prompt = \"p\"", "missing field `description`"),
        (&format!("{good}colour = 1\n"), ":3: unknown field `colour`"),
        (
            &format!("{good}name = \"Bad Name\"\n"),
            ":3: 'name': it must begin",
        ),
        ("description = \"x\"\n", "'prompt': there must be either"),
        (
            &format!("{good}prompt_file = \"a.md\"\n"),
            ":2: 'prompt': there must be either",
        ),
        (
            "description = \"x\"\nprompt_file = \"../a.md\"",
            ":2: 'prompt_file': '../a.md' leads out",
        ),
        (
            "description = \"x\"\nprompt_file = \"a.md\"",
            "a.md: there is no such file",
        ),
        (&format!("{good}persona = \"nobody\"\n"), ":3: 'persona':"),
        (
            "description = \"x\"\nprompt = \"{{who}}\"",
            ":2: 'prompt': it names {{who}}",
        ),
        (
            &format!("{good}category = \"big\"\n"),
            ":3: 'category': it must be",
        ),
        (
            &format!("{good}effort = \"much\"\n"),
            ":3: 'effort': it must be",
        ),
        (
            &format!("{good}files = \"all\"\n"),
            ":3: unknown variant `all`",
        ),
        (
            &format!("{good}[input]\nrequired = [\"a\"]\n"),
            ":3: 'input': there must be [input.pro",
        ),
        ("description = \"x", ":1: "),
    ] {
        let found = House::new().with("tools/t.toml", text).read();
        assert!(found.tools.is_empty(), "{text}");
        let [fault] = found.faults.as_slice() else {
            panic!("one fault: {text}: {:?}", found.faults);
        };
        let words = fault.to_string();
        assert!(
            words.starts_with("config/tools/t.toml") && words.contains(told),
            "{told}: {words}"
        );
    }
}

#[test]
fn two_tools_of_one_name_are_a_fault_and_no_folder_is_none() {
    let text = "name = \"same\"\ndescription = \"x\"\nprompt = \"p\"\n";
    let found = House::new()
        .with("tools/a.toml", text)
        .with("tools/b.toml", text)
        .read();
    assert_eq!(found.tools.len(), 1);
    assert!(
        found.faults[0]
            .to_string()
            .contains("config/tools/b.toml: 'name': another file")
    );
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read(&Home::at(dir.path())), Found::default());
}
