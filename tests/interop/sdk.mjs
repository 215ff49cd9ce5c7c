// The official TypeScript client, first and second version, holding the shim as an editor
// does: progress, cancellation, a daemon that dies in the middle.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { check, finish, makeHome, shim } from "./home.mjs";

const home = await makeHome();
const about = { name: "interop", version: "0" };

async function withClient(client, Transport, body) {
  const transport = new Transport({ command: shim, args: [], env: home.env, stderr: "pipe" });
  await client.connect(transport);
  try {
    await body(client);
  } finally {
    await client.close();
  }
}

const v1 = (body) => withClient(new ClientV1(about), StdioV1, body);

await check("sdk v1: connects, lists and calls", () =>
  v1(async (client) => {
    const { tools } = await client.listTools();
    assert.ok(tools.some((tool) => tool.name === "version"));
    const called = await client.callTool({ name: "version" });
    assert.match(called.content[0].text, /exai-daemon/);
  }),
);

await check("sdk v1: prompts, resources and completion", () =>
  v1(async (client) => {
    const { prompts } = await client.listPrompts();
    assert.ok(prompts.some((prompt) => prompt.name === "continue"));
    const got = await client.getPrompt({ name: "chat", arguments: { prompt: "Why?" } });
    assert.match(got.messages[0].content.text, /Why\?/);
    const { resources } = await client.listResources();
    assert.ok(resources.some((resource) => resource.uri === "exai://models"));
    const { contents } = await client.readResource({ uri: "exai://models" });
    assert.ok(Array.isArray(JSON.parse(contents[0].text).models));
    const reference = { type: "ref/prompt", name: "chat" };
    const done = await client.complete({ ref: reference, argument: { name: "effort", value: "hi" } });
    assert.deepEqual(done.completion.values, ["high"]);
    await assert.rejects(client.readResource({ uri: "exai://answers/none" }), /no finished call/);
  }),
);

await check("sdk v1: progress rises and keeps a call alive past its client's limit", () =>
  v1(async (client) => {
    const seen = [];
    const called = await client.callTool({ name: "test_sleep", arguments: { ms: 6000 } }, undefined, {
      timeout: 4000,
      resetTimeoutOnProgress: true,
      onprogress: ({ progress }) => seen.push(progress),
    });
    assert.equal(called.content[0].text, "slept 6000 ms");
    assert.ok(seen.length >= 2, `progress: ${seen}`);
    assert.ok(seen.every((value, at) => at === 0 || value > seen[at - 1]), `progress: ${seen}`);
  }),
);

await check("sdk v1: a cancelled call ends, the connection lives", () =>
  v1(async (client) => {
    const stop = new AbortController();
    const call = client.callTool({ name: "test_sleep", arguments: { ms: 60_000 } }, undefined, {
      signal: stop.signal,
    });
    setTimeout(() => stop.abort("enough"), 300);
    await assert.rejects(call);
    assert.match((await client.callTool({ name: "version" })).content[0].text, /exai-daemon/);
  }),
);

await check("sdk v1: the daemon dies in the middle of a repeatable call, and nobody notices", () =>
  v1(async (client) => {
    await client.callTool({ name: "version" });
    const call = client.callTool({ name: "test_sleep", arguments: { ms: 1500 } });
    setTimeout(() => process.kill(home.pid(), "SIGKILL"), 500);
    assert.equal((await call).content[0].text, "slept 1500 ms");
  }),
);

await check("sdk v1: the daemon dies in the middle of any other call, and it is told", () =>
  v1(async (client) => {
    await client.callTool({ name: "version" });
    const call = client.callTool({ name: "test_sleep_once", arguments: { ms: 1500 } });
    setTimeout(() => process.kill(home.pid(), "SIGKILL"), 500);
    const called = await call;
    assert.equal(called.isError, true, JSON.stringify(called));
    assert.match((await client.callTool({ name: "version" })).content[0].text, /exai-daemon/);
  }),
);

// A client that waits two seconds, as the home's table says, and a tool that takes six.
const config = path.join(home.env.EXAI_HOME, "config");
fs.mkdirSync(config, { recursive: true });
fs.writeFileSync(
  path.join(config, "clients.toml"),
  '[clients.hasty]\nname = ["hasty"]\ncall_secs = 2\n',
);
const shortOfTime = { timeout: 2000 };

async function patiently(client, name, args) {
  let asked = { name, arguments: args };
  for (let times = 1; ; times += 1) {
    const result = await client.callTool(asked, undefined, shortOfTime);
    const handle = result._meta?.["exai/continue"]?.handle;
    if (!handle) return { result, times };
    assert.ok(!result.isError, JSON.stringify(result));
    asked = { name: "exai_continue", arguments: { handle } };
  }
}

await check("sdk v1: a tool that takes longer than its client waits ends with its result", () =>
  withClient(new ClientV1({ name: "hasty", version: "0" }), StdioV1, async (client) => {
    const { tools } = await client.listTools();
    assert.ok(tools.some((tool) => tool.name === "exai_continue"));
    const { result, times } = await patiently(client, "test_sleep_once", { ms: 6000 });
    assert.equal(result.content[0].text, "slept 6000 ms");
    assert.ok(times >= 3, `asked ${times} times`);
  }),
);

for (const mode of ["legacy", "auto", { pin: "2026-07-28" }]) {
  await check(`sdk v2: ${JSON.stringify(mode)}: lists and calls`, () =>
    withClient(new ClientV2(about, { versionNegotiation: { mode } }), StdioV2, async (client) => {
      const { tools } = await client.listTools();
      assert.ok(tools.some((tool) => tool.name === "version"));
      const called = await client.callTool({ name: "test_sleep", arguments: { ms: 300 } });
      assert.equal(called.content[0].text, "slept 300 ms");
    }),
  );
}

home.end();
finish("sdk");
