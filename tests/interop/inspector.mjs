// The official Inspector's command line against the shim: both eras, its lint of schemas, its
// exit codes, and its load test.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { check, finish, makeHome, shim } from "./home.mjs";

const home = await makeHome();
const inspector = path.resolve("node_modules", "@modelcontextprotocol", "inspector");
const { default: manifest } = await import(`file://${inspector}/package.json`, { with: { type: "json" } });
const entry = path.join(inspector, manifest.bin["mcp-inspector"] ?? Object.values(manifest.bin)[0]);

function inspect(...args) {
  const env = Object.entries(home.env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const all = [entry, "--cli", shim, ...env, "-q", "--format", "json", ...args];
  const run = spawnSync(process.execPath, all, { env: home.env, encoding: "utf8", timeout: 80_000 });
  return { code: run.status, out: run.stdout, err: run.stderr, said: `${run.stdout}\n${run.stderr}` };
}

function result(run) {
  assert.equal(run.code, 0, run.said);
  return JSON.parse(run.out).result;
}

const BUILTIN = 9;

await check("inspector: the list, before there is a daemon", () => {
  const { tools } = result(inspect("--method", "tools/list"));
  assert.ok(tools.length >= BUILTIN, `${tools.length} tools`);
});

for (const era of ["legacy", "auto", "modern"]) {
  await check(`inspector: ${era}: list and call`, () => {
    const { tools } = result(inspect("--protocol-era", era, "--method", "tools/list"));
    assert.ok(tools.some((tool) => tool.name === "version"));
    const called = result(inspect("--protocol-era", era, "--method", "tools/call", "--tool-name", "version"));
    assert.match(called.content[0].text, /exai-daemon/);
  });
}

for (const era of ["legacy", "modern"]) {
  await check(`inspector: ${era}: prompts, resources, templates`, () => {
    const ask = (...args) => result(inspect("--protocol-era", era, ...args));
    const { prompts } = ask("--method", "prompts/list");
    assert.ok(prompts.some((prompt) => prompt.name === "continue"));
    const got = ask("--method", "prompts/get", "--prompt-name", "chat", "--prompt-args", "prompt=Why?");
    assert.match(got.messages[0].content.text, /Why\?/);
    const { resources } = ask("--method", "resources/list");
    assert.ok(resources.some((resource) => resource.uri === "exai://models"));
    const { contents } = ask("--method", "resources/read", "--uri", "exai://models");
    assert.ok(Array.isArray(JSON.parse(contents[0].text).models));
    const { resourceTemplates } = ask("--method", "resources/templates/list");
    assert.ok(resourceTemplates.length >= 2);
  });
}

await check("inspector: schemas are portable (--strict)", () => {
  const run = inspect("--method", "tools/list", "--strict");
  assert.equal(run.code, 0, run.said);
  assert.equal(run.err.trim(), "");
});

await check("inspector: a call with arguments that takes its time", () => {
  const called = result(inspect("--method", "tools/call", "--tool-name", "test_sleep", "--tool-arg", "ms=700"));
  assert.equal(called.content[0].text, "slept 700 ms");
});

// It says that it follows tasks; only in the newest revision that is what our tasks are.
for (const era of ["legacy", "auto"]) {
  await check(`inspector: ${era}: a call that takes so long that it may become a task`, () => {
    const call = ["--method", "tools/call", "--tool-name", "test_sleep_once", "--tool-arg", "ms=7000"];
    const called = result(inspect("--protocol-era", era, ...call));
    assert.match(JSON.stringify(called), /slept 7000 ms/);
  });
}

await check("inspector: wrong arguments are the tool's error, in words", () => {
  // One that the list names, and one that is found and called by name only.
  for (const called of [["chat"], ["tool_invoke", "--tool-arg", "name=challenge"]]) {
    const run = inspect("--method", "tools/call", "--tool-name", ...called);
    assert.equal(run.code, 5, run.said);
    assert.match(run.said, /'prompt' is missing/);
  }
});

await check("inspector: an unknown tool is an error", () => {
  const run = inspect("--method", "tools/call", "--tool-name", "no_such_tool");
  assert.notEqual(run.code, 0, run.said);
});

await check("inspector: load, 500 calls, 8 at once, none lost", () => {
  const load = ["--load", "--load-requests", "500", "--load-concurrency", "8"];
  const report = result(inspect("--method", "tools/call", "--tool-name", "version", ...load));
  assert.equal(report.ok, 500, JSON.stringify(report));
  console.log(`       ${report.throughput.toFixed(0)} calls/s, p50 ${report.latencyMs.p50} ms`);
});

home.end();
finish("inspector");
