// The contract of `HistoryTransferring`: a secret arrives as it was, whatever it went through.

import PosternProtocol
import Synchronization

extension BackendConformance {
    /// The promises of stores that take over histories; for backends that are ``HistoryTransferring``.
    public static let historyChecks: [ConformanceCheck] = [
        ConformanceCheck("a history arrives with its numbers, dates, states, settings and labels") { subject in
            let past = try Past.eventful
            let written = try await past.restore(in: subject)
            try expectEqual(written, [5, 6, 8, 9], "the versions written")
            try await past.expectArrived(in: subject)
            try await expectError(.notFound, from: "reading a version that was not kept") {
                try await subject.read("a/b", 4)
            }
            try await expectError(.versionDestroyed, from: "reading a destroyed one") {
                try await subject.read("a/b", 7)
            }
            try await expectError(.versionDeleted, from: "reading a deleted one") { try await subject.read("a/b", 6) }
        },
        ConformanceCheck("restoring again changes nothing and asks for nothing") { subject in
            let past = try Past.eventful
            try await past.restore(in: subject)
            let before = try await subject.describe("a/b")
            try expectEqual(try await past.restore(in: subject), [], "the versions written again")
            try expectEqual(past.asked, [5, 6, 8, 9], "the payloads asked for")
            try expectEqual(try await subject.describe("a/b").versions, before.versions, "the versions")
        },
        ConformanceCheck("a restoration that was interrupted goes on where it stopped") { subject in
            let past = try Past.eventful
            past.fail(at: 8)
            try await expectError(.keyUnavailable, from: "an interrupted restoration") {
                try await past.restore(in: subject)
            }
            past.fail(at: nil)
            try expectEqual(try await past.restore(in: subject), [8, 9], "the versions written in the end")
            try await past.expectArrived(in: subject)
        },
        ConformanceCheck("a history that has gone on is followed") { subject in
            let past = try Past.eventful
            try await past.restore(in: subject)
            past.change { description in
                let versions = description.versions
                return description.with(
                    current: 10,
                    versions: [
                        versions[0].with(.destroyed), versions[1].with(.available),
                        versions[2], versions[3].with(.deleted, deletesAt: Past.day(40)), versions[4],
                        VersionInfo(number: 10, etag: ETag("10"), createdAt: Past.day(50), state: .available),
                    ], metadata: SecretMetadata(maxVersions: 20, labels: ["team": "other", "new": "one"]))
            }
            try expectEqual(try await past.restore(in: subject), [10], "the versions written")
            try await past.expectArrived(in: subject)
        },
        ConformanceCheck("versions that were pruned go with the next that is restored") { subject in
            let past = try Past.eventful
            try await past.restore(in: subject)
            past.change { description in
                description.with(
                    current: 10,
                    versions: Array(description.versions.dropFirst(2)) + [
                        VersionInfo(number: 10, etag: ETag("10"), createdAt: Past.day(50), state: .available)
                    ], metadata: SecretMetadata(maxVersions: 4))
            }
            try expectEqual(try await past.restore(in: subject), [10], "the versions written")
            try await past.expectArrived(in: subject)
            try await expectError(.notFound, from: "reading a pruned version") { try await subject.read("a/b", 6) }
        },
        ConformanceCheck("another past is refused or replaced, as told") { subject in
            try await subject.write("a/b", "its own")
            let before = try await subject.describe("a/b")
            let past = try Past.eventful
            try await expectError(.conflict, from: "restoring over another past") {
                try await past.restore(in: subject, .refuse)
            }
            try expectEqual(try await subject.describe("a/b"), before, "what was there")
            try await past.restore(in: subject, .replace)
            try await past.expectArrived(in: subject)
        },
        ConformanceCheck("life goes on after a restoration") { subject in
            let past = try Past.eventful
            try await past.restore(in: subject)
            try await subject.undelete("a/b", [6])
            try expect(try await subject.read("a/b", 6).payload == Past.payload(6), "undelete lost the value")
            try expectEqual(try await subject.describe("a/b").versions[1].deletesAt, nil, "deletesAt once undeleted")
            try await subject.delete("a/b", [6])
            try await expectError(.versionDeleted, from: "reading it deleted again") {
                try await subject.read("a/b", 6)
            }
            try await subject.destroy("a/b", [8])
            try await expectConflict(9, from: "expecting an older version") {
                try await subject.write("a/b", expecting: 8)
            }
            try expectEqual(try await subject.write("a/b", "new", expecting: 9).number, 10, "the next number")
            let described = try await subject.describe("a/b")
            try expectEqual(described.createdAt, past.description.createdAt, "the secret's creation date")
            try expectEqual(described.versions.map(\.number), [5, 6, 7, 8, 9, 10], "the versions")
            try expectEqual(described.versions[4].createdAt, Past.day(9), "version 9's creation date")
            try expect(described.versions[5].createdAt > Past.day(100), "version 10 must have a date of its own")
            try await subject.update("a/b", MetadataChange(labels: ["team": nil]))
            try expectEqual(try await subject.describe("a/b").metadata.labels, ["länder": "Österreich = 1"], "labels")
            try await subject.remove("a/b")
            try expectEqual(try await subject.write("a/b", "anew").number, 1, "the number after removal")
            try expect(try await subject.describe("a/b").createdAt > Past.day(100), "a new secret with an old date")
        },
        ConformanceCheck("a version that is to delete itself later arrives with its time") { subject in
            let past = Past(
                SecretDescription(
                    path: try SecretPath("a"), currentVersion: 2, createdAt: Past.day(1), updatedAt: Past.day(2),
                    metadata: SecretMetadata(deleteVersionAfterSeconds: 3_155_760_000),
                    versions: [
                        VersionInfo(number: 1, etag: ETag("1"), createdAt: Past.day(1), state: .available),
                        VersionInfo(
                            number: 2, etag: ETag("2"), createdAt: Past.day(2), state: .available,
                            deletesAt: Past.day(36_500)),
                    ]))
            try await past.restore(in: subject)
            try await past.expectArrived(in: subject)
            try expect(try await subject.read("a").payload == Past.payload(2), "the current version")
        },
        ConformanceCheck("sixty versions arrive with all their dates") { subject in
            let versions = (41...100).map { number in
                VersionInfo(
                    number: number, etag: ETag("\(number)"), createdAt: Past.day(number),
                    state: number % 7 == 0 ? .deleted : .available, deletesAt: number % 7 == 0 ? Past.day(200) : nil)
            }
            let past = Past(
                SecretDescription(
                    path: try SecretPath("many"), currentVersion: 100, createdAt: Past.day(1), updatedAt: Past.day(200),
                    metadata: SecretMetadata(maxVersions: 60), versions: versions))
            try expectEqual(try await past.restore(in: subject).count, 60, "the versions written")
            try await past.expectArrived(in: subject)
        },
        ConformanceCheck("recalling gives what soft-deleted versions hold, and leaves them as they are") { subject in
            let past = try Past.eventful
            try await past.restore(in: subject)
            for _ in 1...2 {
                let recalled = try await past.recall(6, in: subject)
                try expect(recalled == Past.payload(6), "the payload recalled")
                try await past.expectArrived(in: subject)
                try await expectError(.versionDeleted, from: "reading it") { try await subject.read("a/b", 6) }
            }
            try await subject.write("b", "deleted here")
            try await subject.delete("b")
            let before = try await subject.describe("b")
            let recalled = try await past.recall(1, of: "b", in: subject)
            try expect(recalled["value"] == SecretBytes("deleted here"), "the payload recalled")
            try expectEqual(try await subject.describe("b").versions, before.versions, "the version recalled")
            try await expectError(.versionDestroyed, from: "recalling a destroyed one") {
                try await past.recall(7, in: subject)
            }
            try await expectError(.notFound, from: "recalling one that is not kept") {
                try await past.recall(1, in: subject)
            }
        },
        ConformanceCheck("a history arrives from the first version on, and of destroyed versions only") { subject in
            let versions = (1...3).map { number in
                VersionInfo(
                    number: number, etag: ETag("\(number)"), createdAt: Past.day(number), state: .destroyed,
                    deletesAt: number == 2 ? Past.day(5) : nil)
            }
            let past = Past(
                SecretDescription(
                    path: try SecretPath("gone"), currentVersion: 3, createdAt: Past.day(1), updatedAt: Past.day(5),
                    metadata: SecretMetadata(), versions: versions))
            try expectEqual(try await past.restore(in: subject), [], "the versions with content")
            try await past.expectArrived(in: subject)
            try expectEqual(try await subject.write("gone", "new").number, 4, "the next number")
        },
    ]
}

