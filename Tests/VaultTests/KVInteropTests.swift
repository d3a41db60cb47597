// What Vault's own tools write is read here, and what is written here is shown by them.

import BackendConformance
import Foundation
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

extension KVPlace {
    /// What `kv get` shows of a secret, or nil if it shows nothing.
    func shown(_ path: String, version: Int? = nil) async throws -> [String: Any]? {
        let answer = try await kv(["get", "-format=json"] + (version.map { ["-version=\($0)"] } ?? []) + [path])
        guard answer.code == 0 else { return nil }
        let json = try JSONSerialization.jsonObject(with: answer.output) as? [String: Any]
        return (json?["data"] as? [String: Any])?["data"] as? [String: Any]
    }

    /// What `kv metadata get` shows of a secret, or nil if there is none.
    func described(_ path: String) async throws -> [String: Any]? {
        let answer = try await kv("metadata", "get", "-format=json", path)
        guard answer.code == 0 else { return nil }
        return (try JSONSerialization.jsonObject(with: answer.output) as? [String: Any])?["data"] as? [String: Any]
    }
}

@Suite(.timeLimit(.minutes(5))) struct `Vault's own tools` {
    @Test func `write secrets that are read here, whatever their fields`() async throws {
        try await withKV { backend, place in
            try await place.kv("put", "db", "username=app", "password=p@ss\"<&>é", "empty=")
            #expect(try await backend.fields("db") == ["empty=", "password=p@ss\"<&>é", "username=app"])
            let json =
                #"{"text":"x","yes":true,"nothing":null,"list":[1,"two"],"object":{"b":"<","a":1},"whole":42,"half":0.5}"#
            try await place.kv("put", "mixed", "-", input: json)
            #expect(
                try await backend.fields("mixed") == [
                    "half=0.5", "list=[1,\"two\"]", "nothing=null", #"object={"a":1,"b":"\u003c"}"#, "text=x",
                    "whole=42", "yes=true",
                ])
            try await place.kv("metadata", "put", "-custom-metadata=owner=ops", "-max-versions=5", "db")
            #expect(try await backend.get("db").labels == ["owner": "ops"])
        }
    }

    @Test func `show what is written here as if they had written it`() async throws {
        try await withKV { backend, place in
            try await backend.put("llm/openai/api_key", "sk-\"<é>\n")
            let shown = try await place.shown("llm/openai/api_key")
            #expect(shown as? [String: String] == ["value": "sk-\"<é>\n"])
            try await backend.put("db", ["password": "x", "username": "app"])
            #expect(try await place.shown("db") as? [String: String] == ["password": "x", "username": "app"])
            _ = try await backend.updateMetadata(
                SecretPath("db"),
                MetadataChange(maxVersions: 5, deleteVersionAfterSeconds: 90, casRequired: true, labels: ["k": "v"]),
                deadline: soon)
            let described = try #require(try await place.described("db"))
            #expect(described["max_versions"] as? Int == 5)
            #expect(described["delete_version_after"] as? String == "1m30s")
            #expect(described["cas_required"] as? Bool == true)
            #expect(described["custom_metadata"] as? [String: String] == ["k": "v"])
        }
    }

    @Test func `show fields that are out of order or no text with one more member`() async throws {
        try await withKV { backend, place in
            try await backend.put("a", ["user": "x", "password": "y"])
            let shown = try #require(try await place.shown("a"))
            #expect(shown["user"] as? String == "x" && shown["password"] as? String == "y" && shown.count == 3)
            let encoding = shown["postern.encoding"] as? [String: Any]
            #expect(encoding?["order"] as? [String] == ["user", "password"])
            #expect(try await backend.fields("a") == ["user=x", "password=y"])
        }
    }

    @Test func `can patch and roll back what was written here`() async throws {
        try await withKV { backend, place in
            try await backend.put("a", ["user": "x", "password": "y"])
            #expect(try await place.kv("patch", "a", "host=db1", "user=z").code == 0)
            #expect(try await backend.fields("a") == ["user=z", "password=y", "host=db1"])
            #expect(try await place.kv("rollback", "-version=1", "a").code == 0)
            #expect(try await backend.fields("a") == ["user=x", "password=y"])
            #expect(try await backend.get("a").info.number == 3)
        }
    }

    @Test func `store things that are no secrets, and that is said`() async throws {
        try await withKV { backend, place in
            for (name, data) in [("none", "{}"), ("null", "null"), ("odd", #"{"postern.encoding":"x"}"#)] {
                try await place.api.must("POST", "\(place.mount)/data/\(name)", #"{"data":\#(data)}"#)
                await expectError(.integrityFailure, containing: "Version 1 of \(name)", "something else") {
                    try await backend.get(name)
                }
                #expect(try await backend.describe(SecretPath(name), deadline: soon).versions.count == 1)
                #expect(try await backend.put(name, "better").number == 2)
            }
            // Metadata alone, as `kv metadata put` makes it.
            try await place.kv("metadata", "put", "-custom-metadata=k=v", "bare")
            await expectError(.notFound) { try await backend.get("bare") }
            await expectError(.notFound) { try await backend.delete(SecretPath("bare"), versions: [], deadline: soon) }
            let bare = try await backend.describe(SecretPath("bare"), deadline: soon)
            #expect(bare.currentVersion == 0 && bare.versions.isEmpty && bare.metadata.labels == ["k": "v"])
            #expect(try await backend.put("bare", expecting: 0).number == 1)
            #expect(try await backend.get("bare").labels == ["k": "v"])
        }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `and this backend see the same after every change of either`(seed: UInt64) async throws {
        try await withKV { backend, place in
            var random = SeededGenerator(seed: seed)
            var log: [String] = []
            for _ in 0..<40 {
                let path = ["a", "a/b", "b"].randomElement(using: &random) ?? "a"
                let change = Change.random(using: &random)
                let isOurs = Bool.random(using: &random)
                log.append("\(isOurs ? "backend" : "kv"): \(change) \(path)")
                if isOurs {
                    try await change.make(path, by: backend)
                } else {
                    try await change.make(path, by: place)
                }
                try await expectSame(path, backend, place, log)
            }
            let listed = try await place.kv("list", "-format=json", "")
            let names = try JSONSerialization.jsonObject(with: listed.output, options: .fragmentsAllowed) as? [String]
            #expect(try await backend.keys().entries.map(\.key) == names ?? [])
        }
    }

    /// Compares all that the two say of a secret.
    private func expectSame(
        _ path: String, _ backend: VaultBackend, _ place: KVPlace, _ log: [String]
    ) async throws {
        let history = Comment(rawValue: log.joined(separator: "\n"))
        guard let described = try await place.described(path) else {
            await expectError(.notFound) { try await backend.describe(SecretPath(path), deadline: soon) }
            return
        }
        let seen = try await backend.describe(SecretPath(path), deadline: soon)
        #expect(described["current_version"] as? Int == seen.currentVersion, history)
        #expect(described["max_versions"] as? Int == seen.metadata.maxVersions, history)
        #expect(described["custom_metadata"] as? [String: String] ?? [:] == seen.metadata.labels, history)
        let versions = try #require(described["versions"] as? [String: [String: Any]])
        #expect(versions.keys.compactMap { Int($0) }.sorted() == seen.versions.map(\.number), history)
        for version in seen.versions {
            let theirs = try #require(versions["\(version.number)"])
            #expect(theirs["destroyed"] as? Bool == (version.state == .destroyed), history)
            if version.state != .destroyed {
                #expect((theirs["deletion_time"] as? String != "") == (version.state == .deleted), history)
            }
        }
        let shown = try await place.shown(path)
        if seen.versions.last?.state == .available {
            let read = try await backend.get(path).payload.fields
            #expect(
                shown as? [String: String]
                    == Dictionary(read.map { ($0.name, $0.value.text) }, uniquingKeysWith: { first, _ in first }),
                history)
        } else {
            #expect(shown == nil, history)
        }
    }
}

/// A change that both can make.
private enum Change {
    case put([(String, String)]), putOver(Int, String), delete([Int]), undelete([Int]), destroy([Int]), remove
    case label(String, String?), keep(Int)

    static func random(using random: inout SeededGenerator) -> Change {
        let numbers = (0..<Int.random(in: 1...2, using: &random)).map { _ in Int.random(in: 1...5, using: &random) }
        let value = "v\(Int.random(in: 0..<1_000, using: &random))"
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<6: return .put([("a", value), ("b", "<&\" é")])
        case 6..<8: return .putOver(Int.random(in: 0...3, using: &random), value)
        case 8..<11: return .delete(numbers)
        case 11..<14: return .undelete(numbers)
        case 14..<16: return .destroy(numbers)
        case 16: return .remove
        case 17..<19:
            return .label("l\(Int.random(in: 0..<2, using: &random))", Bool.random(using: &random) ? value : nil)
        default: return .keep(Int.random(in: 0...3, using: &random))
        }
    }

    /// Makes it here. That it may be refused is what the contract says where Vault passes over it.
    func make(_ text: String, by backend: VaultBackend) async throws {
        let path = try SecretPath(text)
        do {
            switch self {
            case .put(let fields):
                let payload = try Payload(fields.map { Payload.Field(name: $0.0, value: SecretBytes($0.1)) })
                _ = try await backend.write(path, payload, expecting: nil, deadline: soon)
            case .putOver(let version, let value): try await backend.put(text, value, expecting: version)
            case .delete(let versions): try await backend.delete(path, versions: versions, deadline: soon)
            case .undelete(let versions): try await backend.undelete(path, versions: versions, deadline: soon)
            case .destroy(let versions): try await backend.destroy(path, versions: versions, deadline: soon)
            case .remove: try await backend.remove(path, deadline: soon)
            case .label(let name, let value):
                _ = try await backend.updateMetadata(path, MetadataChange(labels: [name: value]), deadline: soon)
            case .keep(let count):
                _ = try await backend.updateMetadata(path, MetadataChange(maxVersions: count), deadline: soon)
            }
        } catch let error as SecretError where [.notFound, .conflict, .versionDestroyed].contains(error.code) {
            return
        }
    }

    /// Makes it with Vault's command line.
    func make(_ path: String, by place: KVPlace) async throws {
        func list(_ versions: [Int]) -> String { "-versions=" + versions.map { "\($0)" }.joined(separator: ",") }
        switch self {
        case .put(let fields): try await place.kv(["put", path] + fields.map { "\($0.0)=\($0.1)" })
        case .putOver(let version, let value): try await place.kv("put", "-cas=\(version)", path, "value=\(value)")
        case .delete(let versions): try await place.kv("delete", list(versions), path)
        case .undelete(let versions): try await place.kv("undelete", list(versions), path)
        case .destroy(let versions): try await place.kv("destroy", list(versions), path)
        case .remove: try await place.kv("metadata", "delete", path)
        case .label(let name, let value?):
            try await place.kv("metadata", "patch", "-custom-metadata=\(name)=\(value)", path)
        case .label(let name, nil): try await place.kv("metadata", "patch", "-remove-custom-metadata=\(name)", path)
        case .keep(let count): try await place.kv("metadata", "patch", "-max-versions=\(count)", path)
        }
    }
}
