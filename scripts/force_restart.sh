#!/bin/sh
# Stops the daemon, with force if nothing gentler helps, cleans up and starts it anew. Touches nothing else.
# EXAI_HOME defaults to this checkout; arguments are handed on.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
export EXAI_HOME="${EXAI_HOME:-$root}"
export PATH="$target/release:$target/debug:$PATH"
exec exai-daemon restart --force "$@"
