//! The wire as JSON Schema, generated from the types that are spoken, so that a change of
//! the contract shows as a change of one file. Read by xtask only.

mod requests;

use crate::{call, control, endpoint::Endpoint, health::Health, hello, proof, version};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Every frame in both directions, the health file and the endpoint record.
#[must_use]
pub fn wire() -> Value {
    let mut frames = Frames::new();
    frames.client();
    frames.daemon();
    let files = [frames.file::<Health>(), frames.file::<Endpoint>()];
    let Frames {
        mut generator,
        client,
        daemon,
        tags,
    } = frames;
    let mut defs = generator.take_definitions(true);
    for (name, op) in tags {
        if let Some(def) = defs.get_mut(&name) {
            tag(def, op);
        }
    }
    defs.insert("client_frame".to_owned(), json!({ "oneOf": client }));
    defs.insert("daemon_frame".to_owned(), json!({ "oneOf": daemon }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("exai wire, protocol {}", version::PROTOCOL),
        "description": "Text frames, one JSON object each. Receivers ignore fields they do not know.",
        "anyOf": [{ "$ref": "#/$defs/client_frame" }, { "$ref": "#/$defs/daemon_frame" }, files[0], files[1]],
        "$defs": defs,
    })
}

struct Frames {
    generator: SchemaGenerator,
    client: Vec<Value>,
    daemon: Vec<Value>,
    /// Definitions and the `op` that marks them: serde writes it, schemars does not know.
    tags: Vec<(String, &'static str)>,
}

impl Frames {
    fn new() -> Self {
        Self {
            generator: SchemaSettings::draft2020_12().into_generator(),
            client: Vec::new(),
            daemon: Vec::new(),
            tags: Vec::new(),
        }
    }

    fn file<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    fn frame<T: JsonSchema>(&mut self, op: &'static str) -> Value {
        self.tags.push((T::schema_name().into_owned(), op));
        self.file::<T>()
    }

    fn up<T: JsonSchema>(&mut self, op: &'static str) {
        let frame = self.frame::<T>(op);
        self.client.push(frame);
    }

    fn down<T: JsonSchema>(&mut self, op: &'static str) {
        let frame = self.frame::<T>(op);
        self.daemon.push(frame);
    }

    fn client(&mut self) {
        self.up::<requests::Hello>("hello");
        self.up::<proof::Prove>("prove");
        self.up::<requests::ListTools>("list_tools");
        self.up::<requests::CallTool>("call_tool");
        self.up::<requests::Operate>("operate");
        self.up::<requests::RotateToken>("rotate_token");
        self.up::<requests::Health>("health");
        self.up::<requests::Cancel>("cancel");
        self.up::<requests::Attach>("attach");
        self.up::<requests::Collect>("collect");
        self.up::<requests::Subscribe>("subscribe");
        self.up::<requests::Unsubscribe>("unsubscribe");
        self.up::<requests::Ping>("ping");
        self.up::<requests::Sessions>("sessions");
        self.up::<requests::Notify>("notify");
        self.up::<requests::Mcp>("mcp");
        self.up::<requests::Shutdown>("shutdown");
    }

    fn daemon(&mut self) {
        self.down::<proof::Proof>("proof");
        self.down::<hello::HelloAck>("hello_ack");
        self.down::<call::CallToolAck>("call_tool_ack");
        self.down::<call::Progress>("progress");
        self.down::<call::Partial>("partial");
        self.down::<call::CallToolRes>("call_tool_res");
        self.down::<control::ErrorFrame>("error");
        self.down::<control::ListToolsRes>("list_tools_res");
        self.down::<control::HealthRes>("health_res");
        self.down::<control::RotateTokenRes>("rotate_token_res");
        self.down::<control::CancelRes>("cancel_res");
        self.down::<control::AttachRes>("attach_res");
        self.down::<control::CollectRes>("collect_res");
        self.down::<control::SubscribeRes>("subscribe_res");
        self.down::<control::UnsubscribeRes>("unsubscribe_res");
        self.down::<control::Pong>("pong");
        self.down::<control::SessionsRes>("sessions_res");
        self.down::<control::NotifyRes>("notify_res");
        self.down::<control::McpRes>("mcp_res");
        self.down::<control::ShutdownRes>("shutdown_res");
        self.down::<control::Notify>("notify");
        self.down::<control::ToolsChanged>("tools_changed");
        self.down::<control::ResourcesChanged>("resources_changed");
        self.down::<control::EventFrame>("event");
        self.down::<control::Lagged>("lagged");
    }
}

/// Puts `op` first, as it stands in the frames.
fn tag(def: &mut Value, op: &str) {
    let Some(def) = def.as_object_mut() else {
        return;
    };
    let mut properties = Map::new();
    properties.insert("op".to_owned(), json!({ "const": op }));
    if let Some(Value::Object(rest)) = def.remove("properties") {
        properties.extend(rest);
    }
    let mut required = vec![json!("op")];
    if let Some(Value::Array(rest)) = def.remove("required") {
        required.extend(rest);
    }
    def.insert("properties".to_owned(), Value::Object(properties));
    def.insert("required".to_owned(), Value::Array(required));
}
