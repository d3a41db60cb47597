// Compare-and-set by one caller at a time.

import PosternProtocol

let compareAndSetChecks = [
    ConformanceCheck("expecting 0 creates a secret only if there is none") { subject in
        try expectEqual(try await subject.write("a", "mine", expecting: 0).number, 1, "the number created")
        try await expectConflict(1, from: "expecting 0 over version 1") {
            try await subject.write("a", "theirs", expecting: 0)
        }
        try expect(
            try await subject.read("a").payload["value"] == SecretBytes("mine"), "a lost write changed the value")
    },
    ConformanceCheck("only the current version's number is accepted, and a lost write changes nothing") { subject in
        for _ in 1...3 { try await subject.write("a", "mine") }
        let before = try await Snapshot(of: ["a"], in: subject)
        for wrong in [0, 1, 2, 4, 5, Int.max] {
            try await expectConflict(3, from: "expecting \(wrong) over version 3") {
                try await subject.write("a", "theirs", expecting: wrong)
            }
        }
        try expectEqual(try await Snapshot(of: ["a"], in: subject), before, "the state after lost writes")
        try expectEqual(try await subject.write("a", expecting: 3).number, 4, "the number won")
    },
    ConformanceCheck("expecting a version of an absent secret conflicts with 0 and creates nothing") { subject in
        try await expectConflict(0, from: "expecting 1 of nothing") { try await subject.write("a/b", expecting: 1) }
        try await expectError(.notFound, from: "describing it") { try await subject.describe("a/b") }
        try expectEqual(try await subject.keys(), [], "the list after a lost write")
    },
    ConformanceCheck("a soft-deleted or destroyed version is still the current one") { subject in
        try await subject.write("a")
        try await subject.delete("a")
        try await expectConflict(1, from: "expecting 0 over a deleted version") {
            try await subject.write("a", expecting: 0)
        }
        try expectEqual(try await subject.write("a", expecting: 1).number, 2, "the number over a deleted version")
        try await subject.destroy("a", [2])
        for wrong in [0, 1] {
            try await expectConflict(2, from: "expecting \(wrong) over a destroyed version 2") {
                try await subject.write("a", expecting: wrong)
            }
        }
        try expectEqual(try await subject.write("a", expecting: 2).number, 3, "the number over a destroyed version")
    },
    ConformanceCheck("after removal a secret must not be expected to exist") { subject in
        try await subject.write("a")
        try await subject.write("a")
        try await subject.remove("a")
        try await expectConflict(0, from: "expecting a removed version") { try await subject.write("a", expecting: 2) }
        try expectEqual(try await subject.write("a", expecting: 0).number, 1, "the number after removal")
    },
    ConformanceCheck("where compare-and-set is required, a write without it is an invalid argument") { subject in
        try await subject.write("a", "first")
        try await subject.update("a", MetadataChange(casRequired: true))
        let before = try await Snapshot(of: ["a"], in: subject)
        try await expectError(.invalidArgument, from: "a write that expects nothing") { try await subject.write("a") }
        try expectEqual(try await Snapshot(of: ["a"], in: subject), before, "the state after a refused write")
        try await expectConflict(1, from: "a wrong expectation") { try await subject.write("a", expecting: 0) }
        try expectEqual(try await subject.write("a", expecting: 1).number, 2, "the number written")
        try await subject.update("a", MetadataChange(casRequired: false))
        try expectEqual(try await subject.write("a").number, 3, "the number once it is not required")
    },
]

/// Fails the check unless a call loses against this version.
func expectConflict(_ current: Int, from what: String, _ body: () async throws -> some Any) async throws {
    let error = try await expectError(.conflict, from: what, body)
    try expectEqual(error.currentVersion, current, "the current version in the conflict of \(what)")
}
