// A temporary home with a port of its own, the built binaries in it, and a tally of checks.
// Run by scripts/test from a copy below target/, where the npm packages are.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const exe = process.platform === "win32" ? ".exe" : "";
const bin = process.env.EXAI_BIN_DIR ?? path.resolve("..", "debug");

export const shim = path.join(bin, `exai-shim${exe}`);
const daemon = path.join(bin, `exai-daemon${exe}`);

async function freePort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    const free = await new Promise((resolve) => {
      const server = net.createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

export async function makeHome() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "exai-interop-"));
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    USERPROFILE: folder,
    EXAI_HOME: path.join(folder, "home"),
    EXAI_WS_PORT: String(await freePort()),
    EXAI_TEST_TOOLS: "1",
  };
  for (const name of ["SYSTEMROOT", "TEMP", "TMP", "LOCALAPPDATA", "APPDATA"]) {
    if (process.env[name]) env[name] = process.env[name];
  }
  const cli = (...args) => spawnSync(daemon, args, { env, encoding: "utf8", timeout: 60_000 });
  const pid = () => {
    const record = path.join(env.EXAI_HOME, ".exai", "run", "endpoint.json");
    return JSON.parse(fs.readFileSync(record, "utf8")).pid;
  };
  const end = () => {
    cli("stop", "--force");
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  return { env, folder, cli, pid, end };
}

let passed = 0;
const failed = [];

export async function check(name, body) {
  const start = Date.now();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("took longer than 90 s")), 90_000);
  });
  try {
    await Promise.race([body(), late]);
    passed += 1;
    console.log(`ok     ${name} (${Date.now() - start} ms)`);
  } catch (error) {
    failed.push(name);
    console.log(`FAILED ${name}: ${error?.stack ?? error}`);
  } finally {
    clearTimeout(timer);
  }
}

export function finish(what) {
  console.log(`${what}: ${passed} passed, ${failed.length} failed`);
  process.exit(failed.length === 0 ? 0 : 1);
}