/// A history to restore, which remembers what it was asked for.
private final class Past: Sendable {
    private struct State {
        var description: SecretDescription
        var asked: [Int] = []
        var failsAt: Int?
    }

    private let state: Mutex<State>

    init(_ description: SecretDescription) {
        state = Mutex(State(description: description))
    }

    /// Versions 5 to 9 of nine: one soft-deleted, one destroyed, with labels and settings.
    static var eventful: Past {
        get throws {
            Past(
                SecretDescription(
                    path: try SecretPath("a/b"), currentVersion: 9, createdAt: day(1), updatedAt: day(30),
                    metadata: SecretMetadata(
                        maxVersions: 7, casRequired: false, labels: ["team": "payments", "länder": "Österreich = 1"]),
                    versions: [
                        VersionInfo(number: 5, etag: ETag("5"), createdAt: day(5), state: .available),
                        VersionInfo(number: 6, etag: ETag("6"), createdAt: day(6), state: .deleted, deletesAt: day(20)),
                        VersionInfo(number: 7, etag: ETag("7"), createdAt: day(7), state: .destroyed),
                        VersionInfo(number: 8, etag: ETag("8"), createdAt: day(8), state: .available),
                        VersionInfo(number: 9, etag: ETag("9"), createdAt: day(9), state: .available),
                    ]))
        }
    }

