// Many tasks at once.

import PosternProtocol

private let racers = 16

let raceChecks = [
    ConformanceCheck("of many that create a secret at once, exactly one wins") { subject in
        for round in 1...5 {
            let path = "race/\(round)"
            let winners = try await race(subject, path, expecting: 0)
            try expectEqual(winners.count, 1, "winners of the creation of \(path)")
            try expectEqual(try await subject.describe(path).currentVersion, 1, "the current version of \(path)")
            try await expectValue(subject, path, winners)
        }
    },
    ConformanceCheck("of many that expect the same version, exactly one wins, and its value is there") { subject in
        try await subject.write("a")
        for version in 1...15 {
            let winners = try await race(subject, "a", expecting: version)
            try expectEqual(winners.count, 1, "winners of version \(version + 1)")
            try await expectValue(subject, "a", winners)
        }
        try expectEqual(try await subject.describe("a").currentVersion, 16, "the current version")
    },
    ConformanceCheck("a counter that many tasks increment by compare-and-set loses no increment") { subject in
        let increments = 8
        try await subject.write("counter", "0")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<racers {
                group.addTask {
                    for _ in 0..<increments { try await increment(subject) }
                }
            }
            try await group.waitForAll()
        }
        let total = racers * increments
        let read = try await subject.read("counter")
        try expect(read.payload["value"] == SecretBytes("\(total)"), "increments were lost")
        try expectEqual(read.info.number, total + 1, "the counter's version")
    },
    ConformanceCheck("writes at once that expect nothing each get a version of their own") { subject in
        try await subject.write("a", "first")
        try await subject.update("a", MetadataChange(maxVersions: 100))
        let written = try await withThrowingTaskGroup(of: (Int, VersionInfo).self) { group in
            for racer in 0..<racers {
                group.addTask { (racer, try await subject.write("a", "racer \(racer)")) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try expectEqual(written.map(\.1.number).sorted(), Array(2...racers + 1), "the numbers written")
        try expectEqual(Set(written.map(\.1.etag)).count, racers, "different etags")
        for (racer, info) in written {
            let read = try await subject.read("a", info.number)
            try expectEqual(read.info, info, "version \(info.number)")
            try expect(
                read.payload["value"] == SecretBytes("racer \(racer)"), "version \(info.number) has another's value")
        }
    },
    ConformanceCheck("secrets removed and created anew at once start at version 1, and repeat no etag") { subject in
        let etags = try await withThrowingTaskGroup(of: [ETag].self) { group in
            for _ in 0..<racers {
                group.addTask { try await createAndRemove(subject, rounds: 10) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        try expect(!etags.isEmpty, "nobody created anything")
        try expectEqual(Set(etags).count, etags.count, "different etags")
    },
    ConformanceCheck("metadata changes at once are all kept") { subject in
        try await subject.write("a")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for racer in 0..<racers {
                group.addTask { try await subject.update("a", MetadataChange(labels: ["racer\(racer)": "here"])) }
            }
            try await group.waitForAll()
        }
        try expectEqual(try await subject.describe("a").metadata.labels.count, racers, "the labels kept")
    },
]

/// Lets many write at once, and returns the indexes of those that won.
private func race(_ subject: Subject, _ path: String, expecting: Int) async throws -> [Int] {
    try await withThrowingTaskGroup(of: Int?.self) { group in
        for racer in 0..<racers {
            group.addTask {
                do {
                    let written = try await subject.write(path, "racer \(racer)", expecting: expecting)
                    try expectEqual(written.number, expecting + 1, "the number won")
                    return racer
                } catch let error as SecretError where error.code == .conflict {
                    try expectEqual(error.currentVersion, expecting + 1, "the current version in the conflict")
                    return nil
                }
            }
        }
        return try await group.reduce(into: []) { if let racer = $1 { $0.append(racer) } }
    }
}

/// Creates and removes the same secret as others do, and returns the etags of what it created.
private func createAndRemove(_ subject: Subject, rounds: Int) async throws -> [ETag] {
    var etags: [ETag] = []
    for _ in 0..<rounds {
        do {
            let created = try await subject.write("a", expecting: 0)
            try expectEqual(created.number, 1, "the number of a secret created anew")
            etags.append(created.etag)
            try await subject.remove("a")
        } catch let error as SecretError where [.conflict, .notFound].contains(error.code) {
            continue
        }
    }
    return etags
}

private func expectValue(_ subject: Subject, _ path: String, _ winners: [Int]) async throws {
    let value = try await subject.read(path).payload["value"]
    try expect(winners.contains { value == SecretBytes("racer \($0)") }, "the value is not the winner's")
}

private func increment(_ subject: Subject) async throws {
    while true {
        let read = try await subject.read("counter")
        let value = read.payload["value"].map {
            unsafe $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
        guard let count = value.flatMap({ Int($0) }) else { throw ConformanceFailure("the counter holds no number") }
        do {
            try await subject.write("counter", "\(count + 1)", expecting: read.info.number)
            return
        } catch let error as SecretError where error.code == .conflict {
            continue
        }
    }
}
