// Removes segments whose records are all in full bundles, once those are durable.

import CProcess
import Glibc
import TransparencyLog

/// Decides when to sync the published log and to remove the segments behind it.
///
/// One syncfs makes some hundred thousand records' tiles durable at once; a sync of each of their files would cost
/// hundreds of times as much, and compete with the records' own.
struct SegmentRetirement {
    /// As many finished segments are removed at once.
    private static let enough = 8
    /// Or fewer, when the last time was as long ago.
    private static let interval: Duration = .seconds(10)

    private let auditDirectory: String
    private let spares: SpareFiles
    private var last = ContinuousClock.now

    init(auditDirectory: String, spares: SpareFiles) {
        self.auditDirectory = auditDirectory
        self.spares = spares
    }

    /// Removes segments, if it is time.
    /// - Parameter published: how many records the checkpoint covers.
    mutating func run(published: UInt64) throws {
        let covered = published / 256 * 256
        let isTime = last.duration(to: .now) >= Self.interval
        let segments = try AuditDirectory.segments(in: auditDirectory)
        // A segment ends where the next begins; the last one is in use.
        let finished = zip(segments, segments.dropFirst()).prefix { $0.1 <= covered }.map(\.0)
        guard finished.count >= Self.enough || isTime && !finished.isEmpty else {
            if isTime { last = .now }
            return
        }
        try synchronize()
        for index in finished {
            let path = auditDirectory + "/" + AuditDirectory.segmentName(index)
            try spares.give(file: path, isEmptied: true)
        }
        last = .now
    }

    private func synchronize() throws {
        let path = auditDirectory + "/" + LogDirectory.name
        let directory = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw AuditFileError("open", path, number: errno) }
        defer { _ = close(directory) }
        let number = postern_file_system_synchronize(directory)
        guard number == 0 else { throw AuditFileError("syncfs", path, number: number) }
    }
}
