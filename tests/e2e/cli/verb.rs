//! The binary as a script runs it.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::eventually::soon;
use crate::support::node::{BINARY, Node};

/// A verb that has ended.
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// Its results.
    pub(crate) stdout: String,
    /// What it said to a person.
    pub(crate) stderr: String,
}

/// Runs a verb against a node, to its end.
pub(crate) async fn run(node: &Node, arguments: &[&str]) -> Ended {
    finish(command(arguments).env("STARLING_URL", node.url()), "").await
}

/// Runs a verb to its end with this on its standard input.
pub(crate) async fn run_with(input: &str, arguments: &[&str]) -> Ended {
    finish(&mut command(arguments), input).await
}

async fn finish(command: &mut Command, input: &str) -> Ended {
    let mut process = command.spawn().expect("the binary under test runs");
    let mut stdin = process.stdin.take().expect("piped");
    let _ = stdin.write_all(input.as_bytes()).await; // a verb need not read it
    drop(stdin);
    let output = soon("the verb to end", process.wait_with_output()).await;
    let output = output.expect("a child can be waited for");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_clear().kill_on_drop(true);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Ended {
    /// Each line of its results as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(parse).collect()
    }
}

/// A verb that runs. Killed when dropped.
pub(crate) struct Running {
    process: Child,
    input: Option<ChildStdin>,
    output: Option<Lines<BufReader<ChildStdout>>>,
}

/// Starts a verb against a node. What it says to a person is not looked at.
pub(crate) fn start(node: &Node, arguments: &[&str]) -> Running {
    start_at(&node.url(), arguments)
}

/// The same against whatever is at `url`.
pub(crate) fn start_at(url: &str, arguments: &[&str]) -> Running {
    let mut command = command(arguments);
    command.env("STARLING_URL", url).stderr(Stdio::null());
    let mut process = command.spawn().expect("the binary under test runs");
    Running {
        input: process.stdin.take(),
        output: process.stdout.take().map(|output| BufReader::new(output).lines()),
        process,
    }
}

impl Running {
    /// Writes to its standard input.
    pub(crate) async fn write(&mut self, text: &str) {
        let input = self.input.as_mut().expect("its input is open");
        let written = input.write_all(text.as_bytes()).await;
        written.expect("the verb reads its input");
    }

    /// The next line of its results.
    pub(crate) async fn line(&mut self) -> String {
        let output = self.output.as_mut().expect("its output is read");
        let line = soon("a line", output.next_line()).await.expect("text");
        line.expect("the verb goes on")
    }

    /// The same as JSON.
    pub(crate) async fn json(&mut self) -> Value {
        parse(&self.line().await)
    }

    /// Reads no more, as `head` does when it has enough.
    pub(crate) fn leave(&mut self) {
        self.output = None;
    }

    /// Ends its input.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let pid = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.expect("the verb runs"), Signal::INT).expect("the verb runs");
    }

    /// Waits for its end and gives its exit code.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let status = soon("the verb to end", self.process.wait()).await;
        status.expect("a child can be waited for").code()
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}
