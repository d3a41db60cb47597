// Runs the calls of an event loop's connections as Swift tasks on that loop, with one wake-up and one flush
// per burst of jobs rather than one per job: a group commit resumes hundreds of calls at once.

import NIOCore
import Synchronization

/// Something that has output to write once a burst of jobs is done.
protocol BurstFlushable: AnyObject {
    func flushAfterBurst()
}

/// A task executor over one event loop.
///
/// `@unchecked Sendable`: `spare` and `dirty` are touched only on the event loop; the queue has a lock.
final class LoopExecutor: TaskExecutor, @unchecked Sendable {
    private struct Queue: Sendable {
        var jobs: [UnownedJob] = []
        /// Whether a drain is due or under way, so that nobody else needs to ask for one.
        var isScheduled = false
    }

    private static let passesAtOnce = 16

    let loop: any EventLoop
    private let queue = Mutex(Queue())
    private var spare: [UnownedJob] = []
    private var dirty: [any BurstFlushable] = []

    init(loop: any EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustSchedule = queue.withLock { queue in
            queue.jobs.append(job)
            defer { queue.isScheduled = true }
            return !queue.isScheduled
        }
        if mustSchedule { loop.execute { self.drain() } }
    }

    /// Has something flushed after the jobs of this burst, or soon. On the loop only; ask once per burst.
    func flushAfterBurst(_ target: any BurstFlushable) {
        dirty.append(target)
        let mustSchedule = queue.withLock { queue in
            defer { queue.isScheduled = true }
            return !queue.isScheduled
        }
        if mustSchedule { loop.execute { self.drain() } }
    }

    /// Runs everything that waits and flushes, and again what came of that. Nobody asks for another drain meanwhile.
    private func drain() {
        let executor = unsafe asUnownedTaskExecutor()
        for _ in 0..<Self.passesAtOnce {
            if !takeJobs() {
                flush()
                let isDone = queue.withLock { queue in
                    let isDone = queue.jobs.isEmpty && dirty.isEmpty
                    if isDone { queue.isScheduled = false }
                    return isDone
                }
                if isDone { return }
                continue
            }
            for job in spare { unsafe job.runSynchronously(on: executor) }
            spare.removeAll(keepingCapacity: true)
        }
        // The event loop runs whatever it is given to execute before it looks at its sockets again,
        // so jobs that make jobs without end would keep it from them. A task in the future does not.
        flush()
        loop.scheduleTask(in: .microseconds(50)) { self.drain() }
    }

    private func takeJobs() -> Bool {
        queue.withLock { queue in swap(&queue.jobs, &spare) }
        return !spare.isEmpty
    }

    private func flush() {
        let targets = dirty
        dirty.removeAll(keepingCapacity: true)
        for target in targets { target.flushAfterBurst() }
    }
}

extension EventLoop {
    /// Runs something on this loop: at once if this is the loop.
    func runHere(_ body: @escaping @Sendable () -> Void) {
        if inEventLoop { body() } else { execute(body) }
    }
}
