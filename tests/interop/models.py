"""A real proxy that speaks chat completions, asked through the real daemon: streaming, usage,
cancel, refusals. LiteLLM answers from its mock mode, so nobody is asked and nothing is paid.

Run by scripts/test with the Python of a virtual environment that holds tests/interop/models.txt.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from pathlib import Path

import websockets

EXE = ".exe" if os.name == "nt" else ""
BIN = Path(os.environ["EXAI_BIN_DIR"])
DAEMON = str(BIN / f"exai-daemon{EXE}")
KEY = "sk-interop-4711"
WORDS = "Grüß Gott, this is an answer of many pieces: 世界, 🦀 and so on, until it is whole."
CONFIG = {
    "model_list": [
        {
            "model_name": "parrot",
            "litellm_params": {"model": "openai/parrot", "api_key": "none", "mock_response": WORDS},
        },
        {
            "model_name": "sloth",
            "litellm_params": {
                "model": "openai/sloth",
                "api_key": "none",
                "mock_response": "too late",
                "mock_delay": 60,
            },
        },
        {
            "model_name": "angry",
            "litellm_params": {
                "model": "openai/angry",
                "api_key": "none",
                "mock_response": "litellm.RateLimitError",
            },
        },
    ],
    "general_settings": {"master_key": KEY},
    "litellm_settings": {"telemetry": False, "num_retries": 0},
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stage:
    """A proxy, a home of its own, and a daemon in it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="exai-interop-"))
        self.proxy_port, self.port = free_port(), free_port()
        config = self.folder / "litellm.json"
        config.write_text(json.dumps(CONFIG, ensure_ascii=False), "utf8")
        kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LOCALAPPDATA", "APPDATA")
        base = {name: os.environ[name] for name in kept if name in os.environ}
        base |= {"HOME": str(self.folder), "USERPROFILE": str(self.folder)}
        self.log = open(self.folder / "proxy.log", "wb")
        line = [sys.executable, "-c", "from litellm import run_server; run_server()"]
        line += ["--config", str(config), "--host", "127.0.0.1", "--port", str(self.proxy_port)]
        # Prices come from the package: nothing is fetched from anywhere.
        local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True"}
        self.proxy = subprocess.Popen(
            line, env=base | local, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL
        )
        self.env = base | {
            "EXAI_HOME": str(self.folder / "home"),
            "EXAI_WS_PORT": str(self.port),
            "CUSTOM_API_URL": f"http://127.0.0.1:{self.proxy_port}/v1",
            "CUSTOM_API_KEY": KEY,
        }

    def ready(self, patience=120):
        """Whether the proxy answers; it imports for a long time."""
        url = f"http://127.0.0.1:{self.proxy_port}/health/liveliness"
        end = time.monotonic() + patience
        while time.monotonic() < end and self.proxy.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except OSError:
                time.sleep(0.2)
        self.log.flush()
        said = (self.folder / "proxy.log").read_text("utf8", "replace")
        raise RuntimeError(f"the proxy does not answer:\n{said[-4000:]}")

    def cli(self, *line):
        return subprocess.run(
            [DAEMON, *line], env=self.env, capture_output=True, encoding="utf8", timeout=60
        )

    def start(self):
        started = self.cli("start")
        assert started.returncode == 0, started.stderr

    def token(self):
        return (self.folder / "home" / ".exai" / "run" / "token").read_text("utf8").strip()

    def end(self):
        self.cli("stop", "--force")
        self.proxy.kill()
        self.proxy.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Peer:
    """A client on the wire."""

    def __init__(self, socket):
        self.socket = socket

    @classmethod
    async def connect(cls, stage):
        socket = await websockets.connect(f"ws://127.0.0.1:{stage.port}/", origin=None)
        hello = {
            "op": "hello",
            "session_id": "",
            "token": stage.token(),
            "protocol": "1.1",
            "features": ["progress", "partial", "rich_results"],
            "client": {"id": "interop", "name": "interop", "version": "0", "pid": os.getpid()},
        }
        await socket.send(json.dumps(hello))
        ack = json.loads(await socket.recv())
        assert ack["ok"] is True, ack
        return cls(socket)

    async def ask(self, id, model, **more):
        arguments = {"prompt": "Say something.", "model": f"{model}@custom"} | more
        call = {"op": "call_tool", "request_id": id, "name": "chat", "arguments": arguments}
        await self.socket.send(json.dumps(call))

    async def until_ended(self, id):
        """Its pieces, and its end."""
        pieces = []
        while True:
            frame = json.loads(await asyncio.wait_for(self.socket.recv(), 30))
            if frame.get("request_id") != id:
                continue
            if frame["op"] == "partial":
                pieces.append(frame["text"])
            if frame["op"] == "call_tool_res":
                return pieces, frame


