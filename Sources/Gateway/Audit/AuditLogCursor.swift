// Walks through a log record by record, and waits at its end for what a gateway adds. Older records are in entry bundles,
// the newest in segments; in between they are in both.

import TransparencyLog

extension AuditLogReader {
    /// A place in a log, and what comes after it.
    ///
    /// At the end of the log ``next()`` returns nil; called again later, it returns what has come since.
    /// Every batch of a segment is checked against its hash and the one before it, within what the cursor has passed;
    /// what is in bundles is as it lies, and checked by `postern audit verify`. Records that were pruned are passed
    /// over: the first index returned can be higher than the one asked for.
    public struct Cursor: Sendable {
        private let directory: String
        private let log: LogDirectory
        private var wanted: UInt64
        private var batches: BatchCursor?
        private var pending: [Entry].SubSequence = []

        /// The index after the last record that was read.
        var end: UInt64 { batches?.batchEnd ?? wanted }

        init(directory: String, from index: UInt64) {
            self.directory = directory
            log = LogDirectory(auditDirectory: directory)
            wanted = index
        }

        /// Forgets what was read ahead: what was not durable when it was read can have been replaced since. Those who stop
        /// before ``AuditLog/nextIndex`` call this after they have asked for it.
        public mutating func refresh() { batches?.refresh() }

        /// The next record, or nil if there is none yet.
        /// - Throws: `corrupt`, `file_system`.
        public mutating func next() throws(AuditLogError) -> Entry? {
            while true {
                if let entry = pending.popFirst() {
                    wanted = entry.index + 1
                    return entry
                }
                guard try read() else { return nil }
            }
        }

        /// Reads the next batch or bundle; false at the end of the log.
        private mutating func read() throws(AuditLogError) -> Bool {
            // A segment can be removed while it is read: then its records are in bundles.
            var attempts = 0
            while true {
                do throws(AuditLogError) {
                    if batches == nil, try !startsInSegments() { return try readBundle() }
                    return try readBatch()
                } catch {
                    guard attempts < 3, error.isMissingFile else { throw error }
                    attempts += 1
                    batches = nil
                }
            }
        }

        private mutating func startsInSegments() throws(AuditLogError) -> Bool {
            guard let first = try AuditDirectory.segments(in: directory).first else { return true }
            return wanted >= first
        }

        private mutating func readBatch() throws(AuditLogError) -> Bool {
            var cursor = batches ?? BatchCursor(directory: directory, from: wanted)
            defer { batches = cursor }
            guard let batch = try cursor.next() else { return false }
            var entries: [Entry] = []
            let start = wanted
            unsafe batch.forEachRecord { index, record in
                if index >= start { unsafe entries.append(Entry(index: index, json: Array(record))) }
            }
            pending = entries[...]
            return true
        }

        private mutating func readBundle() throws(AuditLogError) -> Bool {
            let tile = Tile(.entries, index: wanted / 256)
            let path = log.file(tile)
            guard let bytes = try Self.contents(path) else {
                guard let minimum = try LogRecord.minimumIndex(in: log), minimum > wanted else {
                    throw .corrupt(path, offset: 0, index: wanted, "the entry bundle is missing")
                }
                wanted = minimum
                return true
            }
            do throws(TransparencyLogError) {
                let start = wanted
                pending = try EntryBundle.entries(in: bytes, width: Tile.fullWidth).enumerated()
                    .map { Entry(index: tile.index * 256 + UInt64($0), json: Array(bytes[$1])) }
                    .drop { $0.index < start }
                return true
            } catch {
                throw .corrupt(path, offset: 0, index: tile.index * 256, error.message)
            }
        }

        private static func contents(_ path: String) throws(AuditLogError) -> [UInt8]? {
            do throws(AuditFileError) {
                return try FileList.contents(path, limit: LogDirectory.maximumBundleBytes)
            } catch {
                throw AuditLogError(error)
            }
        }
    }
}
