import Foundation
import PosternClient
import PosternProtocol
import PosternWire
import Synchronization
import Testing

/// SecretService through grpc-swift's client.
@Suite(.timeLimit(.minutes(3))) struct SecretServiceTests {
    @Test func `a secret goes through its whole life, and each step is on record where the answer says`() async throws {
        try await withGateway { gateway in
            try Self.check(try await gateway.client { try await Self.live($0) }, against: gateway)
        }
    }

    /// Something that was done, and where its answer says that the audit log has it.
    private struct Done: Sendable {
        let action: String
        let index: UInt64
    }

    private static func check(_ all: [Done], against gateway: GatewayUnderTest) throws {
        let records = try gateway.auditRecords()
        for done in all {
            let record = try #require(records.first { $0.index == done.index })
            #expect(record.action == done.action)
            #expect(record.outcome == "ok")
            #expect(record.principal == "operator")
            #expect(record.path == "db/main")
            #expect(record.record["phase"]?.text == "outcome")
        }
        // Everything but reading was also recorded before it was attempted.
        // (The gateway's own check of its keys is on record too.)
        let attempts = records.filter { $0.record["phase"]?.text == "attempt" }.compactMap(\.action)
            .filter { $0.hasPrefix("secret.") }
        #expect(attempts == all.map(\.action).filter { !["secret.read", "secret.describe"].contains($0) })
    }

    private static func live(_ client: PosternClient) async throws -> [Done] {
        var done: [Done] = []
        var put = Postern_V1_PutRequest()
        put.path = "db/main"
        put.fields = ["user": "app", "password": "\0\u{1}binary"].sorted { $0.key > $1.key }.map { name, value in
            var field = Postern_V1_Field()
            (field.name, field.value) = (name, Data(value.utf8))
            return field
        }
        put.expectedVersion = 0
        let written = try await client.put(put)
        #expect(written.version.version == 1)
        done.append(Done(action: "secret.write", index: written.audit.index))

        let read = try await client.get("db/main")
        #expect(read.fields == put.fields)
        #expect(read.version == 1)
        #expect(read.etag == written.version.etag)
        #expect(!read.etag.isEmpty)
        done.append(Done(action: "secret.read", index: read.audit.index))

        var change = Postern_V1_UpdateMetadataRequest()
        change.path = "db/main"
        change.maxVersions = 5
        change.setLabels = ["owner": "data"]
        let changed = try await client.updateMetadata(change)
        #expect(changed.secret.maxVersions == 5)
        #expect(changed.secret.labels == ["owner": "data"])
        done.append(Done(action: "secret.update_metadata", index: changed.audit.index))
        let second = try await client.put("db/main", "second")
        done.append(Done(action: "secret.write", index: second.audit.index))
        #expect(try await client.get("db/main").labels == ["owner": "data"])

        let versions: [UInt64] = [2]
        var deletion = Postern_V1_DeleteRequest()
        deletion.path = "db/main"
        done.append(Done(action: "secret.delete", index: try await client.delete(deletion).audit.index))
        let gone = await #expect(throws: ClientError.self) { try await client.get("db/main") }
        #expect(gone?.error.code == .versionDeleted)
        var undeletion = Postern_V1_UndeleteRequest()
        (undeletion.path, undeletion.versions) = ("db/main", versions)
        done.append(Done(action: "secret.undelete", index: try await client.undelete(undeletion).audit.index))
        #expect(try await client.value("db/main") == "second")
        var destruction = Postern_V1_DestroyRequest()
        (destruction.path, destruction.versions) = ("db/main", versions)
        done.append(Done(action: "secret.destroy", index: try await client.destroy(destruction).audit.index))
        let destroyed = await #expect(throws: ClientError.self) { try await client.get("db/main", version: 2) }
        #expect(destroyed?.error.code == .versionDestroyed)

        var question = Postern_V1_DescribeRequest()
        question.path = "db/main"
        let description = try await client.describe(question)
        #expect(description.secret.versions.map(\.state) == [.available, .destroyed])
        done.append(Done(action: "secret.describe", index: description.audit.index))

        var removal = Postern_V1_RemoveRequest()
        removal.path = "db/main"
        done.append(Done(action: "secret.remove", index: try await client.remove(removal).audit.index))
        let absent = await #expect(throws: ClientError.self) { try await client.get("db/main") }
        #expect(absent?.error.code == .notFound)
        return done
    }

    @Test func `a batch answers each path by itself and in order`() async throws {
        try await withGateway { gateway in
            try await gateway.client { client in
                try await client.put("llm/a", "A")
                try await client.put("llm/b", "B")
                try await client.put("billing/c", "C")
            }
            var request = Postern_V1_BatchGetRequest()
            request.paths = ["llm/b", "billing/c", "llm/none", "llm/a", "billing/none"]
            let response = try await gateway.client(as: "gateway") { [request] in try await $0.batchGet(request) }
            let answers = response.items.map { item in
                switch item.result {
                case .secret(let secret)?: String(decoding: secret.fields[0].value, as: UTF8.self)
                case .error(let error)?: error.code
                case nil: "nothing"
                }
            }
            #expect(answers == ["B", "permission_denied", "not_found", "A", "permission_denied"])
            let records = try gateway.auditRecords().suffix(5)
            #expect(records.map(\.path) == request.paths)
            #expect(records.map(\.outcome) == ["ok", "permission_denied", "not_found", "ok", "permission_denied"])
        }
    }

    @Test func `an etag that still holds saves sending the value, until it changes`() async throws {
        try await withGateway { gateway in
            try await gateway.client { client in
                try await client.put("a", "one")
                var request = Postern_V1_GetRequest()
                request.path = "a"
                request.ifNoneMatch = try await client.get("a").etag
                let same = try await client.get(request)
                #expect(same.notModified)
                #expect(same.fields.isEmpty)
                // Removed and made again: the same version number, another etag.
                var removal = Postern_V1_RemoveRequest()
                removal.path = "a"
                _ = try await client.remove(removal)
                try await client.put("a", "two")
                let changed = try await client.get(request)
                #expect(!changed.notModified)
                #expect(changed.version == 1)
                #expect(changed.fields.map(\.value) == [Data("two".utf8)])
            }
        }
    }

    @Test func `whoever may not read learns nothing about what exists`() async throws {
        try await withGateway { gateway in
            try await gateway.client { _ = try await $0.put("llm/there", "x") }
            let there = try await gateway.refusal(as: "billing") { _ = try await $0.get("llm/there") }
            let absent = try await gateway.refusal(as: "billing") { _ = try await $0.get("llm/absent") }
            #expect(there.error.code == .permissionDenied)
            #expect(
                there.error.message.replacing("llm/there", with: "")
                    == absent.error.message.replacing("llm/absent", with: ""))
            let names = Mutex<[String]>([])
            try await gateway.client { client in
                try await client.put("billing/mine", "y")
            }
            try await gateway.client(as: "billing") { client in
                var request = Postern_V1_ListRequest()
                request.recursive = true
                try await client.list(request) { page in names.withLock { $0 += page.entries.map(\.key) } }
            }
            #expect(names.withLock { $0 } == ["billing/mine"])
        }
    }
}
