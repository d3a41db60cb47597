// Works on a job: holds its lease, goes over its items at its rate, and notes how far it is.

import PosternProtocol

/// What became of one item.
struct ItemOutcome {
    enum Kind { case changed, upToDate, skipped, failed }

    var kind: Kind
    var destroyedVersions = 0
    var problem: String?

    init(_ kind: Kind, destroyedVersions: Int = 0, problem: String? = nil) {
        self.kind = kind
        self.destroyedVersions = destroyedVersions
        self.problem = problem
    }
}

/// A kind of work: items in an order that cursors can name, and what to do with one.
protocol KeyWork: Sendable {
    /// A page of items and their cursors, in order; empty at the end.
    func items(
        after cursor: String?, limit: Int, deadline: Deadline
    ) async throws(SecretError) -> [(name: String, cursor: String)]

    /// Does one item. What it throws that is transient stops the job for now; all else is a failure of the item.
    func perform(_ item: String, _ job: inout KeyJob, deadline: Deadline) async throws(SecretError) -> ItemOutcome
}

/// Works on one job until it is done, must wait, or belongs to another gateway.
struct JobWorker: Sendable {
    /// How often progress is noted, and the lease renewed.
    private static let noteInterval: Duration = .seconds(1)
    /// How long one item, or one look at the store, may take.
    private static let patience: Duration = .seconds(60)
    private static let pageSize = 1_000

    let jobs: JobStore
    let owner: String
    let clock: any WallClock
    let options: EnvelopeOptions
    let work: @Sendable (KeyJobOrder) -> any KeyWork

    /// Takes the job, unless another gateway has it, and works on it.
    /// - Returns: whether this gateway had it to the last.
    /// - Throws: the store's errors while the job is taken or noted. The lease runs out by itself then.
    func run(_ id: String) async throws(SecretError) -> Bool {
        guard var (record, version) = try await jobs.read(id, deadline: soon), isFree(record) else { return false }
        do throws(SecretError) {
            try await note(&record, &version)
            try await go(&record, &version)
            return true
        } catch  where error.code == .conflict {
            // Another gateway has it, and goes on from what was last noted.
            return false
        }
    }

    private var soon: Deadline { .after(Self.patience) }

    private func isFree(_ record: JobRecord) -> Bool {
        let now = clock.now()
        guard record.job.state == .running, record.notBefore.map({ $0 <= now }) ?? true else { return false }
        guard let lease = record.lease, lease.owner != owner else { return true }
        return lease.expiresAt <= now
    }

    private func go(_ record: inout JobRecord, _ version: inout Int) async throws(SecretError) {
        let work = work(record.job.order)
        do throws(SecretError) {
            if record.job.total == nil { try await count(work, &record, &version) }
            try await goOver(work, &record, &version)
            record.job.state = record.job.failed == 0 ? .done : .failed
            record.job.finishedAt = clock.now()
            record.lease = nil
            try await note(&record, &version, renews: false)
        } catch {
            guard error.code.isTransient || error.code == .cancelled else {
                if error.code == .conflict { throw error }
                try await giveUp(error, &record, &version)
                return
            }
            record.job.waitingFor = error.message
            record.lease = nil
            record.notBefore = error.code == .cancelled ? nil : clock.now().advanced(by: options.jobRetry)
            // A task that is cancelled still says where it stopped.
            let stopped = record
            let (jobs, at) = (jobs, version)
            let noted = await Task { () -> Result<Int, SecretError> in
                do throws(SecretError) {
                    return .success(try await jobs.write(stopped, after: at, deadline: .after(.seconds(5))))
                } catch {
                    return .failure(error)
                }
            }.value
            version = try noted.get()
        }
    }

    /// What concerns the whole job and will not pass ends it.
    private func giveUp(
        _ error: SecretError, _ record: inout JobRecord, _ version: inout Int
    ) async throws(SecretError) {
        record.job.note(error.message)
        record.job.state = .failed
        record.job.finishedAt = clock.now()
        record.lease = nil
        try await note(&record, &version, renews: false)
    }

    private func count(
        _ work: any KeyWork, _ record: inout JobRecord, _ version: inout Int
    ) async throws(SecretError) {
        var total = 0
        var cursor: String?
        var noted = ContinuousClock.now
        while true {
            let page = try await work.items(after: cursor, limit: Self.pageSize, deadline: soon)
            guard let last = page.last else { break }
            total += page.count
            cursor = last.cursor
            if noted.duration(to: .now) > Self.noteInterval {
                try await note(&record, &version)
                noted = .now
            }
        }
        record.job.total = total
    }

    private func goOver(
        _ work: any KeyWork, _ record: inout JobRecord, _ version: inout Int
    ) async throws(SecretError) {
        let rate = record.job.order.rate ?? options.jobRate
        let began = ContinuousClock.now
        var done = 0
        var noted = began
        while true {
            let page = try await work.items(after: record.cursor, limit: Self.pageSize, deadline: soon)
            if page.isEmpty { return }
            for item in page {
                if rate > 0 { try await pace(until: began.advanced(by: .seconds(Double(done) / Double(rate)))) }
                try Deadline.after(.seconds(1)).check("the job went on")
                let outcome: ItemOutcome
                do throws(SecretError) {
                    outcome = try await work.perform(item.name, &record.job, deadline: soon)
                } catch  where !error.code.isTransient && error.code != .cancelled {
                    outcome = ItemOutcome(.failed, problem: "\(item.name): \(error.message)")
                }
                record.job.add(outcome)
                record.cursor = item.cursor
                done += 1
                if noted.duration(to: .now) > Self.noteInterval {
                    try await note(&record, &version)
                    noted = .now
                }
            }
        }
    }

    private func pace(until time: ContinuousClock.Instant) async throws(SecretError) {
        guard time > .now else { return }
        do {
            try await Task.sleep(until: time, clock: .continuous)
        } catch {
            throw SecretError(.cancelled, "The gateway stops; the job goes on when one is there.")
        }
    }

    private func note(
        _ record: inout JobRecord, _ version: inout Int, renews: Bool = true
    ) async throws(SecretError) {
        let now = clock.now()
        if renews { record.lease = JobRecord.Lease(owner: owner, expiresAt: now.advanced(by: options.jobLease)) }
        record.notBefore = nil
        record.job.waitingFor = nil
        record.job.updatedAt = now
        version = try await jobs.write(record, after: version, deadline: soon)
    }
}

extension KeyJob {
    mutating func add(_ outcome: ItemOutcome) {
        // The record comes from the store: absurd counts in it must not stop the gateway.
        seen &+= 1
        switch outcome.kind {
        case .changed: changed &+= 1
        case .upToDate: upToDate &+= 1
        case .skipped: skipped &+= 1
        case .failed: failed &+= 1
        }
        destroyedVersions &+= outcome.destroyedVersions
        if let problem = outcome.problem { note(problem) }
    }

    mutating func note(_ problem: String) {
        if problems.count < KeyJob.maximumProblems { problems.append(problem) }
    }
}
