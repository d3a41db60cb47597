// Compares the segments with the published log.

import TransparencyLog

/// Checks the segments of an audit directory.
struct SegmentCheck {
    /// What they amount to.
    struct Summary {
        let segments: Int
        let uncovered: UInt64
        let tornBytes: Int
    }

    let directory: String
    let log: LogDirectory
    /// How many records the checkpoint covers.
    let size: UInt64

    /// - Throws: ``LogProblem``, `AuditLogError`.
    func run() throws -> Summary {
        let summary: AuditLogReader.Summary
        do throws(AuditLogError) {
            summary = try AuditLogReader(directory: directory).verify()
        } catch {
            throw Self.problem(error)
        }
        guard summary.records >= size else {
            throw LogProblem(
                .segment, index: summary.records, file: directory,
                "The segments end at record \(summary.records), but the checkpoint covers \(size): records are missing."
            )
        }
        try compare()
        return Summary(
            segments: summary.segments, uncovered: summary.records - size, tornBytes: summary.tornBytes)
    }

    /// Compares each record with its hash in the tiles.
    private func compare() throws {
        var reader = LogTiles(log).reader(size: size)
        var attempts = 0
        var cursor: BatchCursor?
        while true {
            do {
                guard let first = try AuditDirectory.segments(in: directory).first else { return }
                if cursor == nil { cursor = BatchCursor(directory: directory, from: first) }
                guard cursor?.batchEnd ?? 0 < size, let batch = try cursor?.next() else { return }
                try unsafe batch.forEachRecord { (index, record) throws in
                    guard index < size, unsafe try reader.hash(level: 0, index: index) != .leaf(record) else { return }
                    throw LogProblem(
                        .segment, index: index, file: directory,
                        "The record in the segment is not the one in the published log.")
                }
            } catch let error as AuditLogError {
                // A gateway removes segments that are published.
                guard error.isMissingFile, attempts < 3 else { throw Self.problem(error) }
                attempts += 1
                cursor = nil
            }
        }
    }

    private static func problem(_ error: AuditLogError) -> any Error {
        guard error.code == .corrupt else { return error }
        return LogProblem(.segment, index: error.index, file: error.file, error.message)
    }
}
