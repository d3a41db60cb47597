// Jobs on keys: ordered by one gateway, worked on by whichever has the time.

public import PosternProtocol

/// The key that new secrets of a domain are encrypted under, by name.
struct NewestKey {
    let name: DomainKeyName
    let createdAt: Timestamp
}

extension EnvelopeBackend {
    /// Orders work that some gateway on the store will do.
    public func start(
        _ order: KeyJobOrder, by principal: String, deadline: Deadline
    ) async throws(SecretError) -> KeyJob {
        var order = order
        if let scope = order.scope {
            if order.kind == .reencrypt {
                order.scope = scope.isEmpty ? nil : try PathPrefix(scope).text
            } else {
                _ = try await keyring.existing(scope, deadline: deadline)
            }
        }
        if let rate = order.rate, rate < 0 {
            throw SecretError(.invalidArgument, "The rate must not be negative; 0 means as many as can be.")
        }
        let records = try await jobStore.all(deadline: deadline)
        if let other = records.map(\.job).first(where: {
            $0.state == .running && $0.order.kind == order.kind && $0.order.scope == order.scope
        }) {
            throw SecretError(
                .conflict, "The job \(other.id) is under way for the same; wait for it to end.")
        }
        let now = clock.now()
        let suffix = try random.bytes(4).hexadecimal
        let id = "\(now.microseconds)-\(order.kind.rawValue)-\(suffix)"
        let job = KeyJob(id: id, order: order, createdBy: principal, createdAt: now)
        _ = try await jobStore.write(JobRecord(job: job), after: 0, deadline: deadline)
        jobSignal.wake()
        try await jobStore.prune(records, deadline: deadline)
        return job
    }

    /// The jobs, newest first.
    public func jobs(deadline: Deadline) async throws(SecretError) -> [KeyJob] {
        try await jobStore.all(deadline: deadline).map(\.job).reversed()
    }

    /// Works on the jobs that nobody works on, all at once, until each has ended or has to wait.
    /// - Parameters:
    ///   - owner: a name that no other gateway on the store has.
    /// - Returns: the jobs that this gateway brought to their end in this call.
    /// - Throws: the store's errors; a later call goes on.
    public func workOnJobs(as owner: String) async throws(SecretError) -> [KeyJob] {
        let worker = JobWorker(
            jobs: jobStore, owner: owner, clock: clock, options: options,
            work: { order in
                switch order.kind {
                case .rewrap: RewrapWork(keyring: self.keyring, order: order)
                case .reencrypt: ReencryptWork(backend: self, order: order)
                case .references: ReferencesWork(backend: self, order: order)
                }
            })
        let ids = jobSignal.begin(of: try await jobStore.ids(deadline: .after(.seconds(60))))
        return try await withTaskGroup(of: Result<KeyJob?, SecretError>.self) { group in
            for id in ids { group.addTask { await self.work(on: id, worker) } }
            var ended: [KeyJob] = []
            var failure: SecretError?
            for await result in group {
                switch result {
                case .success(let job): if let job { ended.append(job) }
                case .failure(let error): failure = error
                }
            }
            // What ended is told even where another job failed; that one is taken up again.
            if let failure, ended.isEmpty { return Result<[KeyJob], SecretError>.failure(failure) }
            return .success(ended)
        }.get()
    }

    /// Works on one job.
    /// - Returns: the job if it has come to its end here.
    private func work(on id: String, _ worker: JobWorker) async -> Result<KeyJob?, SecretError> {
        var hasEnded = false
        defer { jobSignal.stop(id, hasEnded: hasEnded) }
        do throws(SecretError) {
            let isOurs = try await worker.run(id)
            let job = try await jobStore.read(id, deadline: .after(.seconds(60)))?.value.job
            hasEnded = job?.state != .running
            return .success(isOurs && hasEnded ? job : nil)
        } catch {
            return .failure(error)
        }
    }

    /// Says whenever there is a new job of this gateway's, or somebody asks to look for jobs. For one to iterate.
    public var jobSignals: AsyncStream<Void> { jobSignal.stream }

    /// Has whoever iterates ``jobSignals`` look for jobs.
    public func lookForJobs() { jobSignal.wake() }

    /// Which key an envelope as stored names.
    func keyName(of stored: SecretVersion) throws(SecretError) -> DomainKeyName {
        let what = "\(stored.path) version \(stored.info.number)"
        guard let envelope = stored.payload[EnvelopeHeader.fieldName] else {
            throw SecretError(
                .integrityFailure, "\(what) is not an envelope: something other than this gateway stored it.")
        }
        return try envelope.withUnsafeBytes { (bytes) throws(SecretError) in
            try EnvelopeHeader(of: bytes, what: what).key
        }
    }

    /// The key that new secrets of a domain are encrypted under, by the record as it is now. What this gateway keeps in
    /// memory is forgotten if it is another.
    func newestKey(of domain: String, deadline: Deadline) async throws(SecretError) -> NewestKey {
        let record = try await keyring.existing(domain, deadline: deadline).record
        guard !record.isDestroyed else { throw record.destroyed }
        guard let key = record.currentKey, let name = key.name else {
            throw SecretError(.internalError, "The key record of domain \(domain) has no current key.")
        }
        cache.forgetCurrent(domain, unless: name)
        return NewestKey(name: name, createdAt: Timestamp(key.createdAt) ?? Timestamp(seconds: 0))
    }
}
