//! `exai-shim`: the MCP stdio server every editor window launches; a thin, immortal pipe to the
//! daemon.

fn main() -> std::process::ExitCode {
    exai_shim::run()
}
