import BackendConformance
import Foundation
import PosternProtocol
import Testing

@testable import Envelope

@Suite struct `Destroying domain keys` {
    private let gateways = KeyGateways()
    private let wrapper = TestKeyWrapper("hsm:1")

    private func request(_ gateway: EnvelopeBackend, by principal: String = "alice") async throws {
        _ = try await gateway.requestDestruction(of: "a", confirmation: "a", by: principal, deadline: soon)
    }

    @Test func `makes everything under it unreadable for good, in every gateway and every kept version of the record`()
        async throws
    {
        let (gateway, other) = (try gateways.gateway([wrapper]), try gateways.gateway([wrapper]))
        try await gateway.put("a/x", "v")
        _ = try await gateway.rotate("a", dryRun: false, deadline: soon)
        try await gateway.put("a/y", "w")
        try await gateway.put("b/x", "kept")
        #expect(try await other.get("a/x") == "v")
        try await request(gateway)
        #expect(try await gateway.get("a/x") == "v", "nothing happens until somebody approves")
        gateways.clock.advance(by: .seconds(60))
        let done = try await gateway.approveDestruction(of: "a", by: "bob", deadline: soon)
        #expect(done.keys.allSatisfy { $0.state == .destroyed && $0.wraps.isEmpty })
        #expect(done.destruction?.requestedBy == "alice")
        #expect(done.destruction?.approvedBy == "bob")

        for reader in [gateway, try gateways.gateway([wrapper])] {
            for path in ["a/x", "a/y"] {
                await expectError(.integrityFailure, containing: "destroyed") { try await reader.get(path) }
            }
            await expectError(.integrityFailure, containing: "destroyed") { try await reader.put("a/new", "v") }
            #expect(try await reader.get("b/x") == "kept")
        }
        let record = try await gateways.store.describe(keyringPath("a"), deadline: soon)
        #expect(record.versions.filter { $0.state != .destroyed }.map(\.number) == [record.currentVersion])
        // The other gateway has it in memory until its lifetime is over, and not for the grace of an outage.
        gateways.clock.advance(by: .seconds(3_601))
        try await eventually("the other gateway has forgotten it") {
            do {
                _ = try await other.get("a/x")
                return false
            } catch let error as SecretError {
                return error.code == .integrityFailure
            }
        }
    }

    @Test func `takes the domain's name, another principal and no more than the time for it`() async throws {
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        await expectError(.conflict, containing: "Nobody has asked") {
            try await gateway.approveDestruction(of: "a", by: "bob", deadline: soon)
        }
        await expectError(.invalidArgument, containing: "confirmation") {
            try await gateway.requestDestruction(of: "a", confirmation: "A", by: "alice", deadline: soon)
        }
        try await request(gateway)
        await expectError(.permissionDenied, containing: "somebody else") {
            try await gateway.approveDestruction(of: "a", by: "alice", deadline: soon)
        }
        gateways.clock.advance(by: .seconds(86_400))
        await expectError(.conflict, containing: "expired") {
            try await gateway.approveDestruction(of: "a", by: "bob", deadline: soon)
        }
        #expect(try await gateway.get("a/x") == "v")
    }

    @Test func `that was cut short before older records were gone is completed by approving again, or by a check`()
        async throws
    {
        for completesByCheck in [true, false] {
            let gateways = KeyGateways()
            let faulty = FaultInjectingBackend(gateways.store)
            let gateway = try gateways.gateway([wrapper], over: faulty)
            try await gateway.put("a/x", "v")
            try await request(gateway)
            let path = try keyringPath("a")
            // The record is read and written; looking for its older versions fails.
            faulty.script([.none, .none, .before])
            await expectError(.backendUnavailable) {
                try await gateway.approveDestruction(of: "a", by: "bob", deadline: soon)
            }
            let halfway = try await gateways.store.describe(path, deadline: soon)
            #expect(halfway.versions.count { $0.state != .destroyed } > 1)
            await expectError(.integrityFailure, containing: "destroyed") { try await gateway.get("a/x") }
            if completesByCheck {
                _ = try await gateway.verify(domain: nil, deadline: soon)
            } else {
                _ = try await gateway.approveDestruction(of: "a", by: "bob", deadline: soon)
            }
            let whole = try await gateways.store.describe(path, deadline: soon)
            #expect(whole.versions.count { $0.state != .destroyed } == 1)
        }
    }

    @Test func `races with rotation and rewrap end with no wrap left`() async throws {
        let all = try (0..<3).map { _ in try gateways.gateway([wrapper]) }
        try await all[0].put("a/x", "v")
        try await request(all[0])
        await withTaskGroup(of: Void.self) { group in
            for gateway in all.dropFirst() {
                group.addTask {
                    for _ in 0..<10 {
                        // Refused once it is destroyed.
                        _ = try? await gateway.rotate("a", dryRun: false, deadline: soon)
                        _ = try? await gateway.keyring.rewrap(
                            "a", dropsUnconfigured: false, isDryRun: false, deadline: soon)
                    }
                }
            }
            group.addTask { _ = try? await all[0].approveDestruction(of: "a", by: "bob", deadline: soon) }
        }
        let domain = try await all[1].domain("a")
        #expect(domain.destruction?.approvedBy == "bob")
        #expect(domain.keys.allSatisfy { $0.wraps.isEmpty })
    }
}

@Suite struct `Key records of before` {
    @Test func `without the newer dates still open, and get them when they change`() async throws {
        let gateways = KeyGateways()
        let wrapper = TestKeyWrapper("hsm:1")
        let gateway = try gateways.gateway([wrapper])
        try await gateway.put("a/x", "v")
        // The record as it was written before dates of wraps were noted.
        let stored = try await gateways.store.read(keyringPath("a"), version: nil, deadline: soon)
        let text = try #require(stored.payload["value"]).text
        let old = text.replacing(try Regex(#","wrapped_at":"[^"]*""#), with: "")
        #expect(old != text)
        _ = try await gateways.store.write(
            keyringPath("a"), Payload(value: SecretBytes(old)), expecting: nil, deadline: soon)
        let fresh = try gateways.gateway([wrapper])
        #expect(try await fresh.get("a/x") == "v")
        let domain = try await fresh.domain("a")
        #expect(domain.keys[0].wraps[0].wrappedAt == domain.keys[0].createdAt, "made with their key")
        #expect(try await fresh.rotate("a", dryRun: false, deadline: soon).current == 2)
        #expect(try await fresh.get("a/x") == "v")
    }
}
