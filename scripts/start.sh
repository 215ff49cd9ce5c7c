#!/bin/sh
# Starts the daemon in the background; returns when it answers.
# EXAI_HOME defaults to this checkout; arguments are handed on.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
export EXAI_HOME="${EXAI_HOME:-$root}"
export PATH="$target/release:$target/debug:$PATH"
exec exai-daemon start "$@"
