//! Verbs against a server of the test's own, from the words on the command line to the exit code.

mod creating;
mod refusals;
mod server;
mod shapes;
mod waiting;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use clap::{CommandFactory as _, Parser as _};

use self::server::Server;
use super::{Console, Exit, run_on};
use crate::{Cli, Invocation};

const ALLOCATION: &str = "alloc_00000000000000000000000000000001";
const OPERATION: &str = "op_00000000000000000000000000000002";
const PROJECT: &str = "proj_00000000000000000000000000000003";
const SSH_KEY: &str = "sshkey_00000000000000000000000000000005";
const NODE: &str = "node_00000000000000000000000000000004";

/// What a verb left behind.
#[derive(Debug)]
struct Outcome {
    exit: Exit,
    data: String,
    talk: String,
}

/// Runs `berth ARGS` against a server, into pipes.
async fn berth(server: &Server, args: &[&str]) -> Outcome {
    let url = server.url();
    let operators = ["node", "policy", "dlq", "identity", "signing-key"];
    let key = if operators.contains(&args[0]) {
        "--admin-key"
    } else {
        "--api-key"
    };
    let connection = [
        "--api-url",
        &url,
        key,
        "berth_test",
        "--env-file",
        "/nowhere",
    ];
    // What follows `--` is not ours.
    let end = args
        .iter()
        .position(|arg| *arg == "--")
        .unwrap_or(args.len());
    run([&args[..end], &connection, &args[end..]].concat()).await
}

async fn run(args: Vec<&str>) -> Outcome {
    let cli = Cli::try_parse_from(["berth"].into_iter().chain(args)).expect("a sound command line");
    let Invocation::Verb(command) = cli.invocation else {
        panic!("not a verb")
    };
    let (data, talk) = (Pipe::default(), Pipe::default());
    let mut console = Console::pipes(Box::new(data.clone()), Box::new(talk.clone()));
    let exit = run_on(*command, Cli::command(), &mut console).await;
    Outcome {
        exit,
        data: data.text(),
        talk: talk.text(),
    }
}

#[derive(Debug, Default, Clone)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
