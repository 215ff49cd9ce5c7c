# Starts the daemon in the background; returns when it answers.
# EXAI_HOME defaults to this checkout; arguments are handed on. Not run on Windows so far.
$root = Split-Path -Parent $PSScriptRoot
$target = if ($env:CARGO_TARGET_DIR) { $env:CARGO_TARGET_DIR } else { Join-Path $root 'target' }
if (-not $env:EXAI_HOME) { $env:EXAI_HOME = $root }
$places = (Join-Path $target 'release'), (Join-Path $target 'debug'), $env:PATH
$env:PATH = $places -join [IO.Path]::PathSeparator
& exai-daemon start @args
exit $LASTEXITCODE
