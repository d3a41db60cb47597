import BackendConformance
import PosternProtocol
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
}