    /// Days since a day in 2020, and some microseconds: long past also by the suite's own clock.
    static func day(_ count: Int) -> Timestamp {
        Timestamp(microseconds: 1_580_000_000_123_456 + Int64(count) * 86_400_000_000)
    }

    /// Text, bytes that are none, and nothing, in an order that is not that of names.
    static func payload(_ number: Int) -> Payload? {
        try? Payload([
            Payload.Field(name: "z", value: SecretBytes("value of \(number)")),
            Payload.Field(name: "bytes", value: SecretBytes(copying: [0, 255, 254, UInt8(number)])),
            Payload.Field(name: "empty", value: SecretBytes("")),
        ])
    }

    var description: SecretDescription { state.withLock { $0.description } }
    var asked: [Int] { state.withLock { $0.asked } }
    func fail(at number: Int?) { state.withLock { $0.failsAt = number } }

    func change(_ change: (SecretDescription) -> SecretDescription) {
        state.withLock { $0.description = change($0.description) }
    }

    @discardableResult
    func restore(in subject: Subject, _ divergence: HistoryDivergence = .refuse) async throws -> [Int] {
        try await transferring(subject).restore(
            description, onDivergence: divergence,
            payload: { (number) async throws(SecretError) in
                let fails = self.state.withLock { state in
                    state.asked.append(number)
                    return state.failsAt == number
                }
                guard !fails, let payload = Past.payload(number) else {
                    throw SecretError(.keyUnavailable, "The source cannot be read.")
                }
                return payload
            }, deadline: subject.deadline)
    }

    @discardableResult
    func recall(_ version: Int, of path: String = "a/b", in subject: Subject) async throws -> Payload {
        try await transferring(subject).recall(SecretPath(path), version: version, deadline: subject.deadline)
    }

    func expectArrived(in subject: Subject) async throws {
        let arrived = try await subject.describe(description.path.text)
        try expectEqual(description.differences(from: arrived), [], "differences")
        for version in description.versions where version.state == .available {
            let read = try await subject.read(description.path.text, version.number)
            try expect(read.payload == Past.payload(version.number), "the payload of version \(version.number)")
            try expectEqual(read.info.createdAt, version.createdAt, "the creation date read")
            try expectEqual(read.labels, description.metadata.labels, "the labels read")
        }
    }

    private func transferring(_ subject: Subject) throws -> any HistoryTransferring {
        guard let backend = subject.backend as? any HistoryTransferring else {
            throw ConformanceFailure("\(subject.backend.name) takes over no histories")
        }
        return backend
    }
}

extension SecretDescription {
    fileprivate func with(current: Int, versions: [VersionInfo], metadata: SecretMetadata) -> SecretDescription {
        SecretDescription(
            path: path, currentVersion: current, createdAt: createdAt, updatedAt: updatedAt, metadata: metadata,
            versions: versions)
    }
}

extension VersionInfo {
    fileprivate func with(_ state: State, deletesAt: Timestamp? = nil) -> VersionInfo {
        VersionInfo(number: number, etag: etag, createdAt: createdAt, state: state, deletesAt: deletesAt)
    }
}
