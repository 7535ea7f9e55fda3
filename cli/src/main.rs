//! The `berth` binary.

fn main() -> std::process::ExitCode {
    cli::main()
}
