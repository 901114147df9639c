//! One process of an engine: its lines, its signals, its end.

use std::process::ExitStatus;
use std::{fs, io};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, copy, sink};
use tokio::process::Child;
use tokio::sync::mpsc;

use super::gate::{Admitted, Waiting};
use super::watchdog::Watchdog;

/// A line longer than this is left out: a part of it could hold a part of a secret that no mask finds.
const LONGEST_LINE: usize = 1024 * 1024;

/// Lines read ahead: a run that prints the longest ones takes 32 MiB of the platform's memory.
const READ_AHEAD: usize = 32;

/// An engine at work.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Kills it should the platform stand still.
    watchdog: Option<Watchdog>,
    isolated: bool,
}

/// What a process prints, line by line, without the line feeds; ends when it and all it started are gone.
pub(super) type Lines = mpsc::Receiver<String>;

impl Process {
    /// Starts an engine that waits at its gate; `isolated` if the command is a sandbox around it.
    pub(super) async fn start(
        waiting: Waiting,
        arguments: &[String],
        isolated: bool,
    ) -> io::Result<(Self, Lines)> {
        let Admitted { mut child, watchdog } = waiting.pass(arguments).await?;
        let (sender, lines) = mpsc::channel(READ_AHEAD);
        forward(child.stdout.take(), sender.clone());
        forward(child.stderr.take(), sender);
        Ok((Self { child, watchdog, isolated }, lines))
    }

    /// What an engine that waits at its gate prints, once it has; `None` if that is more than so many bytes.
    pub(super) async fn printed(
        waiting: Waiting,
        arguments: &[String],
        most: u64,
    ) -> io::Result<Option<Vec<u8>>> {
        // Dropped, they end the engine, the watchdog first.
        let Admitted { mut child, watchdog: _watchdog } = waiting.pass(arguments).await?;
        if let Some(mut said) = child.stderr.take() {
            // Read, so that it is not held up by what it says besides.
            tokio::spawn(async move { copy(&mut said, &mut sink()).await });
        }
        let mut printed = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(most.saturating_add(1)).read_to_end(&mut printed).await?;
        }
        Ok((printed.len() as u64 <= most).then_some(printed))
    }

    /// Waits until the process is gone. With a sandbox, all that ran in it is gone too.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let group = self.pid();
        let status = self.child.wait().await?;
        // Before another process can have its id.
        self.watchdog = None;
        if let Some(group) = group.filter(|_| !self.isolated) {
            // What module code left running in the background.
            let _ = kill_process_group(group, Signal::KILL);
        }
        Ok(status)
    }

    /// Asks the engine to come to an orderly end.
    pub(super) fn interrupt(&self) {
        if let Some(engine) = self.engine() {
            let _ = kill_process(engine, Signal::INT);
        }
    }

    /// Ends the engine and all that it started.
    pub(super) fn kill(&self) {
        if self.isolated {
            // The first process of the sandbox: the kernel ends the others with it, and the sandbox waits for that.
            if let Some(engine) = self.engine() {
                let _ = kill_process(engine, Signal::KILL);
                return;
            }
        }
        if let Some(group) = self.pid() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    /// The engine itself: the only child of the sandbox, or the process that was started.
    fn engine(&self) -> Option<Pid> {
        let pid = self.pid()?;
        if !self.isolated {
            return Some(pid);
        }
        child_of(pid)
    }
}

/// The first child of a process.
fn child_of(parent: Pid) -> Option<Pid> {
    let own = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in brackets, may hold anything; state and parent follow it.
        let parent_of: i32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (parent_of == parent.as_raw_nonzero().get()).then(|| Pid::from_raw(pid)).flatten()
    };
    fs::read_dir("/proc").ok()?.flatten().find_map(own)
}

/// Sends what a stream says, line by line, until it ends.
fn forward(stream: Option<impl AsyncRead + Unpin + Send + 'static>, lines: mpsc::Sender<String>) {
    let Some(stream) = stream else {
        return;
    };
    tokio::spawn(async move {
        let mut stream = BufReader::with_capacity(64 * 1024, stream);
        while let Ok(Some(line)) = next_line(&mut stream).await {
            if lines.send(line).await.is_err() {
                break;
            }
        }
    });
}

/// The next line, or what stands for one that is too long.
pub(super) async fn next_line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        let available = stream.fill_buf().await?;
        if available.is_empty() && length == 0 {
            return Ok(None);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(available.len());
        if length + taken <= LONGEST_LINE {
            line.extend_from_slice(&available[..taken]);
        }
        let over = end.is_some() || available.is_empty();
        length += taken + usize::from(end.is_some());
        stream.consume(taken + usize::from(end.is_some()));
        if over {
            break;
        }
    }
    if length > LONGEST_LINE + 1 {
        return Ok(Some(format!("[a line of {length} bytes was left out]")));
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_one_by_one_and_long_ones_left_out() {
        let long = "x".repeat(LONGEST_LINE + 1);
        let text = format!("one\r\n\n{long}\ntwo");
        let mut stream = text.as_bytes();
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut stream).await.unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "", "[a line of 1048578 bytes was left out]", "two"]);
    }

    #[test]
    fn the_child_of_a_process_is_found() {
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(child_of(own).is_some());
        let leaf = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        assert_eq!(child_of(leaf), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
