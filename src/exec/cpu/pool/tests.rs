use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Pool, team::Team};

/// Runs `jobs` and checks that each was done once, and that no two at a time had the same thread number.
fn check(pool: &Pool, jobs: usize) {
    let done: Vec<AtomicUsize> = (0..jobs).map(|_| AtomicUsize::new(0)).collect();
    let held: Vec<AtomicBool> = (0..pool.threads()).map(|_| AtomicBool::new(false)).collect();
    pool.run(jobs, &|job, thread| {
        assert!(!held[thread].swap(true, SeqCst), "two jobs at a time on thread {thread}");
        done[job].fetch_add(1, SeqCst);
        held[thread].store(false, SeqCst);
    });
    let counts: Vec<usize> = done.iter().map(|count| count.load(SeqCst)).collect();
    assert_eq!(counts, vec![1; jobs], "{jobs} jobs on {} threads", pool.threads());
}

/// Keeps one core busy as long as it lives.
struct Neighbour(Arc<AtomicBool>);

impl Neighbour {
    fn new() -> Self {
        let living = Arc::new(AtomicBool::new(true));
        let seen = living.clone();
        thread::spawn(move || while seen.load(SeqCst) {});
        Self(living)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

#[test]
fn every_job_is_done_once() {
    for threads in [0, 1, 2, 3, 8] {
        let pool = Pool::new(threads);
        assert_eq!(pool.threads(), threads.max(1));
        for jobs in [0, 1, 2, 3, 7, 64, 1000] {
            check(&pool, jobs);
        }
    }
}

#[test]
fn what_jobs_wrote_can_be_read_after_the_run() {
    let pool = Pool::new(3);
    for round in 0..2000_usize {
        let jobs = round % 17;
        let cells: Vec<std::sync::Mutex<usize>> = (0..jobs).map(|_| std::sync::Mutex::new(0)).collect();
        pool.run(jobs, &|job, _| *cells[job].lock().expect("not poisoned") = job * round);
        let sum: usize = cells.into_iter().map(|cell| cell.into_inner().expect("not poisoned")).sum();
        assert_eq!(sum, round * (jobs * jobs.saturating_sub(1) / 2));
    }
}

#[test]
fn more_threads_than_cores_beside_busy_neighbours() {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let neighbours: Vec<_> = (0..cores).map(|_| Neighbour::new()).collect();
    let pool = Pool::new(2 * cores + 5);
    let until = Instant::now() + Duration::from_millis(400);
    let mut rounds = 0;
    while Instant::now() < until {
        check(&pool, rounds % 40);
        // Now and then long enough for every helper to fall asleep, and for the next run to find them waking.
        if rounds % 50 == 0 {
            thread::sleep(Duration::from_micros(300));
        }
        rounds += 1;
    }
    drop(neighbours);
    assert!(rounds > 10, "{rounds} runs in 0.4 s");
}

#[test]
fn helpers_really_help() {
    // Each of the four jobs waits for the other three: it ends only if all are done at the same time.
    let pool = Pool::new(4);
    for _ in 0..50 {
        let meeting = Barrier::new(4);
        pool.run(4, &|_, _| {
            meeting.wait();
        });
    }
}

#[test]
fn sleeping_helpers_are_woken_and_a_sleeping_caller_too() {
    let pool = Pool::new(2);
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(2));
        let meeting = Barrier::new(2);
        pool.run(2, &|_, thread| {
            meeting.wait();
            // The helper's job lasts longer than the caller spins.
            thread::sleep(Duration::from_millis(2 * thread as u64));
        });
    }
}

#[test]
fn a_helper_that_holds_its_caller_up_is_done_without() {
    // A machine that stops for longer than the time alone lasts would see the helper back: it is not to stop five times.
    let alone = (0..5).any(|_| {
        let pool = Pool::new(2);
        let meeting = Barrier::new(2);
        pool.run(2, &|_, thread| {
            meeting.wait();
            thread::sleep(Duration::from_millis(20 * thread as u64));
        });
        let helped = AtomicBool::new(false);
        pool.run(100, &|_, thread| {
            helped.fetch_or(thread != 0, SeqCst);
        });
        !helped.load(SeqCst)
    });
    assert!(alone);
}

#[test]
fn nobody_waits_for_a_helper_that_took_no_job() {
    // A team that nobody serves: were helpers waited for, this would hang.
    let team = Team::new();
    let done = AtomicUsize::new(0);
    // SAFETY: no other run is under way.
    let outcome = unsafe {
        team.run(100, &|_, _| {
            done.fetch_add(1, SeqCst);
        })
    };
    assert!(outcome.is_ok());
    assert_eq!(done.load(SeqCst), 100);
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
    for threads in [1, 2, 5] {
        let pool = Pool::new(threads);
        for guilty in [0, 1, 30] {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                pool.run(31, &|job, _| assert!(job != guilty, "job {job} is guilty"));
            }));
            let message = outcome.expect_err("a job panicked").downcast::<String>().expect("a formatted message");
            assert_eq!(*message, format!("job {guilty} is guilty"));
            check(&pool, 31);
        }
    }
}

#[test]
fn a_panic_of_a_helper_while_the_caller_is_at_work_or_asleep() {
    let pool = Pool::new(2);
    for nap in [0, 5] {
        let meeting = Barrier::new(2);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pool.run(2, &|_, thread| {
                meeting.wait();
                thread::sleep(Duration::from_millis(nap * thread as u64));
                assert!(thread == 0, "the helper is guilty");
            });
        }));
        assert!(outcome.is_err());
        check(&pool, 9);
    }
}

#[test]
fn dropping_a_pool_ends_its_threads() {
    let pool = Pool::new(4);
    let team = pool.hired.team.clone();
    assert_eq!(Arc::strong_count(&team), 1 + 1 + 3, "ours, the pool's and the helpers'");
    drop(pool);
    assert_eq!(Arc::strong_count(&team), 1);
}
