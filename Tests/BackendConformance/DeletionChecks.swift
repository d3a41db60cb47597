// Delete, undelete and destroy: what each does, and that each is done whole or not at all.

import PosternProtocol

let deletionChecks = [
    ConformanceCheck("a deleted version cannot be read until it is undeleted; others can") { subject in
        for number in 1...3 { try await subject.write("a", "value \(number)") }
        try await subject.delete("a", [2])
        try await expectError(.versionDeleted, from: "reading a deleted version") { try await subject.read("a", 2) }
        try expectEqual(try await subject.states("a"), [1: .available, 2: .deleted, 3: .available], "states")
        try expectEqual(try await subject.read("a").info.number, 3, "the current version")
        try await subject.undelete("a", [2])
        let read = try await subject.read("a", 2)
        try expectEqual(read.info.state, .available, "the state after undelete")
        try expect(read.payload["value"] == SecretBytes("value 2"), "undelete brought back another value")
    },
    ConformanceCheck("delete without numbers deletes the current version, whose predecessor does not take over") {
        subject in
        try await subject.write("a", "1")
        try await subject.write("a", "2")
        try await subject.delete("a")
        try await expectError(.versionDeleted, from: "reading the current version") { try await subject.read("a") }
        try expectEqual(try await subject.states("a"), [1: .available, 2: .deleted], "states")
        try expectEqual(try await subject.describe("a").currentVersion, 2, "the current version")
        try await subject.write("a", "3")
        try expectEqual(try await subject.states("a"), [1: .available, 2: .deleted, 3: .available], "states")
        try expectEqual(try await subject.read("a").info.number, 3, "the current version after a write")
    },
    ConformanceCheck("destroyed data is gone for good, the version's number stays") { subject in
        for number in 1...3 { try await subject.write("a", "value \(number)") }
        try await subject.delete("a", [1])
        try await subject.destroy("a", [1, 3])
        for version in [nil, 1, 3] {
            try await expectError(.versionDestroyed, from: "reading a destroyed version") {
                try await subject.read("a", version)
            }
        }
        try await expectError(.versionDestroyed, from: "undeleting a destroyed version") {
            try await subject.undelete("a", [1])
        }
        try expectEqual(try await subject.states("a"), [1: .destroyed, 2: .available, 3: .destroyed], "states")
        try expectEqual(try await subject.describe("a").currentVersion, 3, "the current version")
        try expectEqual(try await subject.write("a").number, 4, "the next number")
    },
    ConformanceCheck("each may be repeated, and a number may be given twice") { subject in
        for _ in 1...3 { try await subject.write("a") }
        try await subject.destroy("a", [3, 3])
        for versions in [[1], [1, 1], [1, 2, 3], []] { try await subject.delete("a", versions) }
        try expectEqual(try await subject.states("a"), [1: .deleted, 2: .deleted, 3: .destroyed], "after delete")
        for versions in [[1], [1, 1], [2, 1]] { try await subject.undelete("a", versions) }
        try expectEqual(try await subject.states("a"), [1: .available, 2: .available, 3: .destroyed], "after undelete")
        for versions in [[2], [2, 3, 2]] { try await subject.destroy("a", versions) }
        try expectEqual(try await subject.states("a"), [1: .available, 2: .destroyed, 3: .destroyed], "after destroy")
    },
    ConformanceCheck("if one version is not there, none is changed") { subject in
        for _ in 1...3 { try await subject.write("a") }
        try await subject.delete("a", [2])
        let before = try await Snapshot(of: ["a"], in: subject)
        for absent in [4, 0, -1, Int.max] {
            for versions in [[1, 2, 3, absent], [absent, 3, 2, 1]] {
                try await expectError(.notFound, from: "delete \(versions)") { try await subject.delete("a", versions) }
                try await expectError(.notFound, from: "undelete \(versions)") {
                    try await subject.undelete("a", versions)
                }
                try await expectError(.notFound, from: "destroy \(versions)") {
                    try await subject.destroy("a", versions)
                }
                try expectEqual(try await Snapshot(of: ["a"], in: subject), before, "the state after \(versions)")
            }
        }
    },
    ConformanceCheck("if one version is destroyed, none is undeleted") { subject in
        for _ in 1...3 { try await subject.write("a") }
        try await subject.delete("a", [1, 3])
        try await subject.destroy("a", [2])
        for versions in [[1, 2, 3], [3, 1, 2], [2, 1]] {
            try await expectError(.versionDestroyed, from: "undelete \(versions)") {
                try await subject.undelete("a", versions)
            }
            try expectEqual(
                try await subject.states("a"), [1: .deleted, 2: .destroyed, 3: .deleted], "after \(versions)")
        }
    },
    ConformanceCheck("undelete and destroy want at least one version") { subject in
        try await subject.write("a")
        try await subject.delete("a")
        try await expectError(.invalidArgument, from: "undelete of nothing") { try await subject.undelete("a", []) }
        try await expectError(.invalidArgument, from: "destroy of nothing") { try await subject.destroy("a", []) }
        try expectEqual(try await subject.states("a"), [1: .deleted], "states")
    },
    ConformanceCheck("an absent secret is not found, and not created") { subject in
        try await subject.write("a/b")
        try await expectError(.notFound, from: "delete") { try await subject.delete("a") }
        try await expectError(.notFound, from: "delete of version 1") { try await subject.delete("a", [1]) }
        try await expectError(.notFound, from: "undelete") { try await subject.undelete("a", [1]) }
        try await expectError(.notFound, from: "destroy") { try await subject.destroy("a", [1]) }
        try await expectError(.notFound, from: "remove") { try await subject.remove("a") }
        try expectEqual(try await subject.keys("", recursive: true), ["a/b"], "the list")
    },
]
