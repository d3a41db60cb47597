import Foundation
import PosternAudit
import PosternClient
import PosternProtocol
import PosternWire
import Synchronization
import TestPrograms
import Testing

/// kill -9 in a storm of calls: what was acknowledged is there afterwards, in the store and in the audit log.
@Suite(.timeLimit(.minutes(3))) struct CrashTests {
    private struct Acknowledged: Sendable {
        let action: String
        let path: String
        let version: UInt64
        let auditIndex: UInt64
        let requestID: String
        /// What was written, or read.
        let value: String
    }

    /// What was acknowledged, from many tasks.
    private final class Collected: Sendable {
        private let list = Mutex<[Acknowledged]>([])
        var all: [Acknowledged] { list.withLock { $0 } }
        func add(_ done: Acknowledged) -> Int {
            list.withLock {
                $0.append(done)
                return $0.count
            }
        }
    }

    private static let rounds = 10
    private static let names = (0..<4).map { "storm/\($0)" }

    @Test func `nothing acknowledged is lost by kill -9, in the store or in the audit log`() async throws {
        try await withGateway { gateway in
            var all: [Acknowledged] = []
            try await gateway.client { client in
                for name in Self.names {
                    try await client.put(name, "first")
                    var change = Postern_V1_UpdateMetadataRequest()
                    (change.path, change.maxVersions) = (name, 100_000)
                    _ = try await client.updateMetadata(change)
                }
            }
            for round in 0..<Self.rounds {
                all += try await Self.storm(gateway, round)
                #expect(!gateway.isRunning)
                try await gateway.start()
            }
            #expect(all.count >= Self.rounds * 50)
            try await Self.checkStore(gateway, all)
            try Self.checkAudit(gateway, all)
            let verified = try await gateway.command(
                ["audit", "verify", "--directory", gateway.auditDirectory], as: "operator")
            #expect(verified.code == 0, "\(verified.summary)")
        }
    }

    /// Calls from many tasks until the gateway, killed in the middle, answers no more.
    private static func storm(_ gateway: GatewayUnderTest, _ round: Int) async throws -> [Acknowledged] {
        let results = Collected()
        let enough = Int.random(in: 60...200)
        try await gateway.client(timeout: .seconds(20)) { client in
            await withTaskGroup(of: Void.self) { group in
                for task in 0..<16 {
                    group.addTask {
                        var number = 0
                        // The call that fails is the one that was not acknowledged.
                        while let done = try? await call(client, round, task, number) {
                            number += 1
                            if results.add(done) == enough { gateway.signal(SIGKILL) }
                        }
                    }
                }
            }
        }
        let ending = try await gateway.end(by: SIGKILL)
        #expect(ending.wasSignalled && ending.code == SIGKILL)
        return results.all
    }

    private static func call(
        _ client: PosternClient, _ round: Int, _ task: Int, _ number: Int
    ) async throws -> Acknowledged {
        let path = names[(task + number) % names.count]
        guard number % 4 != 3 else {
            let read = try await client.get(path)
            return Acknowledged(
                action: "secret.read", path: path, version: read.version, auditIndex: read.audit.index,
                requestID: read.audit.requestID, value: String(decoding: read.fields[0].value, as: UTF8.self))
        }
        let value = "round \(round) task \(task) number \(number)"
        let written = try await client.put(path, value)
        return Acknowledged(
            action: "secret.write", path: path, version: written.version.version, auditIndex: written.audit.index,
            requestID: written.audit.requestID, value: value)
    }

    private static func checkStore(_ gateway: GatewayUnderTest, _ all: [Acknowledged]) async throws {
        let versions = Set(all.filter { $0.action == "secret.write" }.map { "\($0.path)@\($0.version)" })
        #expect(versions.count == all.count { $0.action == "secret.write" }, "no version was given out twice")
        try await gateway.client { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for part in 0..<16 {
                    group.addTask {
                        for done in all.enumerated().filter({ $0.offset % 16 == part }).map(\.element) {
                            let value = try await client.value(done.path, version: done.version)
                            #expect(value == done.value, "\(done)")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    private static func checkAudit(_ gateway: GatewayUnderTest, _ all: [Acknowledged]) throws {
        let records = try gateway.auditRecords()
        #expect(records.map(\.index) == Array(0..<UInt64(records.count)))
        for done in all {
            let record = try #require(
                records.indices.contains(Int(done.auditIndex)) ? records[Int(done.auditIndex)] : nil)
            #expect(record.action == done.action)
            #expect(record.path == done.path)
            #expect(record.version == Int(done.version))
            #expect(record.outcome == "ok")
            #expect(record.record["request_id"]?.text == done.requestID)
        }
    }
}
