// What was acknowledged is there after the store was closed and opened again.

import PosternProtocol

let persistenceChecks = [
    ConformanceCheck("everything is there after closing and opening again, and goes on from there") { subject in
        guard let reopen = subject.reopen else { return }
        let paths = ["a", "a/b", "deleted", "destroyed", "removed"]
        var etags = Set<ETag>()
        for path in paths {
            for number in 1...3 { etags.insert(try await subject.write(path, "\(path) \(number)").etag) }
        }
        try await subject.update(
            "a", MetadataChange(maxVersions: 4, deleteVersionAfterSeconds: 60, casRequired: true, labels: ["k": "v"]))
        etags.insert(try await subject.write("a", "expires", expecting: 3).etag)
        try await subject.delete("deleted", [1, 3])
        try await subject.undelete("deleted", [1])
        try await subject.destroy("destroyed", [2])
        try await subject.remove("removed")
        let before = try await Snapshot(of: paths, in: subject)
        let names = try await subject.keys(recursive: true)

        let again = Subject(
            backend: try await reopen(), clock: subject.clock, supportsClock: subject.supportsClock,
            scale: subject.scale, reopen: nil)
        try expectEqual(try await Snapshot(of: paths, in: again), before, "the state after opening again")
        try expectEqual(try await again.keys(recursive: true), names, "the list after opening again")
        for path in ["a/b", "destroyed"] {
            let written = try await again.write(path, expecting: 3)
            try expectEqual(written.number, 4, "the next number of \(path)")
            try expect(etags.insert(written.etag).inserted, "an etag was used again after opening again")
        }
        let recreated = try await again.write("removed", expecting: 0)
        try expect(etags.insert(recreated.etag).inserted, "an etag was used again for a secret created anew")
    }
]
