// Gives one sink the log, in order, from where its cursor says: at least once, whatever happens to the sink or to us.
//
// A batch is in memory at a time. Nothing here is waited for by anybody who makes records.

import Logging
import PosternAudit
import PosternProtocol
import Synchronization

final class SinkDelivery: Sendable {
    /// How often to look for new records.
    private static let interval: Duration = .milliseconds(100)
    /// How often the cursor is written at most: a crash has so much delivered again.
    private static let cursorInterval: Duration = .seconds(1)
    /// How long a batch, or reading it, may take.
    private static let patience: Duration = .seconds(30)

    /// The log that is delivered.
    struct Source: Sendable {
        let directory: String
        let origin: String
        /// How many records are durable.
        let durable: @Sendable () -> UInt64
    }

    private struct Figures {
        var next: UInt64?
        var oldest: Timestamp?
        var status: SinkStatus
    }

    private let options: SinkOptions
    private let sink: any Sink
    private let source: Source
    private let follower: LogFollower
    private let cursor: DeliveryCursor
    private let thread: BlockingThread
    private let clock: any WallClock
    private let logger: Logger
    private let figures: Mutex<Figures>

    init(
        _ options: SinkOptions, sink: any Sink, source: Source, cursor: DeliveryCursor, thread: BlockingThread,
        clock: any WallClock, logger: Logger
    ) {
        self.options = options
        self.sink = sink
        self.source = source
        self.cursor = cursor
        self.thread = thread
        self.clock = clock
        self.logger = logger
        follower = LogFollower(directory: source.directory, origin: source.origin)
        figures = Mutex(
            Figures(status: SinkStatus(name: options.name, lag: 0, lagAge: .zero, delivered: 0, failures: 0, missed: 0))
        )
    }

    /// How the sink is now.
    var status: SinkStatus {
        let durable = source.durable()
        let now = clock.now()
        return figures.withLock { figures in
            var status = figures.status
            // Until its cursor is read, it may be given everything.
            let next = figures.next ?? 0
            guard next < durable else { return status }
            status.lag = durable - next
            status.lagAge = max(figures.oldest.map { now.since($0) } ?? .zero, .zero)
            return status
        }
    }

    /// Delivers until cancelled.
    func run() async {
        var backoff = Backoff()
        guard let start = await start(&backoff) else { return }
        var run = Run(progress: Progress(at: start.index), saved: start.saved)
        while !Task.isCancelled {
            let pause: Duration
            do throws(SinkFailure) {
                let isIdle = try await step(&run)
                if !isIdle { backoff.reset() }
                pause = isIdle ? Self.interval : .zero
            } catch {
                if Task.isCancelled { break }
                if error.isTooMuch { run.limits = run.limits.halved }
                sink.reset()
                run.progress.goBack()
                note(failure: error, next: run.progress.next)
                pause = backoff.next(atLeast: error.retryAfter, random: .random(in: 0..<1))
            }
            // Cancelled while asleep means to stop, which the loop's condition sees.
            if pause > .zero { try? await Task.sleep(for: pause) }
        }
        await finish(run)
    }

    private struct Run {
        var progress: Progress
        var limits = LogFollower.Limits()
        /// What is in the cursor's file.
        var saved: DeliveryCursor.Content?
        var savedAt = ContinuousClock.now
    }

    /// Delivers the next batch, if there is one.
    /// - Returns: whether there was nothing to do.
    private func step(_ run: inout Run) async throws(SinkFailure) -> Bool {
        guard !sink.isBroken else { throw SinkFailure(message: "the connection broke") }
        run.progress.settle(after: sink.settling, at: .now)
        await save(&run)
        let (start, durable, limits) = (run.progress.next, source.durable(), run.limits)
        guard start < durable else { return true }
        let read = await thread.run("the audit log to be read", deadline: .after(Self.patience)) { [follower] in
            do throws(SinkFailure) {
                return Result<LogFollower.Batch, SinkFailure>.success(
                    try follower.batch(from: start, below: durable, limits: limits))
            } catch {
                return .failure(error)
            }
        }
        let batch = try read.flatMap { $0 }.get()
        guard let first = batch.records.first else { return true }
        figures.withLock { $0.oldest = first.record.time }
        try await sink.deliver(batch.records, deadline: .after(Self.patience))
        run.progress.advance(to: batch.end, at: .now)
        run.limits = run.limits.grown
        note(batch)
        return false
    }