def answer(result):
    """What the model said, without what is told beside it."""
    block = result["outputs"][0]
    end = block["_meta"]["exai/answer"]["answer_bytes"]
    return block["text"].encode()[:end].decode()


async def streams_and_counts(stage):
    peer = await Peer.connect(stage)
    await peer.ask("a", "parrot")
    pieces, result = await peer.until_ended("a")
    assert answer(result) == WORDS, result
    assert "".join(pieces) == WORDS, pieces
    usage = result["usage"]
    assert usage["model"] == "parrot" and usage["endpoint"] == "custom", usage
    tokens = usage["tokens"]
    assert tokens["input"] > 0 and tokens["output"] > 0, usage
    summed = json.loads(stage.cli("usage", "--by", "model", "--json").stdout)
    assert summed["total"]["tokens"]["output"] >= tokens["output"], summed


async def cancels(stage):
    peer = await Peer.connect(stage)
    await peer.ask("c", "sloth")
    await asyncio.sleep(0.5)
    began = time.monotonic()
    await peer.socket.send(json.dumps({"op": "cancel", "request_id": "c"}))
    _, result = await peer.until_ended("c")
    assert result["error"]["code"] == "CANCELLED", result
    assert time.monotonic() - began < 3
    await peer.ask("d", "parrot")
    _, result = await peer.until_ended("d")
    assert answer(result) == WORDS, "the endpoint is still used"


async def refusals(stage):
    peer = await Peer.connect(stage)
    await peer.ask("n", "no-such-model")
    _, result = await peer.until_ended("n")
    assert result["error"]["code"] in ("INVALID_ARGUMENT", "EXEC_ERROR"), result
    assert "no-such-model" in result["error"]["message"], result
    await peer.ask("r", "angry")
    _, result = await peer.until_ended("r")
    assert result["error"]["code"] == "OVER_CAPACITY", result


async def lists_and_chats(stage):
    refreshed = stage.cli("models", "refresh", "custom")
    assert refreshed.returncode == 0, refreshed.stderr
    listed = stage.cli("models")
    assert "parrot" in listed.stdout, listed.stdout + listed.stderr
    said = stage.cli("chat", "-m", "parrot@custom", "--quiet", "hello")
    assert said.stdout.strip() == WORDS, said.stdout + said.stderr


async def wrong_key(stage):
    """Refused, however this proxy says it (without a database it says 400), and not repeated
    in any word of ours. Last: it may close the endpoint for a while."""
    stage.cli("stop", "--force")
    stage.env["CUSTOM_API_KEY"] = "wrong-canary-4711"
    stage.start()
    peer = await Peer.connect(stage)
    await peer.ask("w", "parrot")
    _, result = await peer.until_ended("w")
    assert result["error"]["code"] in ("UNAVAILABLE", "EXEC_ERROR"), result
    assert result["error"]["metadata"]["attempts"][0]["status"] in (400, 401, 403), result
    home = stage.folder / "home"
    logs = "".join(file.read_text("utf8", "replace") for file in home.glob("logs/*"))
    assert "wrong-canary" not in json.dumps(result) + logs, result


CHECKS = [streams_and_counts, cancels, refusals, lists_and_chats, wrong_key]


def main():
    passed, failed = 0, 0
    stage = Stage()
    try:
        stage.ready()
        stage.start()
        for check in CHECKS:
            began = time.monotonic()
            try:
                asyncio.run(asyncio.wait_for(check(stage), 90))
                passed += 1
                print(f"ok     {check.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
            except Exception:
                failed += 1
                print(f"FAILED {check.__name__}:\n{traceback.format_exc()}", flush=True)
    finally:
        stage.end()
    print(f"models: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
