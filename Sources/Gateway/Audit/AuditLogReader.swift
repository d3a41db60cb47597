// Reading a log's directory, also while a gateway writes to it. Everything that works on what is in the
// log starts here: `postern audit tail`, verification, and whatever is derived from the records.

/// Reads the audit log in a directory. Takes no lock and changes nothing.
///
/// While a gateway writes, a record may be seen a moment before it is durable. What must not run ahead
/// stops before ``AuditLog/nextIndex``.
public struct AuditLogReader: Sendable {
    /// One record as it is in the log.
    public struct Entry: Sendable, Equatable {
        /// Its place in the log, from 0.
        public let index: UInt64
        /// Its canonical JSON (RFC 8785), without a newline.
        public let json: [UInt8]
    }

    /// What a whole and unbroken log amounts to.
    public struct Summary: Sendable, Equatable {
        /// How many records there are.
        public let records: UInt64
        /// How many segment files.
        public let segments: Int
        /// The hash of the last batch, which depends on every byte before it.
        public let chain: [UInt8]
        /// Bytes of a write at the very end that is unfinished: in progress, or left by a crash.
        public let tornBytes: Int
    }

    /// The log's directory.
    public let directory: String

    /// Makes a reader.
    /// - Parameter directory: the log's directory.
    public init(directory: String) {
        self.directory = directory
    }

    /// The records from an index on.
    /// - Parameter index: where to start; it may be past the end.
    public func entries(from index: UInt64 = 0) -> Cursor {
        Cursor(directory: directory, from: index)
    }

    /// The last records, oldest first.
    /// - Parameter count: how many.
    /// - Throws: `corrupt`, `file_system`.
    public func last(_ count: Int) throws(AuditLogError) -> [Entry] {
        let end = try endIndex()
        var cursor = entries(from: end - min(end, UInt64(max(count, 0))))
        var entries: [Entry] = []
        while entries.count < count, let entry = try cursor.next() { entries.append(entry) }
        return entries
    }

    /// The index after the last record, found by going over the last segment's headers.
    /// - Throws: `corrupt`, `file_system`.
    public func endIndex() throws(AuditLogError) -> UInt64 {
        var cursor = BatchCursor(directory: directory, from: .max)
        while try cursor.next() != nil {}
        return cursor.batchEnd
    }

    /// Checks every segment that is there: headers, framing, indexes and the hash chain. Whether the segments agree with
    /// the published log, ``LogVerifier`` says.
    /// - Returns: what the log amounts to.
    /// - Throws: `corrupt` with the first bad place: its file, offset and index.
    public func verify() throws(AuditLogError) -> Summary {
        var previous: SegmentScan?
        var count = 0
        // The writer may add segments meanwhile, and remove published ones.
        while true {
            let segments = try AuditDirectory.segments(in: directory)
            let next = segments.first { index in previous.map { index > $0.header.firstIndex } ?? true }
            guard let index = next else { break }
            if index == segments.first { (previous, count) = (nil, 0) }
            let path = directory + "/" + AuditDirectory.segmentName(index)
            let scan: SegmentScan
            do throws(AuditLogError) {
                scan = try Self.scan(path, index: index, attempts: index == segments.last ? 3 : 1)
            } catch {
                guard error.isMissingFile || !FileList.exists(path) else { throw error }
                (previous, count) = (nil, 0)
                continue
            }
            let isLast = try AuditDirectory.segments(in: directory).last == index
            // Since it was read, the writer went on to another segment: this one is complete now.
            if !isLast && index == segments.last { continue }
            let covered = try PublishedCheckpoint.retirableSize(in: directory)
            if let problem = Self.problem(scan, named: index, after: previous, covered: covered, isLast: isLast) {
                throw .corrupt(path, offset: problem.offset, index: problem.index, problem.what)
            }
            previous = scan
            count += 1
        }
        return Summary(
            records: previous?.nextIndex ?? 0, segments: count, chain: previous?.chain ?? SegmentFormat.noHash,
            tornBytes: previous?.tornBytes ?? 0)
    }

    /// What is wrong with a segment that is good by itself, given the one before it.
    private static func problem(
        _ scan: SegmentScan, named index: UInt64, after previous: SegmentScan?, covered: UInt64, isLast: Bool
    ) -> SegmentScan.Damage? {
        let start = previous?.nextIndex ?? index
        if let link = SegmentRecovery.linkProblem(
            scan.header, named: index, after: previous?.header.firstIndex, covered: covered)
        {
            return SegmentScan.Damage(offset: 0, index: start, what: link)
        }
        guard index == start else {
            return SegmentScan.Damage(offset: 0, index: start, what: "the segment before it ends at record \(start)")
        }
        guard previous == nil || scan.header.chain == previous?.chain else {
            return SegmentScan.Damage(
                offset: 0, index: start, what: "the segment does not continue the hash chain of the one before it")
        }
        guard isLast || scan.tornBytes == 0 else {
            return SegmentScan.Damage(
                offset: scan.end, index: scan.nextIndex, what: "the segment's last batch is not valid")
        }
        return nil
    }

    /// Scans a file; more than once if a writer may be in the middle of it.
    private static func scan(_ path: String, index: UInt64, attempts: Int) throws(AuditLogError) -> SegmentScan {
        let bytes = try SegmentRecovery.contents(path, index: index, files: SystemAuditFiles())
        do throws(SegmentScan.Damage) {
            return try SegmentScan(bytes)
        } catch {
            guard attempts == 1 else { return try scan(path, index: index, attempts: attempts - 1) }
            throw .corrupt(path, offset: error.offset, index: error.index, error.what)
        }
    }
}