    /// Finds where to start, however long the file cannot be read.
    private func start(_ backoff: inout Backoff) async -> (index: UInt64, saved: DeliveryCursor.Content?)? {
        let durable = source.durable()
        while !Task.isCancelled {
            let read = await thread.run("\(cursor.path) to be read", deadline: .after(Self.patience)) { [cursor] in
                do throws(SinkFailure) {
                    return Result<DeliveryCursor.Content?, SinkFailure>.success(try cursor.read())
                } catch {
                    return .failure(error)
                }
            }
            switch read.flatMap({ $0 }) {
            case .success(let content):
                let index = place(content, durable: durable)
                figures.withLock { $0.next = index }
                return (index, content)
            case .failure(let failure):
                note(failure: failure, next: nil)
                // Cancelled while asleep means to stop, which the loop's condition sees.
                try? await Task.sleep(for: backoff.next(atLeast: nil, random: .random(in: 0..<1)))
            }
        }
        return nil
    }

    private func place(_ content: DeliveryCursor.Content?, durable: UInt64) -> UInt64 {
        guard let content, content.origin == source.origin else {
            if let content {
                logger.warning(
                    "a sink's cursor is of another log; it is treated as new",
                    metadata: ["sink": "\(options.name)", "origin": "\(content.origin)"])
            }
            return options.startsAtEnd ? durable : 0
        }
        if content.next > durable {
            logger.warning(
                "a sink was given more records than the log has; was an older log restored?",
                metadata: ["sink": "\(options.name)", "next": "\(content.next)", "records": "\(durable)"])
        }
        return min(content.next, durable)
    }

    /// Writes the cursor, if it is time.
    private func save(_ run: inout Run, now isDue: Bool = false) async {
        let content = DeliveryCursor.Content(next: run.progress.settled, origin: source.origin)
        guard content != run.saved,
            isDue || run.saved == nil || ContinuousClock.now - run.savedAt >= Self.cursorInterval
        else { return }
        run.savedAt = .now
        let result = await thread.run("\(cursor.path) to be written", deadline: .after(Self.patience)) { [cursor] in
            do throws(SinkFailure) {
                try cursor.write(content)
                return Result<Void, SinkFailure>.success(())
            } catch {
                return .failure(error)
            }
        }
        switch result.flatMap({ $0 }) {
        case .success: run.saved = content
        case .failure(let failure):
            logger.warning(
                "a sink's cursor could not be written; a restart would deliver again from the one before",
                metadata: ["sink": "\(options.name)", "error": "\(failure.message)"])
        }
    }

    /// Ends in order, in a task that is not cancelled itself.
    private func finish(_ run: Run) async {
        await Task { [self] in
            var run = run
            if await sink.close() { run.progress.settleAll() }
            await save(&run, now: true)
        }.value
    }

    private func note(_ batch: LogFollower.Batch) {
        let hadProblem = figures.withLock { figures in
            defer { figures.status.problem = nil }
            figures.next = batch.end
            figures.oldest = nil
            figures.status.delivered += UInt64(batch.records.count)
            figures.status.missed += batch.missing
            return figures.status.problem != nil
        }
        if hadProblem { logger.notice("a sink takes audit records again", metadata: ["sink": "\(options.name)"]) }
        if batch.missing > 0 {
            logger.error(
                "audit records were removed as too old before a sink was given them",
                metadata: ["sink": "\(options.name)", "records": "\(batch.missing)"])
        }
    }

    private func note(failure: SinkFailure, next: UInt64?) {
        let isNew = figures.withLock { figures in
            defer { figures.status.problem = failure.message }
            figures.status.failures += 1
            if let next { figures.next = next }
            return figures.status.problem != failure.message
        }
        guard isNew else { return }
        logger.warning(
            "a sink does not take audit records; they are kept, and tried again",
            metadata: ["sink": "\(options.name)", "error": "\(failure.message)"])
    }
}

extension LogFollower.Limits {
    fileprivate var halved: LogFollower.Limits {
        LogFollower.Limits(records: max(records / 2, 1), bytes: max(bytes / 2, 1))
    }

    fileprivate var grown: LogFollower.Limits {
        let most = LogFollower.Limits()
        return LogFollower.Limits(records: min(records + 1, most.records), bytes: min(bytes + 4_096, most.bytes))
    }
}
