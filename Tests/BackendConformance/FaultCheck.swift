// Nothing is half done: whatever fails below a stack, a secret is afterwards as it was before or as it should be.

public import PosternProtocol

extension BackendConformance {
    /// Makes random calls to a stack whose store fails now and then, and checks that after every failure the
    /// secrets are either as before the call or as after it.
    /// - Parameters:
    ///   - harness: makes the store.
    ///   - seed: where the random numbers start.
    ///   - operations: how many calls to make.
    ///   - stack: puts what is tried over the failing store; the store alone by default.
    /// - Throws: ``ConformanceFailure`` if something is half done.
    public static func checkNothingIsHalfDone(
        on harness: BackendHarness, seed: UInt64, operations: Int = 1_000,
        stack: @escaping @Sendable (any SecretBackend) async throws -> any SecretBackend = { $0 }
    ) async throws {
        let clock = ManualClock()
        let inner = try await harness.make(clock)
        let store = FaultInjectingBackend(inner.backend, seed: seed)
        do {
            let subject = Subject(
                backend: try await stack(store), clock: clock, supportsClock: harness.supportsClock,
                scale: harness.scale, reopen: nil)
            var duel = Duel(subject, seed: seed)
            for _ in 0..<operations { try await duel.stepUnderFaults(of: store) }
            try await duel.compareAll()
        } catch {
            try await inner.close()
            throw ConformanceFailure("\(harness) under faults (seed \(seed)): \(error)")
        }
        try await inner.close()
    }
}

extension Duel {
    /// Makes one call while the store may fail, and checks that it was done whole or not at all.
    fileprivate mutating func stepUnderFaults(of store: FaultInjectingBackend) async throws {
        let operation = try await draw()
        if case .advance(let duration) = operation { subject.clock.advance(by: duration) }
        let touched = operation.path.map { [$0.text] } ?? []
        let before = try await Snapshot(of: touched, in: subject)
        // A stack may make several calls of its store for one of its own.
        let faults: [FaultInjectingBackend.Fault] = [.none, .none, .none, .before, .after]
        store.script((0..<8).map { _ in faults[Int.random(in: 0..<faults.count, using: &random)] })
        let seen = try await answer(operation)
        store.script([])
        if seen != SecretError.Code.backendUnavailable.rawValue {
            try await expectModel(toAnswer: seen, to: operation)
        } else if try await Snapshot(of: touched, in: subject) != before {
            // It failed but was done: then the model does it too, and must agree with all that there is.
            try await applyToModel(operation)
        }
        for path in touched { try await compare(path) }
    }
}
