#!/bin/sh
# Stops the daemon: running calls finish first; shims will not start it again.
# EXAI_HOME defaults to this checkout; arguments are handed on.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
export EXAI_HOME="${EXAI_HOME:-$root}"
export PATH="$target/release:$target/debug:$PATH"
exec exai-daemon stop "$@"
