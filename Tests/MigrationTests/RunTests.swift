import Migration
import PosternProtocol
import Synchronization
import Testing

/// What writers were told.
private final class Told: Sendable {
    /// By path and version: what was written.
    let acknowledged = Mutex<[String: Int]>([:])
    let stop = Mutex(false)
    let refused = Mutex(0)

    var count: Int { acknowledged.withLock { $0.count } }

    func wait(for count: Int) async throws {
        while self.count < count { try await Task.sleep(for: .milliseconds(5)) }
    }
}

@Suite struct RunTests {
    private func write(_ store: any SecretBackend, _ path: String, _ value: String) async throws {
        _ = try await store.write(
            SecretPath(path), Payload(value: SecretBytes(value)), expecting: nil, deadline: .patient)
    }

    /// Secrets with all that can happen to them.
    private func fill(_ store: any SecretBackend, count: Int = 20) async throws {
        for index in 0..<count {
            for version in 0...(index % 4) { try await write(store, "llm/s\(index)", "value \(index).\(version)") }
        }
        for _ in 0..<13 { try await write(store, "deep/er/secret", "pruned") }
        try await store.delete(SecretPath("llm/s3"), versions: [2, 4], deadline: .patient)
        try await store.destroy(SecretPath("llm/s7"), versions: [1], deadline: .patient)
        _ = try await store.updateMetadata(
            SecretPath("llm/s1"), MetadataChange(maxVersions: 3, labels: ["team": "payments"]), deadline: .patient)
    }

