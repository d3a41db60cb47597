// What opening a log does to what it finds: checks that no segment is missing, scans the last one, and
// cuts off the write that a crash left unfinished.

/// Recovery of a log at opening.
enum SegmentRecovery {
    /// The segment to go on with.
    struct Recovered {
        /// What is in it.
        let scan: SegmentScan
        /// Its length: the room that it has.
        let length: Int
    }

    /// Checks the segments' headers, scans the last one and cuts off its torn tail.
    /// - Returns: nil if there is no segment yet.
    /// - Throws: `corrupt`, `file_system`.
    static func recover(_ directory: String, files: any AuditFiles) throws(AuditLogError) -> Recovered? {
        let segments = try AuditDirectory.segments(in: directory)
        guard let last = segments.last else { return nil }
        let covered = try PublishedCheckpoint.retirableSize(in: directory)
        var previous: UInt64?
        for index in segments {
            try checkLink(directory, index, after: previous, covered: covered, files: files)
            previous = index
        }
        let path = directory + "/" + AuditDirectory.segmentName(last)
        let bytes = try contents(path, index: last, files: files)
        let scan: SegmentScan
        do throws(SegmentScan.Damage) {
            scan = try SegmentScan(bytes)
        } catch {
            throw .corrupt(path, offset: error.offset, index: error.index, error.what)
        }
        try withFile(path, files) { (file) throws(AuditFileError) in
            if scan.tornBytes > 0 {
                try files.write([UInt8](repeating: 0, count: scan.tornBytes), to: file, path, at: scan.end)
            }
            // What was just read may be in the page cache only, if the process died before its sync.
            try files.synchronize(file, path)
            try files.synchronizeDirectory(directory)
        }
        return Recovered(scan: scan, length: bytes.count)
    }

    /// A segment's bytes.
    static func contents(_ path: String, index: UInt64, files: any AuditFiles) throws(AuditLogError) -> [UInt8] {
        let bytes = try withFile(path, files) { (file) throws(AuditFileError) -> [UInt8]? in
            let length = try files.length(file, path)
            guard length <= SegmentFormat.maximumSegmentBytes else { return nil }
            return try files.read(file, path, at: 0, count: length)
        }
        guard let bytes else {
            throw .corrupt(path, offset: 0, index: index, "the file is larger than any segment")
        }
        return bytes
    }

    /// A segment's header, if it has one.
    static func header(_ path: String, files: any AuditFiles) throws(AuditLogError) -> SegmentHeader? {
        try withFile(path, files) { (file) throws(AuditFileError) in
            SegmentHeader(try files.read(file, path, at: 0, count: SegmentFormat.segmentHeaderBytes))
        }
    }

    /// Checks that a segment is the one after another, by their headers alone.
    private static func checkLink(
        _ directory: String, _ index: UInt64, after previous: UInt64?, covered: UInt64, files: any AuditFiles
    ) throws(AuditLogError) {
        let path = directory + "/" + AuditDirectory.segmentName(index)
        if let problem = linkProblem(try header(path, files: files), named: index, after: previous, covered: covered) {
            throw .corrupt(path, offset: 0, index: index, problem)
        }
    }

    /// What is wrong with a segment's header, given its name and the segment that lies before it.
    /// - Parameter covered: how many records are in full bundles of the published log; their segments may be gone.
    static func linkProblem(
        _ header: SegmentHeader?, named index: UInt64, after previous: UInt64?, covered: UInt64
    ) -> String? {
        guard let header else { return "the segment's header is not valid" }
        guard header.firstIndex == index else {
            return "the segment's header says that it starts at \(header.firstIndex)"
        }
        guard let previous else {
            guard index > 0 else {
                return header.previousSegment == nil ? nil : "the first segment of a log has none before it"
            }
            guard index <= covered else {
                return
                    "the segments before record \(index) are missing; only \(covered) records are in published bundles"
            }
            return nil
        }
        guard header.previousSegment == previous else {
            let missing = header.previousSegment.map(AuditDirectory.segmentName) ?? "none"
            return "the segment before it should be \(missing); segments are missing or were swapped"
        }
        return nil
    }

    static func withFile<T>(
        _ path: String, _ files: any AuditFiles, _ body: (Int32) throws(AuditFileError) -> T
    ) throws(AuditLogError) -> T {
        do throws(AuditFileError) {
            let file = try files.open(path, creating: nil)
            defer { files.close(file) }
            return try body(file)
        } catch {
            throw AuditLogError(error)
        }
    }
}
