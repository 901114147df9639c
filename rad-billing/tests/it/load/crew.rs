//! Workers as processes: started, listened to, killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::journal::Journal;
use super::worker::{ORDERS, Orders, PREFIX, Said};

/// The test that is a worker's whole program.
const PROGRAM: &str = "load::works_where_told_to";

/// Workers that post until they have done what they were told, or are told to end.
pub(crate) struct Crew {
    pub(crate) journal: Journal,
    /// By place: the number of the worker who has it, and its process.
    workers: Vec<(usize, Child)>,
    started: usize,
    heard: Receiver<(usize, Heard)>,
    ear: Sender<(usize, Heard)>,
}

enum Heard {
    Said(Box<Said>),
    /// The worker is gone.
    End,
}

impl Crew {
    /// Starts workers, and lets them begin when all are ready.
    pub(crate) fn start(orders: impl IntoIterator<Item = Orders>) -> Self {
        let (ear, heard) = channel();
        let mut crew = Self { journal: Journal::default(), workers: Vec::new(), started: 0, heard, ear };
        for orders in orders {
            let worker = crew.spawn(&orders);
            crew.workers.push(worker);
        }
        let mut ready = 0;
        while ready < crew.workers.len() {
            match crew.listen() {
                (_, Heard::Said(said)) if matches!(*said, Said::Ready) => ready += 1,
                (worker, _) => panic!("worker {worker} could not begin"),
            }
        }
        for (_, child) in &mut crew.workers {
            child.stdin.as_mut().unwrap().write_all(b"begin\n").unwrap();
        }
        crew
    }

    fn spawn(&mut self, orders: &Orders) -> (usize, Child) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", PROGRAM, "--nocapture", "--test-threads=1"])
            .env(ORDERS, serde_json::to_string(orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (worker, ear) = (self.started, self.ear.clone());
        self.started += 1;
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || listen_to(worker, stdout, &ear));
        (worker, child)
    }

    fn listen(&self) -> (usize, Heard) {
        // The crew has a sender itself: somebody who hangs is ended by the test harness.
        self.heard.recv().unwrap()
    }

    /// Lets the crew work until so many more batches are acknowledged.
    pub(crate) fn work_on(&mut self, batches: u64) {
        let goal = self.journal.acknowledged() + batches;
        while self.journal.acknowledged() < goal {
            match self.listen() {
                (worker, Heard::Said(said)) => self.note(worker, *said),
                (worker, Heard::End) => panic!("worker {worker} ended by itself"),
            }
        }
    }

    /// Kills the worker at a place while it works, and puts another there.
    pub(crate) fn kill(&mut self, place: usize, replacement: Option<Orders>) {
        let (killed, mut child) = self.workers.remove(place);
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said counts, too.
        loop {
            match self.listen() {
                (worker, Heard::End) if worker == killed => break,
                (worker, Heard::End) => panic!("worker {worker} ended by itself"),
                (worker, Heard::Said(said)) => self.note(worker, *said),
            }
        }
        self.journal.killed(killed);
        if let Some(orders) = replacement {
            let (worker, mut child) = self.spawn(&orders);
            child.stdin.as_mut().unwrap().write_all(b"begin\n").unwrap();
            self.workers.insert(place, (worker, child));
        }
    }

    /// Waits until all have done what they were told; who was told no number ends now.
    pub(crate) fn finish(mut self) -> Journal {
        let mut left = self.workers.len();
        for (_, child) in &mut self.workers {
            drop(child.stdin.take());
        }
        while left > 0 {
            match self.listen() {
                (worker, Heard::Said(said)) => self.note(worker, *said),
                (_, Heard::End) => left -= 1,
            }
        }
        for (worker, child) in &mut self.workers {
            assert!(child.wait().unwrap().success(), "worker {worker} failed");
        }
        std::mem::take(&mut self.journal)
    }

    fn note(&mut self, worker: usize, said: Said) {
        match said {
            Said::Ready => {}
            Said::Trying { batch, posts } => {
                self.journal.trying((worker, batch), posts.into_iter().map(Into::into).collect());
            }
            Said::Posted { batch, seqs, retries } => self.journal.posted((worker, batch), seqs, retries),
            Said::Refused { batch, retries } => self.journal.refused((worker, batch), retries),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for (_, child) in &mut self.workers {
            // Who has ended already cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Passes on every whole line of a worker; half a line was never said.
fn listen_to(worker: usize, stdout: ChildStdout, ear: &Sender<(usize, Heard)>) {
    let mut lines = BufReader::new(stdout);
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
        if let Some((_, said)) = line.split_once(PREFIX) {
            let said = Heard::Said(serde_json::from_str(said).unwrap());
            // Nobody listens any more after a test that failed.
            let _ = ear.send((worker, said));
        }
        line.clear();
    }
    let _ = ear.send((worker, Heard::End));
}
