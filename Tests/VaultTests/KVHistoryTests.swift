// What Postern keeps in custom metadata of a secret's past in another store.

import Foundation
import PosternProtocol
import Testing
import VaultServers

@testable import Vault

@Suite(.timeLimit(.minutes(10))) struct `A secret's past in custom metadata` {
    private static func day(_ count: Int) -> Timestamp { Timestamp(seconds: 1_600_000_000 + Int64(count) * 86_400) }

    private static var past: SecretDescription {
        get throws {
            SecretDescription(
                path: try SecretPath("a/b"), currentVersion: 2, createdAt: day(1), updatedAt: day(2),
                metadata: SecretMetadata(labels: ["team": "x"]),
                versions: [
                    VersionInfo(number: 1, etag: ETag("1"), createdAt: day(1), state: .deleted, deletesAt: day(3)),
                    VersionInfo(number: 2, etag: ETag("2"), createdAt: day(2), state: .available),
                ])
        }
    }

    /// A mount with the secret in it.
    private func with(_ body: (VaultBackend, VaultAPI, String) async throws -> Void) async throws {
        let api = try await DevServer.shared.api
        let mount = try await api.makeKV()
        let vault = try VaultUnderTest([api.address], mount: mount, token: api.token)
        _ = try await vault.backend.restore(
            try Self.past, onDivergence: .refuse,
            payload: { (number) throws(SecretError) in try Payload(value: SecretBytes("v\(number)")) },
            deadline: .after(.seconds(120)))
        try await body(vault.backend, api, mount)
        try await vault.close()
    }

    private func custom(_ api: VaultAPI, _ mount: String) async throws -> [String: String] {
        try await api.must("GET", "\(mount)/metadata/a/b").value("data", "custom_metadata")
    }

    @Test func `is written as documented, and read back`() throws {
        var history = KVHistory(created: Timestamp(microseconds: 1))
        history.versions[1] = KVHistory.Dates(created: Timestamp(microseconds: 36))
        history.versions[2] = KVHistory.Dates(
            created: Timestamp(microseconds: 37), deletes: Timestamp(microseconds: 72),
            basis: .vault(VaultTime(seconds: 36, nanoseconds: 5)))
        history.versions[3] = KVHistory.Dates(
            created: Timestamp(microseconds: -1), deletes: Timestamp(microseconds: 72), basis: .recall)
        #expect(history.entries == ["postern.history.0": "0=1 1=10 2=11,20,10.5 3=-1,20,*"])
        var read = KVHistory()
        for (name, value) in history.entries { read.read(name, value) }
        #expect(read == history)
        // What makes no sense says nothing.
        var strange = KVHistory()
        strange.read("postern.history.0", "x=1 1 2= =5 3=!,1 4=10,!")
        #expect(strange.versions.keys.sorted() == [4])
        #expect(strange.versions[4]?.deletes == nil)
    }

    @Test func `is in as many entries as it takes, each small enough for Vault`() {
        var history = KVHistory()
        for number in 1...200 {
            history.versions[number] = KVHistory.Dates(created: Self.day(number), deletes: Self.day(number + 1))
        }
        let entries = history.entries
        #expect(entries.count > 5)
        #expect(entries.values.allSatisfy { $0.utf8.count <= 512 })
        var read = KVHistory()
        for (name, value) in entries { read.read(name, value) }
        #expect(read == history)
    }

    @Test func `is hidden from labels, which may not be named so`() async throws {
        try await with { backend, api, mount in
            #expect(try await custom(api, mount).keys.sorted() == ["postern.history.0", "team"])
            let path = try SecretPath("a/b")
            let deadline = Deadline.after(.seconds(120))
            #expect(try await backend.describe(path, deadline: deadline).metadata.labels == ["team": "x"])
            #expect(try await backend.read(path, version: nil, deadline: deadline).labels == ["team": "x"])
            let refused = await #expect(throws: SecretError.self) {
                try await backend.updateMetadata(
                    path, MetadataChange(labels: ["postern.history.0": "x"]), deadline: deadline)
            }
            #expect(refused?.code == .invalidArgument)
        }
    }

    @Test func `gives way to what happens in Vault afterwards`() async throws {
        try await with { backend, api, mount in
            let path = try SecretPath("a/b")
            let deadline = Deadline.after(.seconds(120))
            #expect(try await backend.describe(path, deadline: deadline).versions[0].deletesAt == Self.day(3))
            try await api.must("POST", "\(mount)/undelete/a/b", #"{"versions":[1]}"#)
            #expect(try await backend.describe(path, deadline: deadline).versions[0].state == .available)
            #expect(try await backend.read(path, version: 1, deadline: deadline).info.createdAt == Self.day(1))
            try await api.must("POST", "\(mount)/delete/a/b", #"{"versions":[1]}"#)
            let again = try await backend.describe(path, deadline: deadline).versions[0]
            #expect(again.state == .deleted)
            #expect(try #require(again.deletesAt) > Self.day(100))
        }
    }

    @Test func `keeps a version deleted whose recalling was cut short, and the next one ends it`() async throws {
        try await with { backend, api, mount in
            let path = try SecretPath("a/b")
            let deadline = Deadline.after(.seconds(120))
            // As a recall leaves it that is killed between undeleting and deleting again.
            let entry = try #require(try await custom(api, mount)["postern.history.0"])
            let items = entry.split(separator: " ").map { item in
                item.hasPrefix("1=") ? item.split(separator: ",").prefix(2).joined(separator: ",") + ",*" : String(item)
            }
            try await api.must(
                "PATCH", "\(mount)/metadata/a/b",
                #"{"custom_metadata":{"postern.history.0":"\#(items.joined(separator: " "))"}}"#,
                contentType: "application/merge-patch+json")
            try await api.must("POST", "\(mount)/undelete/a/b", #"{"versions":[1]}"#)
            let error = await #expect(throws: SecretError.self) {
                try await backend.read(path, version: 1, deadline: deadline)
            }
            #expect(error?.code == .versionDeleted)
            #expect(try await backend.describe(path, deadline: deadline).versions[0].deletesAt == Self.day(3))
            let recalled = try await backend.recall(path, version: 1, deadline: deadline)
            #expect(recalled["value"] == SecretBytes("v1"))
            let read = try await api.call("GET", "\(mount)/data/a/b?version=1")
            #expect(read.status == 404)
            #expect(try await custom(api, mount)["postern.history.0"]?.contains("*") == false)
            #expect(try await backend.describe(path, deadline: deadline).versions[0].deletesAt == Self.day(3))
        }
    }

    @Test func `that does not fit beside the labels is refused`() async throws {
        try await with { backend, _, _ in
            var labels: [String: String] = [:]
            for index in 0..<64 { labels["l\(index)"] = "v" }
            let past = try Self.past
            let full = SecretDescription(
                path: try SecretPath("full"), currentVersion: 2, createdAt: past.createdAt, updatedAt: past.updatedAt,
                metadata: SecretMetadata(labels: labels), versions: past.versions)
            let error = await #expect(throws: SecretError.self) {
                try await backend.restore(
                    full, onDivergence: .refuse,
                    payload: { (_) throws(SecretError) in try Payload(value: SecretBytes("v")) },
                    deadline: .after(.seconds(120)))
            }
            #expect(error?.code == .tooLarge)
        }
    }
}
