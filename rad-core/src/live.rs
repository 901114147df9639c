//! News of what changes, for those who wait for it: subscribe, read, wait, read again. No runtime is needed.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use crate::deployment::{Run, RunStatus};
use crate::id::RunId;

/// How many topics are kept before those that nobody waits for are let go.
const FEW: usize = 64;

/// Something that changes. Its text names it in messages between processes.
///
/// ```
/// use rad_core::live::Topic;
///
/// assert_eq!("queue".parse(), Ok(Topic::Queue));
/// assert_eq!(Topic::Deployments.to_string(), "deployments");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// A run: its log, its progress, its status, its settlement, or the wish that it stops.
    Run(RunId),
    /// There may be a run for a worker to take.
    Queue,
    /// The status of some deployment.
    Deployments,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => write!(f, "run:{run}"),
            Self::Queue => f.write_str("queue"),
            Self::Deployments => f.write_str("deployments"),
        }
    }
}

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        match (text, text.strip_prefix("run:")) {
            ("queue", _) => Ok(Self::Queue),
            ("deployments", _) => Ok(Self::Deployments),
            (_, Some(run)) => run.parse().map(Self::Run).map_err(|_| UnknownTopic),
            _ => Err(UnknownTopic),
        }
    }
}

/// A text that names no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names no topic: expected queue, deployments or run:ID")]
pub struct UnknownTopic;

/// Where news are told and heard within a process. Clones tell each other.
///
/// ```
/// use rad_core::live::{News, Topic};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let news = News::default();
/// let mut queue = news.subscribe(Topic::Queue);
/// news.tell(Topic::Queue);
/// queue.changed().await;
/// assert!(!queue.has_changed());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct News {
    bells: Arc<Mutex<HashMap<Topic, Weak<Bell>>>>,
}

impl News {
    /// Hears of every change of a topic from now on. Who subscribes before reading misses nothing.
    pub fn subscribe(&self, topic: Topic) -> Subscription {
        let bell = self.bell(topic);
        let heard = bell.struck().count;
        Subscription { bell, heard }
    }

    /// Tells everybody who waits for a topic.
    pub fn tell(&self, topic: Topic) {
        let bell = self.bells().get(&topic).and_then(Weak::upgrade);
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    /// Tells everybody: after news of other processes may have been missed.
    pub fn tell_all(&self) {
        let bells: Vec<Arc<Bell>> = self.bells().values().filter_map(Weak::upgrade).collect();
        bells.iter().for_each(|bell| bell.ring());
    }

    /// Tells that the status of a run changed: the run and its deployment; the queue if workers may take this run, or have room
    /// for another one.
    pub fn tell_moved(&self, run: &Run) {
        self.tell(Topic::Run(run.id));
        self.tell(Topic::Deployments);
        if run.status == RunStatus::Queued || run.status.is_final() {
            self.tell(Topic::Queue);
        }
    }

    fn bell(&self, topic: Topic) -> Arc<Bell> {
        let mut bells = self.bells();
        if let Some(bell) = bells.get(&topic).and_then(Weak::upgrade) {
            return bell;
        }
        // Now and then, so that it costs nothing on the whole.
        if bells.len() >= FEW && bells.len().is_power_of_two() {
            bells.retain(|_, bell| bell.strong_count() > 0);
        }
        let bell = Arc::new(Bell::default());
        bells.insert(topic, Arc::downgrade(&bell));
        bell
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<Topic, Weak<Bell>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears of the changes of a topic.
#[derive(Debug)]
pub struct Subscription {
    bell: Arc<Bell>,
    heard: u64,
}

impl Subscription {
    /// Waits until something changed since this returned last, or since the beginning. Several changes are told of once.
    pub async fn changed(&mut self) {
        let Self { bell, heard } = self;
        poll_fn(|context| bell.poll(heard, context)).await;
    }

    /// Whether [`changed`](Self::changed) would return at once.
    pub fn has_changed(&self) -> bool {
        self.bell.struck().count != self.heard
    }

    /// How many changes there were: two equal numbers, and nothing changed between.
    pub(crate) fn count(&self) -> u64 {
        self.bell.struck().count
    }
}

/// A counter that can be waited for.
#[derive(Debug, Default)]
struct Bell {
    struck: Mutex<Struck>,
}

#[derive(Debug, Default)]
struct Struck {
    count: u64,
    waiting: Vec<Waker>,
}

impl Bell {
    fn ring(&self) {
        let waiting = {
            let mut struck = self.struck();
            struck.count = struck.count.wrapping_add(1);
            std::mem::take(&mut struck.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, heard: &mut u64, context: &Context<'_>) -> Poll<()> {
        let mut struck = self.struck();
        if struck.count != *heard {
            *heard = struck.count;
            return Poll::Ready(());
        }
        if !struck.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            struck.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn struck(&self) -> MutexGuard<'_, Struck> {
        self.struck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_hears_and_nobody_else() {
        let news = News::default();
        let run = RunId::new();
        let mut waiting: Vec<Subscription> = (0..3).map(|_| news.subscribe(Topic::Run(run))).collect();
        let other = news.subscribe(Topic::Run(RunId::new()));
        let heard = waiting.iter_mut().map(|one| Box::pin(one.changed()));
        let telling = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            news.clone().tell(Topic::Run(run));
            news.tell(Topic::Run(run));
        };
        let ((), heard) = tokio::join!(telling, crate::concurrent::side_by_side(heard));
        assert_eq!(heard.len(), 3);
        assert!(!other.has_changed());
        news.tell_all();
        assert!(other.has_changed());
    }

    #[test]
    fn topics_that_nobody_waits_for_are_let_go() {
        let news = News::default();
        let kept = news.subscribe(Topic::Queue);
        for _ in 0..10 * FEW {
            drop(news.subscribe(Topic::Run(RunId::new())));
        }
        assert!(news.bells().len() <= 2 * FEW);
        news.tell(Topic::Queue);
        assert!(kept.has_changed());
    }

    #[test]
    fn the_text_of_a_topic_names_it() {
        for topic in [Topic::Run(RunId::new()), Topic::Queue, Topic::Deployments] {
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
        for text in ["", "run:", "run:7", "Queue"] {
            assert_eq!(text.parse::<Topic>(), Err(UnknownTopic), "{text:?}");
        }
    }
}
