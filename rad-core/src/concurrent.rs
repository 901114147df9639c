//! Waiting for several futures at once, without a runtime.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// Runs futures side by side on the caller's task, whatever its runtime, and gives their outputs in their order.
#[cfg(feature = "conformance")]
pub(crate) async fn side_by_side<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in running.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// Runs the futures on the caller's task, at most so many at the same time, and gives each output to `take` in their order. The
/// first error is the last thing that happens.
pub(crate) async fn in_order<F, T, E>(
    futures: impl IntoIterator<Item = F>,
    most: usize,
    mut take: impl FnMut(T),
) -> Result<(), E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = futures.into_iter();
    let mut begun: VecDeque<Begun<F, T>> = VecDeque::new();
    std::future::poll_fn(|context| {
        loop {
            let running = begun.iter().filter(|begun| matches!(begun, Begun::Running(_))).count();
            let next = waiting.by_ref().take(most.max(1).saturating_sub(running));
            begun.extend(next.map(|future| Begun::Running(Box::pin(future))));
            let mut has_ended = false;
            for begun in &mut begun {
                let Begun::Running(future) = begun else { continue };
                match future.as_mut().poll(context) {
                    Poll::Ready(Ok(output)) => (has_ended, *begun) = (true, Begun::Ended(output)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
            }
            while matches!(begun.front(), Some(Begun::Ended(_))) {
                if let Some(Begun::Ended(output)) = begun.pop_front() {
                    take(output);
                }
            }
            match has_ended {
                // Others can begin, and must be polled before anybody waits for them.
                true => {}
                false if begun.is_empty() => return Poll::Ready(Ok(())),
                false => return Poll::Pending,
            }
        }
    })
    .await
}

/// A future that was begun, and what it came to.
enum Begun<F, T> {
    Running(Pin<Box<F>>),
    Ended(T),
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn outputs_come_in_order_and_never_too_many_run() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let futures = (0..9_u32).map(|number| {
            let (running, most) = (&running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(running.get().max(most.get()));
                for _ in 0..(number * 5) % 7 {
                    tokio::task::yield_now().await;
                }
                running.set(running.get() - 1);
                if number == 7 { Err(number) } else { Ok(number) }
            }
        });
        let mut taken = Vec::new();
        assert_eq!(in_order(futures, 3, |number| taken.push(number)).await, Err(7));
        assert!(taken.iter().copied().eq(0..taken.len() as u32) && taken.len() < 8, "{taken:?}");
        assert_eq!(most.get(), 3);
    }
}
