// Walks through a log record by record, and waits at its end for what a gateway adds.

extension AuditLogReader {
    /// A place in a log, and what comes after it.
    ///
    /// At the end of the log ``next()`` returns nil; called again later, it returns what has come since.
    /// Every batch is checked against its hash and the one before it, within what the cursor has passed.
    public struct Cursor: Sendable {
        /// How much of a file is read at a time.
        private static let windowBytes = 1 << 20

        private let directory: String
        private let files = SystemAuditFiles()
        private var wanted: UInt64
        private var segment: UInt64?
        /// The index after the last batch that was read.
        private(set) var batchEnd: UInt64 = 0
        private var chain: [UInt8] = []
        private var offset = 0
        // Some bytes of the segment, from `windowStart`.
        private var window: [UInt8] = []
        private var windowStart = 0
        // What is left of the last batch that was read.
        private var lines: ArraySlice<UInt8> = []
        private var lineIndex: UInt64 = 0

        private var path: String { directory + "/" + AuditDirectory.segmentName(segment ?? 0) }

        init(directory: String, from index: UInt64) {
            self.directory = directory
            wanted = index
        }

        /// The next record, or nil if there is none yet.
        /// - Throws: `corrupt`, `file_system`.
        public mutating func next() throws(AuditLogError) -> Entry? {
            while true {
                while let newline = lines.firstIndex(of: SegmentFormat.newline) {
                    let line = lines[..<newline]
                    let index = lineIndex
                    lines = lines[(newline + 1)...]
                    lineIndex += 1
                    if index >= wanted { return Entry(index: index, json: Array(line)) }
                }
                guard try readBatch() else { return nil }
            }
        }

        /// Reads the next batch; false at the end of the log.
        private mutating func readBatch() throws(AuditLogError) -> Bool {
            if segment == nil {
                guard let start = try AuditDirectory.segments(in: directory).last(where: { $0 <= wanted }) else {
                    return false
                }
                try enter(start)
            }
            while true {
                if let batch = try findBatch() {
                    try take(batch)
                    return true
                }
                let segments = try AuditDirectory.segments(in: directory)
                let isLast = segments.last == segment
                // The writer may have been faster than we: look once more, knowing what was there before.
                if let batch = try findBatch() {
                    try take(batch)
                    return true
                }
                if isLast {
                    try checkTail()
                    return false
                }
                guard segments.contains(batchEnd) else {
                    throw .corrupt(
                        path, offset: offset, index: batchEnd, "no valid batch here, but there are later segments")
                }
                try enter(batchEnd)
            }
        }

        /// Starts on a segment: the first one that is read, or the next.
        private mutating func enter(_ index: UInt64) throws(AuditLogError) {
            let path = directory + "/" + AuditDirectory.segmentName(index)
            guard let header = try SegmentRecovery.header(path, files: files), header.firstIndex == index else {
                throw .corrupt(path, offset: 0, index: index, "the segment's header is not valid")
            }
            if segment != nil, header.previousSegment != segment || header.chain != chain {
                throw .corrupt(path, offset: 0, index: index, "the segment does not continue the one before it")
            }
            segment = index
            batchEnd = index
            chain = header.chain
            offset = SegmentFormat.segmentHeaderBytes
            window = []
        }

        /// The batch at the current place, read from the file if it is not in the window whole.
        private mutating func findBatch() throws(AuditLogError) -> BatchHeader? {
            if let batch = SegmentScan.batch(in: window, at: offset - windowStart) { return batch }
            try fillWindow(Self.windowBytes)
            if let header = BatchHeader(window, at: 0), header.totalBytes > window.count {
                try fillWindow(header.totalBytes)
            }
            return SegmentScan.batch(in: window, at: 0)
        }

        private mutating func fillWindow(_ count: Int) throws(AuditLogError) {
            let (path, start) = (path, offset)
            window = try SegmentRecovery.withFile(path, files) { (file) throws(AuditFileError) in
                try files.read(file, path, at: start, count: count)
            }
            windowStart = start
        }

        private mutating func take(_ batch: BatchHeader) throws(AuditLogError) {
            let start = offset - windowStart
            let payload = window[start + SegmentFormat.batchHeaderBytes..<start + batch.totalBytes]
            if let problem = SegmentScan.problem(batch, payload: payload, at: batchEnd, after: chain) {
                throw .corrupt(path, offset: offset, index: batchEnd, problem)
            }
            lines = payload
            lineIndex = batch.firstIndex
            batchEnd = batch.nextIndex
            chain = batch.hash
            offset += batch.totalBytes
        }

        /// At the end there is nothing, or a write in progress; not something with a good batch after it.
        private mutating func checkTail() throws(AuditLogError) {
            guard window.prefix(SegmentFormat.batchHeaderBytes).contains(where: { $0 != 0 }) else { return }
            let (path, start) = (path, offset)
            let rest = try SegmentRecovery.withFile(path, files) { (file) throws(AuditFileError) in
                min(try files.length(file, path), SegmentFormat.maximumSegmentBytes) - start
            }
            try fillWindow(max(rest, 0))
            guard SegmentScan.findBatch(in: window, after: 0) != nil else { return }
            // Both may have been written while we read: then this one is good now.
            if try findBatch() == nil {
                throw .corrupt(path, offset: offset, index: batchEnd, "no valid batch here, but one follows")
            }
        }
    }
}
