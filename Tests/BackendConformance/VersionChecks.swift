// Numbers, etags and times of versions; secrets apart from each other.

import PosternProtocol

let versionChecks = [
    ConformanceCheck("what was written is read back, and described, with its number, etag and time") { subject in
        let written = try await subject.write("llm/openai/api_key", "one")
        try expectEqual(written.number, 1, "the first version's number")
        try expectEqual(written.state, .available, "its state")
        try expect((1...128).contains(written.etag.text.utf8.count), "an etag must have 1 to 128 bytes")
        let fitsHeader = written.etag.text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") }
        try expect(fitsHeader, "the etag \(written.etag) does not fit an HTTP header")
        let read = try await subject.read("llm/openai/api_key")
        try expectEqual(read.path.text, "llm/openai/api_key", "the path read")
        try expectEqual(read.info, written, "the version read")
        try expect(read.payload["value"] == SecretBytes("one"), "the payload read is not what was written")
        try expectEqual(read.labels, [:], "labels of a new secret")
        let described = try await subject.describe("llm/openai/api_key")
        try expectEqual(described.versions, [written], "the versions described")
        try expectEqual(described.currentVersion, 1, "the current version described")
        try expectEqual(described.metadata, SecretMetadata(), "the metadata of a new secret")
    },
    ConformanceCheck("versions count from 1, and each stays as it was written") { subject in
        var written: [VersionInfo] = []
        for number in 1...5 {
            written.append(try await subject.write("a", "value \(number)"))
            try expectEqual(written.last?.number, number, "the number written")
        }
        for info in written {
            let read = try await subject.read("a", info.number)
            try expectEqual(read.info, info, "version \(info.number)")
            try expect(read.payload["value"] == SecretBytes("value \(info.number)"), "version \(info.number) changed")
        }
        try expectEqual(try await subject.read("a").info.number, 5, "the current version")
        try expectEqual(try await subject.describe("a").versions, written, "the versions described")
    },
    ConformanceCheck("a version that is not there is not found") { subject in
        try await subject.write("a/b")
        try await expectError(.notFound, from: "reading an absent secret") { try await subject.read("a") }
        try await expectError(.notFound, from: "reading below a secret") { try await subject.read("a/b/c") }
        try await expectError(.notFound, from: "describing an absent secret") { try await subject.describe("a") }
        for number in [2, 0, -1, Int.max, Int.min] {
            try await expectError(.notFound, from: "reading version \(number)") {
                try await subject.read("a/b", number)
            }
        }
    },
    ConformanceCheck("secrets whose names look alike are apart") { subject in
        let deep = Array(repeating: "s", count: SecretPath.maximumSegments).joined(separator: "/")
        let long = String(repeating: "n", count: SecretPath.maximumBytes)
        let names = ["a", "A", "a/b", "a/B", "a-b", "a.b", "a_b", "aXb", "data", "data/data", deep, long]
        for name in names { try await subject.write(name, name) }
        for name in names {
            let read = try await subject.read(name)
            try expect(read.payload["value"] == SecretBytes(name), "\(name) holds another secret's value")
            try expectEqual(read.info.number, 1, "the version of \(name)")
        }
        try await subject.remove("a")
        for name in names.dropFirst() { _ = try await subject.read(name) }
    },
    ConformanceCheck("no etag is used twice, not even for the same value or after removal") { subject in
        var seen = Set<ETag>()
        for round in 1...4 {
            for path in ["a", "b"] {
                for number in 1...3 {
                    let written = try await subject.write(path, "same")
                    try expectEqual(written.number, number, "the number in round \(round)")
                    try expect(seen.insert(written.etag).inserted, "\(path) got the etag of another version")
                }
                try await subject.remove(path)
            }
        }
    },
    ConformanceCheck("a version keeps its etag whatever happens to it") { subject in
        let etag = try await subject.write("a").etag
        func same(_ when: String) async throws {
            try expectEqual(try await subject.describe("a").versions.first?.etag, etag, "the etag after \(when)")
        }
        try await subject.write("a")
        try await same("another version")
        try await subject.delete("a", [1])
        try await same("delete")
        try await subject.undelete("a", [1])
        try await same("undelete")
        try await subject.update("a", MetadataChange(labels: ["k": "v"]))
        try await same("a metadata change")
        try expectEqual(try await subject.read("a", 1).info.etag, etag, "the etag read")
        try await subject.destroy("a", [1])
        try await same("destroy")
    },
    ConformanceCheck("a removed secret is gone, and one created anew starts at version 1 with no past") { subject in
        try await subject.write("a", "old 1")
        try await subject.write("a", "old 2")
        try await subject.update("a", MetadataChange(maxVersions: 3, casRequired: true, labels: ["k": "v"]))
        try await subject.remove("a")
        try await expectError(.notFound, from: "reading a removed secret") { try await subject.read("a") }
        try await expectError(.notFound, from: "reading its version 1") { try await subject.read("a", 1) }
        try await expectError(.notFound, from: "describing a removed secret") { try await subject.describe("a") }
        try await expectError(.notFound, from: "removing a removed secret") { try await subject.remove("a") }
        try await expectError(.notFound, from: "undeleting after removal") { try await subject.undelete("a", [1]) }
        let written = try await subject.write("a", "new")
        try expectEqual(written.number, 1, "the number after removal")
        let described = try await subject.describe("a")
        try expectEqual(described.versions, [written], "the versions after removal")
        try expectEqual(described.metadata, SecretMetadata(), "the metadata after removal")
        try await expectError(.notFound, from: "reading an old version") { try await subject.read("a", 2) }
    },
    ConformanceCheck("versions carry the time they were written", needs: .clock) { subject in
        let start = subject.clock.now()
        try expectEqual(try await subject.write("a").createdAt, start, "createdAt")
        subject.clock.advance(by: .microseconds(1))
        try expectEqual(try await subject.write("a").createdAt, start.advanced(by: .microseconds(1)), "createdAt")
        let described = try await subject.describe("a")
        try expectEqual(described.createdAt, start, "the secret's createdAt")
        try expectEqual(described.updatedAt, start.advanced(by: .microseconds(1)), "the secret's updatedAt")
        subject.clock.advance(by: .seconds(5))
        try await subject.remove("a")
        try await subject.write("a")
        try expectEqual(try await subject.describe("a").createdAt, subject.clock.now(), "createdAt after removal")
    },
]
