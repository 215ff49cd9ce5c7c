# From a checkout to a working tool: builds, starts the daemon, calls a tool through the real
# shim as an MCP client would, and prints the entry to paste. Not run on Windows so far.
$root = Split-Path -Parent $PSScriptRoot
$target = if ($env:CARGO_TARGET_DIR) { $env:CARGO_TARGET_DIR } else { Join-Path $root 'target' }
if (-not $env:EXAI_HOME) { $env:EXAI_HOME = $root }
$daemon = Join-Path (Join-Path $target 'release') 'exai-daemon'
cargo build --release --locked --manifest-path (Join-Path $root 'Cargo.toml') -p exai-daemon -p exai-shim
if ($LASTEXITCODE) { exit $LASTEXITCODE }
foreach ($step in @('start'), @('smoke'), @('mcp-config', 'claude-code')) {
    & $daemon @step
    if ($LASTEXITCODE) { exit $LASTEXITCODE }
}