    @Test func `everything arrives, value by value, and a second run has nothing to do`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            let journal = Journal()
            let report = try await stores.run(journal: journal).run(cutsOver: false)
            #expect(report.isGood)
            #expect(report.copiedSecrets == 21)
            #expect(report.comparedSecrets == 21)
            #expect(report.sourceDigest == report.targetDigest && report.sourceDigest.count == 64)
            #expect(report.sourceValuesDigest == report.targetValuesDigest)
            #expect(try await stores.differences() == [])
            #expect(journal.events.first == "begins" && journal.events.last == "ends")
            #expect(journal.events.contains("changed deep/er/secret [4, 5, 6, 7, 8, 9, 10, 11, 12, 13]"))
            let again = try await stores.run().run(cutsOver: false)
            #expect(again.isGood && again.copiedSecrets == 0 && again.comparedSecrets == 21)
            #expect(again.sourceDigest == report.sourceDigest)
        }
    }

    @Test func `a dry run changes nothing and says what would be`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            let report = try await stores.run().dryRun()
            #expect(report.copiedSecrets == 21)
            #expect(try await stores.names(stores.target) == [])
            #expect(try await MigrationRecords(store: stores.source).read(deadline: .patient) == nil)
        }
    }

    @Test func `what cannot be recorded is not done`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source, count: 8)
            let journal = Journal()
            journal.fill()
            await #expect(throws: SecretError.self) { try await stores.run(journal: journal).run(cutsOver: true) }
            #expect(try await stores.names(stores.target) == [])
            #expect(try await MigrationRecords(store: stores.source).read(deadline: .patient) == nil)
        }
    }

    @Test func `a version that was altered in the target is found, named, not cut over, and repaired where wanted`()
        async throws
    {
        try await Stores.with { stores in
            try await fill(stores.source)
            #expect(try await stores.run().run(cutsOver: false).isGood)
            let path = try SecretPath("llm/s6")
            let described = try await stores.target.describe(path, deadline: .patient)
            try await stores.target.remove(path, deadline: .patient)
            let target = stores.target
            let source = stores.source
            _ = try await target.restore(
                described, onDivergence: .refuse,
                payload: { (number) async throws(SecretError) in
                    number == 2
                        ? try Payload(value: SecretBytes("altered"))
                        : try await source.recall(path, version: number, deadline: .patient)
                }, deadline: .patient)
            let report = try await stores.run().run(cutsOver: true)
            #expect(!report.isGood)
            #expect(report.phase == .copying)
            #expect(report.differences.map(\.path) == ["llm/s6"])
            #expect(report.differences.map(\.what) == [["version 2, value"]])
            #expect(report.sourceDigest == report.targetDigest)
            #expect(report.sourceValuesDigest != report.targetValuesDigest)
            let repaired = try await stores.run(MigrationRun.Options(repairs: true, timing: Stores.timing)).run(
                cutsOver: true)
            #expect(repaired.isGood && repaired.phase == .cutOver)
            #expect(try await stores.differences() == [])
        }
    }

    @Test func `what cannot be read in the source is named, the rest arrives, and nothing is cut over`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            stores.source.damage(try SecretPath("llm/s2"))
            let report = try await stores.run().run(cutsOver: true)
            #expect(!report.isGood && report.phase == .copying)
            #expect(report.failedSecrets == 1 && report.copiedSecrets == 20)
            #expect(report.problems.count == 1 && report.problems[0].contains("llm/s2"))
            #expect(report.differences.map(\.path) == ["llm/s2"])
        }
    }

    @Test func `a target with secrets of its own is refused, and one store on both sides`() async throws {
        try await Stores.with { stores in
            try await write(stores.source, "a", "v")
            try await write(stores.target, "b", "its own")
            let refused = await #expect(throws: SecretError.self) { try await stores.run().run(cutsOver: false) }
            #expect(refused?.code == .conflict)
            #expect(refused?.message.contains("--overwrite") == true)
            let records = MigrationRecords(store: stores.source)
            let run = MigrationRun(
                source: stores.source, target: stores.source, sourceRecords: records, targetRecords: records,
                names: ("a", "a"), journal: Journal(),
                options: MigrationRun.Options(overwrites: true, timing: Stores.timing))
            let same = await #expect(throws: SecretError.self) { try await run.run(cutsOver: false) }
            #expect(same?.code == .invalidArgument)
            #expect(same?.message.contains("rewrap") == true)
            let forced = try await stores.run(MigrationRun.Options(overwrites: true, timing: Stores.timing))
                .run(cutsOver: false)
            #expect(forced.isGood && forced.removedSecrets == 1)
        }
    }

    @Test func `the target is off: writes go on, are copied later, and nothing is missing`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            #expect(try await stores.run().run(cutsOver: false).isGood)
            let gateway = stores.gateway()
            stores.target.turn(off: true)
            for index in 0..<5 { try await write(gateway, "llm/s\(index)", "while off") }
            try await gateway.remove(SecretPath("llm/s9"), deadline: .patient)
            stores.target.turn(off: false)
            #expect(try await stores.differences() != [])
            let report = try await stores.run().run(cutsOver: true)
            #expect(report.phase == .cutOver)
            #expect(try await stores.differences() == [])
            let removed = await #expect(throws: SecretError.self) {
                try await gateway.read(SecretPath("llm/s9"), version: nil, deadline: .patient)
            }
            #expect(removed?.code == .notFound)
        }
    }

    @Test func `a change that missed its copy after everything was compared is copied before cutting over`()
        async throws
    {
        try await Stores.with { stores in
            try await fill(stores.source)
            let journal = Journal()
            let gateway = stores.gateway()
            journal.onEntering { phase in
                guard phase == .draining else { return }
                stores.target.turn(off: true)
                await #expect(throws: Never.self) {
                    try await self.write(gateway, "llm/s0", "last")
                    try await gateway.remove(SecretPath("llm/s1"), deadline: .patient)
                    try await gateway.delete(SecretPath("llm/s2"), versions: [1], deadline: .patient)
                }
                stores.target.turn(off: false)
            }
            let report = try await stores.run(journal: journal).run(cutsOver: true)
            #expect(report.phase == .cutOver)
            #expect(try await stores.differences() == [])
        }
    }

    @Test func `a write that is stuck in the source until the target decides is not acknowledged`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            #expect(try await stores.run().run(cutsOver: false).isGood)
            let gateway = stores.gateway()
            let (stuck, isStuck) = AsyncStream<Void>.makeStream()
            let (released, release) = AsyncStream<Void>.makeStream()
            stores.source.hold {
                isStuck.yield()
                for await _ in released { return }
            }
            async let outcome = await #expect(throws: SecretError.self) {
                try await self.write(gateway, "llm/s0", "stuck")
            }
            for await _ in stuck { break }
            #expect(try await stores.run().run(cutsOver: true).phase == .cutOver)
            release.yield()
            let error = await outcome
            #expect(error?.code == .backendUnavailable)
            #expect(error?.message.contains("not known") == true)
            let read = try await gateway.read(SecretPath("llm/s0"), version: nil, deadline: .patient)
            #expect(read.payload["value"] != SecretBytes("stuck"))
        }
    }

    @Test func `a write that began before the copying and ends in it is copied`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            let gateway = stores.gateway()
            let (stuck, isStuck) = AsyncStream<Void>.makeStream()
            let (released, release) = AsyncStream<Void>.makeStream()
            stores.source.hold {
                isStuck.yield()
                for await _ in released { return }
            }
            async let writing: Void = self.write(gateway, "llm/s0", "slow")
            for await _ in stuck { break }
            #expect(try await stores.run().run(cutsOver: false).isGood)
            release.yield()
            try await writing
            #expect(try await stores.differences() == [])
        }
    }

    @Test func `once it is cut over, the source is not needed, and a removed secret does not come back`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            let report = try await stores.run().run(cutsOver: true)
            #expect(report.phase == .cutOver)
            stores.source.turn(off: true)
            let gateway = stores.gateway()
            try await write(gateway, "llm/s0", "new")
            try await gateway.remove(SecretPath("llm/s5"), deadline: .patient)
            // One whose source is another store must not take this target for its own.
            let other = await #expect(throws: SecretError.self) {
                try await stores.gateway(sourceName: "another").read(
                    SecretPath("llm/s0"), version: nil, deadline: .patient)
            }
            #expect(other?.code == .backendUnavailable)
            let started = try await stores.gateway().read(SecretPath("llm/s0"), version: nil, deadline: .patient)
            #expect(started.info.number == 2)
            stores.source.turn(off: false)
            for gateway in [gateway, stores.gateway()] {
                let read = try await gateway.read(SecretPath("llm/s0"), version: nil, deadline: .patient)
                #expect(read.payload["value"] == SecretBytes("new"))
                let removed = await #expect(throws: SecretError.self) {
                    try await gateway.read(SecretPath("llm/s5"), version: nil, deadline: .patient)
                }
                #expect(removed?.code == .notFound)
            }
            await #expect(throws: SecretError.self) { try await stores.run().abort() }
        }
    }

    @Test func `changes with a caller's own credential are copied too, and such a view ends with the source`()
        async throws
    {
        try await Stores.with { stores in
            try await fill(stores.source)
            #expect(try await stores.run().run(cutsOver: false).isGood)
            let gateway = stores.gateway()
            let view = try await gateway.view(for: SecretBytes("token"), deadline: .patient)
            #expect(view.identity == ["user": "somebody"])
            try await write(view.backend, "llm/s0", "by the caller")
            #expect(try await stores.differences() == [])
            #expect(try await stores.run().run(cutsOver: true).phase == .cutOver)
            // What the gateway knew of the phase is too old by then.
            try await Task.sleep(for: Stores.timing.staleness * 2)
            for attempt in ["read", "write"] {
                let ended = await #expect(throws: SecretError.self) {
                    if attempt == "write" { try await write(view.backend, "llm/s0", "too late") }
                    _ = try await view.backend.read(SecretPath("llm/s0"), version: nil, deadline: .patient)
                }
                #expect(ended?.code == .backendUnavailable)
            }
            let fresh = try await gateway.view(for: SecretBytes("token"), deadline: .patient)
            let read = try await fresh.backend.read(SecretPath("llm/s0"), version: nil, deadline: .patient)
            #expect(read.payload["value"] == SecretBytes("by the caller"))
        }
    }

    @Test func `given up, the source decides alone, and the next attempt needs no permission`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            #expect(try await stores.run().abort() == false)
            #expect(try await stores.run().run(cutsOver: false).isGood)
            #expect(try await stores.run().abort())
            try await write(stores.gateway(), "llm/s0", "after")
            #expect(try await stores.differences() != [])
            #expect(try await stores.run().run(cutsOver: true).phase == .cutOver)
            #expect(try await stores.differences() == [])
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `writers go on through the whole migration, and no acknowledged write is missing`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source)
            let told = Told()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<6 {
                    // Several gateways.
                    let gateway = stores.gateway()
                    group.addTask { try await Self.hammer(gateway, writer, told) }
                }
                group.addTask {
                    try await told.wait(for: 50)
                    let report = try await stores.run().run(cutsOver: true)
                    #expect(report.phase == .cutOver, "\(report)")
                    try await told.wait(for: told.count + 50)
                    told.stop.withLock { $0 = true }
                }
                try await group.waitForAll()
            }
            #expect(told.refused.withLock { $0 } > 0)
            let gateway = stores.gateway()
            var newest: [String: Int] = [:]
            for (key, _) in told.acknowledged.withLock({ $0 }) {
                let parts = key.split(separator: "@")
                newest[String(parts[0])] = max(newest[String(parts[0])] ?? 0, Int(parts[1]) ?? 0)
            }
            for (path, version) in newest {
                let described = try await gateway.describe(SecretPath(path), deadline: .patient)
                #expect(described.currentVersion >= version)
                for info in described.versions {
                    guard let count = told.acknowledged.withLock({ $0["\(path)@\(info.number)"] }) else { continue }
                    let read = try await gateway.read(SecretPath(path), version: info.number, deadline: .patient)
                    let writer = path.dropFirst(2).prefix(1)
                    #expect(read.payload["value"] == SecretBytes("\(writer) \(count)"))
                }
            }
        }
    }

    private static func hammer(_ gateway: MigratingBackend, _ writer: Int, _ told: Told) async throws {
        var count = 0
        while !told.stop.withLock({ $0 }) {
            count += 1
            let (path, value) = ("w/\(writer)-\(count % 5)", count)
            do {
                let info = try await gateway.write(
                    SecretPath(path), Payload(value: SecretBytes("\(writer) \(count)")), expecting: nil,
                    deadline: .patient)
                told.acknowledged.withLock { $0["\(path)@\(info.number)"] = value }
            } catch {
                guard error.code == .backendUnavailable else { throw error }
                told.refused.withLock { $0 += 1 }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    @Test func `a command that dies while draining is taken for dead, and writes go on`() async throws {
        try await Stores.with { stores in
            try await fill(stores.source, count: 8)
            #expect(try await stores.run().run(cutsOver: false).isGood)
            let records = MigrationRecords(store: stores.source)
            // As a killed command leaves it: draining, under a lease that nobody renews.
            let path = try SecretPath.reserved("migration/state")
            let stored = try await stores.source.read(path, version: nil, deadline: .patient)
            let value = try #require(stored.payload["value"])
            let text = value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            let now = SystemWallClock().now().advanced(by: .seconds(-4))
            let dead = text.replacing(
                "\"phase\":\"copying\"",
                with: "\"lease\":{\"expires_at\":\"\(now)\",\"run\":\"dead\"},\"phase\":\"draining\"")
            #expect(dead != text)
            _ = try await stores.source.write(
                path, Payload(value: SecretBytes(dead)), expecting: nil, deadline: .patient)
            #expect(try await records.read(deadline: .patient)?.phase == .draining)
            let gateway = stores.gateway()
            var refusals = 0
            while true {
                do {
                    try await write(gateway, "llm/s0", "at last")
                    break
                } catch let error as SecretError where error.code == .backendUnavailable {
                    refusals += 1
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            #expect(refusals > 0)
            #expect(try await records.read(deadline: .patient)?.phase == .copying)
            #expect(try await stores.differences() == [])
        }
    }
}
