import BackendConformance
import PosternProtocol
import Synchronization
import Testing

@Suite struct DecoratorTests {
    private let model = InMemoryBackend(clock: ManualClock())
    private let deadline = Deadline.after(.seconds(60))

    private func write(_ backend: some SecretBackend, _ path: String, deadline: Deadline? = nil) async throws {
        _ = try await backend.write(
            SecretPath(path), Payload(value: SecretBytes("v")), expecting: 0, deadline: deadline ?? self.deadline)
    }

    private func exists(_ path: String) async throws -> Bool {
        let page = try await model.list(ListQuery(recursive: true), deadline: deadline)
        return page.entries.map(\.key).contains(path)
    }

    @Test func `a scripted fault before a call leaves it undone, one after it leaves it done`() async throws {
        let faulty = FaultInjectingBackend(model)
        faulty.script([.before, .after, .none])
        for (path, isThere) in [("before", false), ("after", true)] {
            let error = await #expect(throws: SecretError.self) { try await write(faulty, path) }
            #expect(error?.code == .backendUnavailable)
            #expect(try await exists(path) == isThere)
        }
        try await write(faulty, "none")
        #expect(try await exists("none"))
    }

    @Test func `the percentage decides how many calls fail, the seed which`() async throws {
        func failures(percentage: Int, seed: UInt64) async -> [Int] {
            let faulty = FaultInjectingBackend(model, percentage: percentage, seed: seed)
            var failed: [Int] = []
            for call in 0..<1_000 where await !faulty.health(deadline: deadline).isReady { failed.append(call) }
            return failed
        }
        let third = await failures(percentage: 30, seed: 1)
        #expect((200...400).contains(third.count))
        #expect(await failures(percentage: 30, seed: 1) == third)
        #expect(await failures(percentage: 30, seed: 2) != third)
        #expect(await failures(percentage: 0, seed: 1).isEmpty)
        #expect(await failures(percentage: 100, seed: 1).count == 1_000)
    }

    @Test func `a delay longer than the deadline ends with it, and the call is not made`() async throws {
        let slow = LatencyInjectingBackend(model) { .seconds(3_600) }
        let error = await #expect(throws: SecretError.self) {
            try await write(slow, "late", deadline: .after(.milliseconds(20)))
        }
        #expect(error?.code == .deadlineExceeded)
        #expect(try await !exists("late"))
        #expect(await !slow.health(deadline: .after(.milliseconds(20))).isReady)
    }

    @Test func `cancelling ends a delay, and the call is not made`() async throws {
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let slow = LatencyInjectingBackend(model) {
            start.finish()
            return .seconds(3_600)
        }
        let task = Task { try await write(slow, "cancelled", deadline: .after(.seconds(7_200))) }
        for await _ in started {}
        task.cancel()
        let error = await #expect(throws: SecretError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(try await !exists("cancelled"))
    }

    @Test func `a decorator's view for a credential is decorated as well, and only as the store lets it`() async throws
    {
        let guarded = GuardedBackend(model)
        guarded.admit("token", as: .init("user") { call, _ in call == "write" })
        let token = SecretBytes("token")
        let faulty = FaultInjectingBackend(guarded)
        let view = try await faulty.view(for: token, deadline: deadline)
        #expect(view.identity["test_accessor"] == "accessor-user")
        faulty.setPercentage(100)
        var error = await #expect(throws: SecretError.self) { try await write(view.backend, "down") }
        #expect(error?.code == .backendUnavailable)
        error = await #expect(throws: SecretError.self) { try await faulty.view(for: token, deadline: deadline) }
        #expect(error?.code == .backendUnavailable)

        let delays = Mutex(0)
        let slow = LatencyInjectingBackend(guarded) {
            delays.withLock { $0 += 1 }
            return .zero
        }
        let slowView = try await slow.view(for: token, deadline: deadline).backend
        try await write(slowView, "up")
        #expect(delays.withLock { $0 } == 2)
        error = await #expect(throws: SecretError.self) {
            try await slowView.remove(SecretPath("up"), deadline: deadline)
        }
        #expect(error?.code == .permissionDenied)
        #expect(guarded.asked.suffix(2) == ["write up as user", "remove up as user"])
    }

    @Test func `a backend without users of its own refuses credentials`() async throws {
        let error = await #expect(throws: SecretError.self) {
            try await model.view(for: SecretBytes("token"), deadline: deadline)
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("memory") == true)
    }
}
