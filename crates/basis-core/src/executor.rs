//! How the synchronous engine drives the futures of a block.
//!
//! **Invariant.** A future in flight is never dropped: an executor returns only when the future is
//! done, or with an error that stops the run.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use crate::clock::VirtualClock;

/// A boxed future that may cross threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a future was not driven to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// Pending at the first poll, where that is a defect.
    #[error(
        "a simulated venue's future was pending; backtest futures must be ready at the first poll"
    )]
    Pending,
    /// Pending, and no timer is set that could change that.
    #[error("every future is pending and no timer is set: nothing can make progress")]
    Stalled,
}

/// Drives a future to completion on the calling thread.
pub trait Executor: std::fmt::Debug {
    /// Polls `future` until it is done.
    ///
    /// # Errors
    /// [`ExecutorError`] when it can never be done; the run must stop then.
    fn complete(
        &mut self,
        future: Pin<&mut (dyn Future<Output = ()> + '_)>,
    ) -> Result<(), ExecutorError>;
}

/// Runs a future on `executor` and returns what it yields; nothing is allocated.
///
/// # Errors
/// As [`Executor::complete`].
pub fn run<T>(
    executor: &mut dyn Executor,
    future: impl Future<Output = T>,
) -> Result<T, ExecutorError> {
    let mut output = None;
    {
        let task = pin!(async {
            output = Some(future.await);
        });
        executor.complete(task)?;
    }
    output.ok_or(ExecutorError::Stalled)
}

/// Drives several futures together: all are polled before any is awaited, in order.
#[derive(Debug)]
pub struct Join<'a> {
    tasks: Vec<Option<JoinTask<'a>>>,
}

struct JoinTask<'a>(BoxFuture<'a, ()>);

impl std::fmt::Debug for JoinTask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinTask")
    }
}

impl<'a> Join<'a> {
    /// A future that is done when all of `tasks` are.
    #[must_use]
    pub fn new(tasks: Vec<BoxFuture<'a, ()>>) -> Self {
        Self {
            tasks: tasks.into_iter().map(|task| Some(JoinTask(task))).collect(),
        }
    }
}

impl Future for Join<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut all_done = true;
        for slot in &mut self.tasks {
            if let Some(task) = slot {
                match task.0.as_mut().poll(context) {
                    Poll::Ready(()) => *slot = None,
                    Poll::Pending => all_done = false,
                }
            }
        }
        if all_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// The backtest's executor: ready at the first poll, or a defect.
#[derive(Clone, Copy, Debug, Default)]
pub struct PollOnce;

impl Executor for PollOnce {
    fn complete(
        &mut self,
        future: Pin<&mut (dyn Future<Output = ()> + '_)>,
    ) -> Result<(), ExecutorError> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(()) => Ok(()),
            Poll::Pending => Err(ExecutorError::Pending),
        }
    }
}

/// Runs pending futures under virtual time: when all wait, the clock jumps to the next timer.
#[derive(Clone, Debug)]
pub struct VirtualTime {
    clock: VirtualClock,
}

impl VirtualTime {
    /// An executor that moves `clock`.
    #[must_use]
    pub const fn new(clock: VirtualClock) -> Self {
        Self { clock }
    }
}

impl Executor for VirtualTime {
    fn complete(
        &mut self,
        mut future: Pin<&mut (dyn Future<Output = ()> + '_)>,
    ) -> Result<(), ExecutorError> {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(()) => return Ok(()),
                Poll::Pending if self.clock.advance_to_next_timer() => {}
                Poll::Pending => return Err(ExecutorError::Stalled),
            }
        }
    }
}

/// The output of `future`, or `None` when `deadline` is done first.
pub async fn time_limit<T>(
    future: impl Future<Output = T> + Send,
    deadline: impl Future<Output = ()> + Send,
) -> Option<T> {
    let mut future = pin!(future);
    let mut deadline = pin!(deadline);
    std::future::poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        deadline.as_mut().poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::clock::Clock;
    use crate::types::Timestamp;

    #[test]
    fn poll_once_refuses_a_pending_future() {
        assert_eq!(run(&mut PollOnce, async { 7 }), Ok(7));
        assert_eq!(
            run(&mut PollOnce, std::future::pending::<()>()),
            Err(ExecutorError::Pending)
        );
    }

    #[test]
    fn virtual_time_overlaps_sleeps_in_order() {
        let clock = VirtualClock::new(Timestamp::EPOCH);
        let order = AtomicU64::new(0);
        let leg = |seconds: i64, digit: u64| -> BoxFuture<'_, ()> {
            let sleep = clock.sleep_until(Timestamp::from_seconds(seconds));
            let order = &order;
            Box::pin(async move {
                sleep.await;
                order.store(
                    order.load(Ordering::Relaxed) * 10 + digit,
                    Ordering::Relaxed,
                );
            })
        };
        let tasks = vec![leg(3, 3), leg(1, 1), leg(2, 2)];
        run(&mut VirtualTime::new(clock.clone()), Join::new(tasks)).unwrap();
        assert_eq!(order.load(Ordering::Relaxed), 123);
        assert_eq!(
            clock.now(),
            Timestamp::from_seconds(3),
            "three sleeps overlap"
        );
    }

    #[test]
    fn virtual_time_reports_a_stall() {
        let clock = VirtualClock::new(Timestamp::EPOCH);
        let stalled = run(&mut VirtualTime::new(clock), std::future::pending::<()>());
        assert_eq!(stalled, Err(ExecutorError::Stalled));
    }

    #[test]
    fn time_limit_ends_what_never_resolves() {
        let clock = VirtualClock::new(Timestamp::EPOCH);
        let deadline = clock.sleep_until(Timestamp::from_seconds(30));
        let limited = time_limit(std::future::pending::<()>(), deadline);
        assert_eq!(run(&mut VirtualTime::new(clock.clone()), limited), Ok(None));
        assert_eq!(clock.now(), Timestamp::from_seconds(30));
    }
}
