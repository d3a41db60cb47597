// Checks a log as an outsider would: from its entries and tiles to the signed root, against the checkpoints and keys that
// the auditor brings, and against the segments where they are there.

public import TransparencyLog

/// Verifies a log in a directory. Reads a few megabytes at a time, however large the log is.
public struct LogVerifier: Sendable {
    /// A checkpoint that an auditor kept.
    public struct Kept: Sendable {
        /// What to call it: its file.
        public let name: String
        /// The checkpoint.
        public let bytes: [UInt8]

        /// Describes a checkpoint.
        public init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// What a log that is whole amounts to.
    public struct Report: Sendable, Equatable {
        /// Which log it is.
        public let origin: String
        /// How many records the checkpoint covers.
        public let size: UInt64
        /// The root.
        public let root: MerkleHash
        /// The keys that signed, the current one last.
        public let keys: [VerifierKey]
        /// Whether the first key was brought by the auditor, and not found beside the log.
        public let isKeyGiven: Bool
        /// The index of the first record that is there: those before it were pruned, on record.
        public let minimumIndex: UInt64
        /// How many records were read and hashed.
        public let records: UInt64
        /// How many earlier checkpoints agree.
        public let earlierCheckpoints: Int
        /// How many segments agree; nil where there are none to look at.
        public let segments: Int?
        /// How many durable records no checkpoint covers yet.
        public let uncovered: UInt64
        /// Bytes at the end of the last segment of a write that is unfinished: in progress, or left by a crash.
        public let tornBytes: Int
    }

    /// The audit directory, or only the published log.
    public let directory: String
    /// The keys that the auditor trusts; none for the first one beside the log.
    public var keys: [VerifierKey] = []
    /// The checkpoints that the auditor kept.
    public var kept: [Kept] = []
    /// The records to read; hashes are checked of all.
    public var range: Range<UInt64> = 0..<UInt64.max
    /// How many threads read and hash.
    public var workers = 2

    /// Makes a verifier.
    /// - Parameter directory: an audit directory, or a published log by itself.
    public init(directory: String) {
        self.directory = directory
    }

    /// Where the published log is, and the segments if there are any.
    var places: (log: LogDirectory, segments: String?) {
        let whole = LogDirectory(auditDirectory: directory)
        // A directory that cannot be listed fails below, with the reason.
        let isAudit =
            FileList.exists(whole.path) || FileList.exists(directory + "/" + AuditDirectory.lockName)
            || !((try? AuditDirectory.segments(in: directory)) ?? []).isEmpty
        return isAudit ? (whole, directory) : (LogDirectory(path: directory), nil)
    }

    /// Verifies the log.
    /// - Returns: what it amounts to.
    /// - Throws: ``LogProblem`` for the first thing that is wrong, `AuditLogError` if it cannot be read.
    public func verify() throws -> Report {
        let (log, segments) = places
        guard FileList.exists(directory) else {
            throw AuditLogError(AuditFileError("open", directory, number: AuditFileError.missing))
        }
        let head = try SignedHead(log, keys: keys, kept: kept)
        var walk = TreeWalk(log: log, head: head, range: range, workers: workers)
        try walk.run()
        var summary: SegmentCheck.Summary?
        if let segments {
            summary = try SegmentCheck(directory: segments, log: log, size: head.checkpoint.size).run()
        }
        return Report(
            origin: head.checkpoint.origin, size: head.checkpoint.size, root: head.checkpoint.root, keys: head.keys,
            isKeyGiven: !keys.isEmpty, minimumIndex: head.minimumIndex, records: walk.records,
            earlierCheckpoints: kept.count, segments: summary?.segments, uncovered: summary?.uncovered ?? 0,
            tornBytes: summary?.tornBytes ?? 0)
    }
}
