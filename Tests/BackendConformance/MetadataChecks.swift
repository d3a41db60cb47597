// Settings and labels.

import PosternProtocol

let metadataChecks = [
    ConformanceCheck("a change is answered with the secret after it, and keeps what it does not name") { subject in
        let info = try await subject.write("a")
        let first = try await subject.update(
            "a", MetadataChange(maxVersions: 7, casRequired: true, labels: ["team": "payments", "ключ": "é 🔑"]))
        try expectEqual(
            first.metadata,
            SecretMetadata(maxVersions: 7, casRequired: true, labels: ["team": "payments", "ключ": "é 🔑"]),
            "the metadata")
        let removal = MetadataChange(deleteVersionAfterSeconds: 3_600, labels: ["team": String?.none, "tier": "1"])
        let second = try await subject.update("a", removal)
        try expectEqual(
            second.metadata,
            SecretMetadata(
                maxVersions: 7, deleteVersionAfterSeconds: 3_600, casRequired: true,
                labels: ["ключ": "é 🔑", "tier": "1"]),
            "the metadata")
        try expectEqual(try await subject.describe("a"), second, "the description")
        try expectEqual(second.versions, [info], "the versions after a change of metadata")
        let third = try await subject.update("a", MetadataChange(maxVersions: 0, casRequired: false))
        try expectEqual(third.metadata.maxVersions, 0, "maxVersions set to the default")
        try expectEqual(third.metadata.casRequired, false, "casRequired set to false")
    },
    ConformanceCheck("labels come with every version that is read, and stay through writes and deletions") { subject in
        try await subject.write("a")
        try await subject.update("a", MetadataChange(labels: ["k": "v"]))
        try await subject.write("a")
        try await subject.delete("a", [2])
        try await subject.undelete("a", [2])
        for version in [nil, 1, 2] {
            try expectEqual(
                try await subject.read("a", version).labels, ["k": "v"], "labels of version \(version ?? 0)")
        }
        try await subject.update("a", MetadataChange(labels: ["k": String?.none]))
        try expectEqual(try await subject.read("a", 1).labels, [:], "labels after their removal")
    },
    ConformanceCheck("values outside their limits are refused, and then nothing is changed") { subject in
        try await subject.write("a")
        try await subject.update("a", MetadataChange(labels: ["k": "v"]))
        let before = try await subject.describe("a")
        let tooMany = Dictionary((0..<SecretMetadata.maximumLabels).map { ("l\($0)", "x") }) { first, _ in first }
        for bad in [
            MetadataChange(maxVersions: -1, labels: ["other": "x"]), MetadataChange(deleteVersionAfterSeconds: -1),
            MetadataChange(maxVersions: 5, labels: ["": "x"]), MetadataChange(casRequired: true, labels: tooMany),
            MetadataChange(labels: ["k": "a\u{0}b"]), MetadataChange(labels: ["k": String(repeating: "v", count: 513)]),
        ] {
            try await expectError(.invalidArgument, from: "a bad change") { try await subject.update("a", bad) }
            try expectEqual(try await subject.describe("a"), before, "the secret after a refused change")
        }
    },
    ConformanceCheck("an absent secret has no metadata to change") { subject in
        try await expectError(.notFound, from: "changing it") {
            try await subject.update("a", MetadataChange(labels: ["k": "v"]))
        }
        try await expectError(.notFound, from: "describing it") { try await subject.describe("a") }
    },
    ConformanceCheck("the time of the last change is that of the last write or metadata change", needs: .clock) {
        subject in
        try await subject.write("a")
        let start = subject.clock.now()
        subject.clock.advance(by: .seconds(1))
        try await subject.update("a", MetadataChange(labels: ["k": "v"]))
        let changed = try await subject.describe("a")
        try expectEqual(changed.createdAt, start, "createdAt")
        try expectEqual(changed.updatedAt, subject.clock.now(), "updatedAt after a metadata change")
        subject.clock.advance(by: .seconds(1))
        try await subject.write("a")
        try expectEqual(try await subject.describe("a").updatedAt, subject.clock.now(), "updatedAt after a write")
    },
]
