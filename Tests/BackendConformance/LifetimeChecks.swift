// How long versions live: how many are kept, and when they delete themselves.

import PosternProtocol

let lifetimeChecks = [
    ConformanceCheck("ten versions are kept by default, and older ones are not found") { subject in
        for _ in 1...12 { try await subject.write("a") }
        let described = try await subject.describe("a")
        try expectEqual(described.versions.map(\.number), Array(3...12), "the versions kept, oldest first")
        try expectEqual(described.currentVersion, 12, "the current version")
        for pruned in [1, 2] {
            try await expectError(.notFound, from: "reading a pruned version") { try await subject.read("a", pruned) }
            try await expectError(.notFound, from: "deleting it") { try await subject.delete("a", [3, pruned]) }
            try await expectError(.notFound, from: "destroying it") { try await subject.destroy("a", [3, pruned]) }
        }
        try expectEqual(try await subject.read("a", 3).info.state, .available, "the oldest version kept")
    },
    ConformanceCheck("a changed number of versions to keep takes effect with the next write") { subject in
        for _ in 1...5 { try await subject.write("a") }
        try await subject.destroy("a", [2])
        try await subject.delete("a", [3])
        try await subject.update("a", MetadataChange(maxVersions: 2))
        try expectEqual(try await subject.describe("a").versions.map(\.number), Array(1...5), "before the next write")
        try await subject.write("a")
        try expectEqual(try await subject.describe("a").versions.map(\.number), [5, 6], "after the next write")
        try await expectError(.notFound, from: "undeleting a pruned version") { try await subject.undelete("a", [3]) }
        try await subject.update("a", MetadataChange(maxVersions: 3))
        for _ in 1...3 { try await subject.write("a") }
        try expectEqual(try await subject.describe("a").versions.map(\.number), [7, 8, 9], "after raising it")
        try await subject.update("a", MetadataChange(maxVersions: 1))
        try await subject.write("a")
        try expectEqual(try await subject.describe("a").versions.map(\.number), [10], "with one kept")
        try await subject.update("a", MetadataChange(maxVersions: 0))
        for _ in 1...12 { try await subject.write("a") }
        try expectEqual(try await subject.describe("a").versions.map(\.number), Array(13...22), "back to the default")
    },
    ConformanceCheck("versions written under deleteVersionAfter delete themselves then, and only these", needs: .clock)
    {
        subject in
        try await subject.write("a", "before")
        try await subject.update("a", MetadataChange(deleteVersionAfterSeconds: 60))
        let written = try await subject.write("a", "during")
        try expectEqual(written.deletesAt, subject.clock.now().advanced(by: .seconds(60)), "deletesAt")
        try expectEqual(written.state, .available, "the state at first")
        try await subject.update("a", MetadataChange(deleteVersionAfterSeconds: 0))
        try expectEqual(try await subject.write("a", "after").deletesAt, nil, "deletesAt once it is off")
        subject.clock.advance(by: .seconds(59))
        try expectEqual(try await subject.read("a", 2).info, written, "the version before its time")
        subject.clock.advance(by: .seconds(2))
        try await expectError(.versionDeleted, from: "reading past its time") { try await subject.read("a", 2) }
        try expectEqual(try await subject.states("a"), [1: .available, 2: .deleted, 3: .available], "states")
    },
    ConformanceCheck("a version that deleted itself can be undeleted, and stays", needs: .clock) { subject in
        try await subject.write("a", "kept")
        try await subject.update("a", MetadataChange(deleteVersionAfterSeconds: 60))
        try await subject.write("a", "expires")
        subject.clock.advance(by: .seconds(61))
        try await expectError(.versionDeleted, from: "reading the current version") { try await subject.read("a") }
        try await expectConflict(2, from: "expecting 0") { try await subject.write("a", expecting: 0) }
        try await subject.delete("a", [2])
        try await subject.undelete("a", [2])
        subject.clock.advance(by: .seconds(1_000_000))
        try expect(try await subject.read("a").payload["value"] == SecretBytes("expires"), "undelete lost the value")
        try expectEqual(try await subject.write("a", expecting: 2).number, 3, "the next number")
    },
    ConformanceCheck("deleting early sets the time to now, undeleting one not deleted leaves it", needs: .clock) {
        subject in
        try await subject.write("a")
        try await subject.update("a", MetadataChange(deleteVersionAfterSeconds: 60))
        let written = try await subject.write("a")
        try await subject.undelete("a", [2])
        try expectEqual(try await subject.read("a").info, written, "a version that was not deleted")
        subject.clock.advance(by: .seconds(10))
        try await subject.delete("a", [2])
        let early = subject.clock.now()
        try expectEqual(try await subject.describe("a").versions.last?.deletesAt, early, "deletesAt after delete")
        subject.clock.advance(by: .seconds(10))
        try await subject.delete("a", [2])
        try expectEqual(try await subject.describe("a").versions.last?.deletesAt, early, "deletesAt after a second")
    },
]
