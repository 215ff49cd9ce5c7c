#!/bin/sh
# Says in one line whether the daemon runs; exit code 0 if it does.
# EXAI_HOME defaults to this checkout; arguments are handed on.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target="${CARGO_TARGET_DIR:-$root/target}"
export EXAI_HOME="${EXAI_HOME:-$root}"
export PATH="$target/release:$target/debug:$PATH"
exec exai-daemon status "$@"
