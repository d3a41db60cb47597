// Callers' own credentials for the store, through the whole pipeline: policy first, then the store, and a record of both.

import BackendConformance
import Foundation
import PosternAudit
import PosternCore
import PosternPolicy
import PosternProtocol
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct PassThroughTests {
    private static let canary = "hvs.CANARYq7Zr2wXv9LmT4"

    private let fixture: GatewayFixture
    private let store: GuardedBackend

    init() throws {
        (fixture, store) = try Self.make(.optional)
    }

    private static func make(
        _ mode: StoreCredentials, cached: Bool = false
    ) throws -> (GatewayFixture, GuardedBackend) {
        let guarded = Mutex<GuardedBackend?>(nil)
        let fixture = try GatewayFixture(storeCredentials: mode) { inner in
            let store = GuardedBackend(inner)
            guarded.withLock { $0 = store }
            return cached ? ReadCache(store) : store
        }
        let store = try #require(guarded.withLock { $0 })
        store.admit(canary, as: .init("alice"))
        store.admit("token-of-bob", as: .init("bob") { _, _ in false })
        return (fixture, store)
    }

    private func path(_ text: String) throws -> SecretPath { try SecretPath(text) }

    private func put(_ text: String) async throws {
        _ = try await fixture.store.inner.write(
            path(text), Payload(value: SecretBytes("v")), expecting: nil, deadline: .after(.seconds(300)))
    }

    private func expectError(
        _ code: SecretError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
    ) async -> AuditedError? {
        let error = await #expect(throws: AuditedError.self, sourceLocation: sourceLocation) { _ = try await body() }
        #expect(error?.error.code == code, "\(error?.error.message ?? "")", sourceLocation: sourceLocation)
        #expect(error?.auditIndex != nil, "it is on record", sourceLocation: sourceLocation)
        return error
    }

    /// Who the store said that it was, as a record has it.
    private func identity(_ record: [String: Any]?) -> [String] {
        let detail = record?["detail"] as? [String: Any]
        return ["test_accessor", "test_entity"].compactMap { detail?[$0] as? String }
    }

    private let alice = ["accessor-alice", "entity-alice"]

    @Test func `a read with a token is done as its bearer, and the record tells who that is`() async throws {
        try await put("a/x")
        let answer = try await fixture.gateway.read(
            path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context(token: Self.canary))
        #expect(answer.value.payload["value"] == SecretBytes("v"))
        #expect(store.asked == ["view as alice", "read a/x as alice"])
        let records = try fixture.records()
        #expect(records.count == 1)
        #expect(identity(records.first) == alice)
        #expect((records.first?["actor"] as? [String: Any])?["principal"] as? String == "reader")
    }

    @Test func `a denial by policy asks the store nothing, not even who the token's bearer is`() async throws {
        let (reader, context) = (fixture.caller("reader"), try fixture.context(token: Self.canary))
        let gateway = fixture.gateway
        _ = await expectError(.permissionDenied) {
            try await gateway.read(path("a/hidden"), version: nil, by: reader, context)
        }
        _ = await expectError(.permissionDenied) { try await gateway.list(ListQuery(), by: reader, context) }
        _ = await expectError(.permissionDenied) { try await gateway.remove(path("a/x"), by: reader, context) }
        _ = await expectError(.permissionDenied) {
            try await gateway.describe(path("b/x"), by: fixture.caller("stranger"), context)
        }
        let results = try await gateway.batchRead([path("b/x"), path("a/hidden")], by: reader, context)
        #expect(results.count == 2)
        #expect(store.asked.isEmpty)
        #expect(try fixture.records().allSatisfy { identity($0).isEmpty })
    }

    @Test func `what the store denies is recorded with the rule that allowed it and with who the bearer is`()
        async throws
    {
        try await put("a/x")
        let error = await expectError(.permissionDenied) {
            try await fixture.gateway.read(
                path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context(token: "token-of-bob"))
        }
        #expect(error?.error.message == "The store does not let you read a/x.")
        let record = try fixture.records().first
        #expect(record?["decision"] as? String == "allow")
        #expect(record?["rule"] as? String == "reader-reads-a")
        #expect(record?["outcome"] as? String == "permission_denied")
        #expect(identity(record) == ["accessor-bob", "entity-bob"])
    }

    @Test func `every refusal of a token that the store does not know is recorded, however many`() async throws {
        try await put("a/x")
        for _ in 0..<100 {
            _ = await expectError(.unauthenticated) {
                try await fixture.gateway.read(
                    path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context(token: "unknown"))
            }
        }
        let records = try fixture.records()
        #expect(records.count == 100)
        #expect(records.allSatisfy { $0["outcome"] as? String == "unauthenticated" })
        #expect(fixture.store.asked.isEmpty)
    }

    @Test func `every change is made as the bearer, and both its records tell who that is`() async throws {
        let (gateway, writer) = (fixture.gateway, fixture.caller("writer"))
        let (secret, context) = (try path("a/x"), try fixture.context(token: Self.canary))
        _ = try await gateway.write(
            secret, Payload(value: SecretBytes("v")), expecting: 0, by: writer, context)
        _ = try await gateway.updateMetadata(secret, MetadataChange(labels: ["team": "a"]), by: writer, context)
        _ = try await gateway.delete(secret, versions: [], by: writer, context)
        _ = try await gateway.undelete(secret, versions: [1], by: writer, context)
        _ = try await gateway.describe(secret, by: writer, context)
        _ = try await gateway.list(ListQuery(prefix: PathPrefix("a")), by: writer, context)
        _ = try await gateway.destroy(secret, versions: [1], by: writer, context)
        _ = try await gateway.remove(secret, by: writer, context)
        #expect(
            store.asked.filter { !$0.hasPrefix("view") }
                == [
                    "write a/x as alice", "updateMetadata a/x as alice", "delete a/x as alice", "undelete a/x as alice",
                    "describe a/x as alice", "list as alice", "destroy a/x as alice", "remove a/x as alice",
                ])
        let records = try fixture.records()
        #expect(records.count == 14, "six changes with two records each, and two reads")
        #expect(records.allSatisfy { identity($0) == alice })
        #expect((records.first?["detail"] as? [String: Any])?["expecting"] as? String == "0")
    }

    @Test func `a change that the store denies has an attempt and an outcome that tell who asked`() async throws {
        _ = await expectError(.permissionDenied) {
            try await fixture.gateway.write(
                path("a/x"), Payload(value: SecretBytes("v")), expecting: nil, by: fixture.caller("writer"),
                fixture.context(token: "token-of-bob"))
        }
        let records = try fixture.records()
        #expect(records.map { $0["phase"] as? String } == ["attempt", "outcome"])
        #expect(records.allSatisfy { identity($0) == ["accessor-bob", "entity-bob"] })
        #expect(fixture.store.asked.isEmpty)
    }

    @Test func `a batch looks at its token once, and each of its records tells who that is`() async throws {
        for text in ["a/x", "a/y", "a/hidden"] { try await put(text) }
        let results = try await fixture.gateway.batchRead(
            [path("a/x"), path("a/hidden"), path("a/y")], by: fixture.caller("reader"),
            fixture.context(token: Self.canary))
        #expect(try results[0].get().value.path == path("a/x"))
        #expect(try results[2].get().value.path == path("a/y"))
        #expect(store.asked == ["view as alice", "read a/x as alice", "read a/y as alice"])
        #expect(try fixture.records().map(identity) == [alice, [], alice])
    }

    @Test func `a batch whose token is refused looks at it once, and answers no path`() async throws {
        try await put("a/x")
        let results = try await fixture.gateway.batchRead(
            [path("a/x"), path("a/x"), path("a/x")], by: fixture.caller("reader"), fixture.context(token: "unknown"))
        for result in results {
            guard case .failure(let failure) = result else {
                Issue.record("it was answered")
                continue
            }
            #expect(failure.error.code == .unauthenticated)
        }
        #expect(store.asked == ["view as "])
        #expect(try fixture.records().count == 3)
    }

    @Test func `a gateway that passes no tokens through refuses calls that bring one`() async throws {
        let (fixture, store) = try Self.make(.refused)
        let (caller, context) = (fixture.caller("writer"), try fixture.context(token: Self.canary))
        for call in 0..<3 {
            let error = await expectError(.invalidArgument) {
                switch call {
                case 0: _ = try await fixture.gateway.read(path("a/x"), version: nil, by: caller, context)
                case 1: _ = try await fixture.gateway.list(ListQuery(), by: caller, context)
                default: _ = try await fixture.gateway.remove(path("a/x"), by: caller, context)
                }
            }
            #expect(error?.error.message.contains("passes no tokens through") == true)
        }
        #expect(store.asked.isEmpty)
        let batch = try await fixture.gateway.batchRead([path("a/x")], by: caller, context)
        guard case .failure(let failure) = batch[0] else { throw failureExpected }
        #expect(failure.error.code == .invalidArgument)
        _ = try await fixture.gateway.list(ListQuery(), by: caller, fixture.context())
        #expect(store.asked == ["list"])
    }

    private let failureExpected = SecretError(.internalError, "It was answered.")

    @Test func `where a token is required, a service without one is told which header to send`() async throws {
        let (fixture, store) = try Self.make(.required(header: "x-token"))
        let error = await expectError(.unauthenticated) {
            try await fixture.gateway.read(path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context())
        }
        #expect(error?.error.message.contains("x-token") == true)
        _ = await expectError(.unauthenticated) {
            try await fixture.gateway.remove(path("a/x"), by: fixture.caller("writer"), fixture.context())
        }
        #expect(store.asked.isEmpty)
        _ = try await fixture.gateway.write(
            path("a/x"), Payload(value: SecretBytes("v")), expecting: nil, by: fixture.caller("writer"),
            fixture.context(token: Self.canary))

        // People at the admin API have no token of the store's; policy alone decides.
        let person = Caller(credential: .adminKey(name: "operator"), address: nil)
        _ = try await fixture.gateway.read(
            path("a/x"), version: nil, by: person, fixture.context(reason: "incident 12"))
        #expect(store.asked.last == "read a/x")
        // What is no matter of the store's needs none either.
        _ = await expectError(.permissionDenied) {
            try await fixture.gateway.readAudit(by: fixture.caller("writer"), fixture.context()) {
                () throws(SecretError) in 1
            }
        }
    }

    @Test func `an optional token that is not sent leaves everything as it was`() async throws {
        try await put("a/x")
        _ = try await fixture.gateway.read(
            path("a/x"), version: nil, by: fixture.caller("reader"), fixture.context())
        #expect(store.asked == ["read a/x"])
        #expect(try fixture.records().first?["detail"] == nil)
    }

    @Test func `a cached answer goes only to tokens that the store has accepted, and both are on record`() async throws
    {
        let (fixture, store) = try Self.make(.optional, cached: true)
        let reader = fixture.caller("reader")
        _ = try await fixture.store.inner.write(
            path("a/x"), Payload(value: SecretBytes("v")), expecting: nil, deadline: .after(.seconds(300)))
        for _ in 0..<2 {
            _ = try await fixture.gateway.read(
                path("a/x"), version: nil, by: reader, fixture.context(token: Self.canary))
        }
        _ = await expectError(.permissionDenied) {
            try await fixture.gateway.read(
                path("a/x"), version: nil, by: reader, fixture.context(token: "token-of-bob"))
        }
        #expect(
            store.asked == ["view as alice", "read a/x as alice", "view as bob", "read a/x as bob"])
        let records = try fixture.records()
        #expect(records.map { $0["served_from"] as? String } == ["backend", "cache", nil])
        #expect(records.map(identity) == [alice, alice, ["accessor-bob", "entity-bob"]])
    }

    @Test(arguments: [true, false])
    func `no record, metric or error has the token`(cached: Bool) async throws {
        let (fixture, store) = try Self.make(.optional, cached: cached)
        let (gateway, writer) = (fixture.gateway, fixture.caller("writer"))
        let context = try fixture.context(token: Self.canary)
        var said: [String] = []
        for step in 0..<4 {
            switch step {
            case 1: store.admit(Self.canary, as: .init("alice") { _, _ in false })
            case 2: store.revoke(Self.canary)
            case 3: store.setDown(true)
            default: break
            }
            let secret = try path("a/\(step)")
            let payload = try Payload(value: SecretBytes("v"))
            do throws(AuditedError) {
                _ = try await gateway.write(secret, payload, expecting: nil, by: writer, context)
                _ = try await gateway.read(secret, version: nil, by: writer, context)
            } catch {
                said.append("\(error.error)")
            }
            let hidden = try path("a/hidden")
            do throws(AuditedError) {
                _ = try await gateway.read(hidden, version: nil, by: fixture.caller("reader"), context)
            } catch {
                said.append("\(error.error)")
            }
            said += try await gateway.batchRead([secret], by: writer, context).map { "\($0)" }
        }
        #expect(said.count == 11)
        said.append(gateway.metrics.exposition())
        said.append("\(context) \(String(reflecting: context))")
        var dumped = ""
        dump(context, to: &dumped)
        said.append(dumped)

        let bytes = Data(Self.canary.utf8)
        let disguises = [
            bytes, Data(Self.canary.utf8.hexadecimal.utf8), Data(bytes.base64EncodedString().dropLast(4).utf8),
        ]
        let audit = fixture.directory + "/audit"
        fixture.audit.close()
        let files = try FileManager.default.subpathsOfDirectory(atPath: audit).filter { name in
            try URL(filePath: audit + "/" + name).resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true
        }
        #expect(!files.isEmpty)
        for disguise in disguises {
            for text in said { #expect(Data(text.utf8).range(of: disguise) == nil) }
            for name in files {
                let content = try Data(contentsOf: URL(filePath: audit + "/" + name))
                #expect(content.range(of: disguise) == nil)
                guard name.hasSuffix(".wal") else { continue }
                #expect(content.range(of: Data("accessor-alice".utf8)) != nil)
            }
        }
    }
}
