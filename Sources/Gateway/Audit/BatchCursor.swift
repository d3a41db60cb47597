// Walks through the segments batch by batch: what readers and the publisher have in common.

import Glibc

/// A place in the segments, and the batches that follow.
struct BatchCursor: Sendable {
    /// A batch.
    struct Batch {
        let header: BatchHeader
        /// Its records, each followed by a newline.
        let payload: ArraySlice<UInt8>
    }

    /// How much of a file is read at a time.
    private static let windowBytes = 1 << 20

    private let directory: String
    private let files = SystemAuditFiles()
    /// Whether each batch is checked against its hash and the one before it. What this process has written itself, and
    /// synced, need not be.
    var checksHashes = true
    private let start: UInt64
    private var segment: UInt64?
    /// The index after the last batch that was read.
    private(set) var batchEnd: UInt64 = 0
    private var chain: [UInt8] = []
    private var offset = 0
    // Some bytes of the segment, from `windowStart`.
    private var window: [UInt8] = []
    private var windowStart = 0

    private var path: String { directory + "/" + AuditDirectory.segmentName(segment ?? 0) }

    /// A cursor before the batch that has a record.
    /// - Parameters:
    ///   - directory: the audit directory.
    ///   - start: the record's index.
    init(directory: String, from start: UInt64) {
        self.directory = directory
        self.start = start
    }

    /// Forgets what was read ahead. What was not durable when it was read can have been replaced since.
    mutating func refresh() { window = [] }

    /// The next batch, or nil if there is none yet. The first may begin before the wanted record.
    mutating func next() throws(AuditLogError) -> Batch? {
        do throws(AuditLogError) {
            return try read()
        } catch {
            // What is wrong with a segment that was removed meanwhile, and emptied, says nothing.
            guard error.code == .corrupt, let file = error.file, !FileList.exists(file) else { throw error }
            throw AuditLogError(AuditFileError("open", file, number: AuditFileError.missing))
        }
    }

    private mutating func read() throws(AuditLogError) -> Batch? {
        if segment == nil {
            guard let first = try AuditDirectory.segments(in: directory).last(where: { $0 <= start }) else {
                return nil
            }
            try enter(first)
        }
        while true {
            if let batch = try findBatch() { return try take(batch) }
            let segments = try AuditDirectory.segments(in: directory)
            let isLast = segments.last == segment
            // The writer may have been faster than we: look once more, knowing what was there before.
            if let batch = try findBatch() { return try take(batch) }
            if isLast {
                try checkTail()
                return nil
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
        if let batch = batch(at: offset - windowStart) { return batch }
        try fillWindow(Self.windowBytes)
        if let header = BatchHeader(window, at: 0), header.totalBytes > window.count {
            try fillWindow(header.totalBytes)
        }
        return batch(at: 0)
    }

    private func batch(at place: Int) -> BatchHeader? {
        if checksHashes { return SegmentScan.batch(in: window, at: place) }
        guard let batch = BatchHeader(window, at: place), batch.totalBytes <= window.count - place else { return nil }
        return batch
    }

    private mutating func fillWindow(_ count: Int) throws(AuditLogError) {
        let (path, start) = (path, offset)
        window = try SegmentRecovery.withFile(path, files) { (file) throws(AuditFileError) in
            try files.read(file, path, at: start, count: count)
        }
        windowStart = start
    }

    private mutating func take(_ batch: BatchHeader) throws(AuditLogError) -> Batch {
        let start = offset - windowStart
        let payload = window[start + SegmentFormat.batchHeaderBytes..<start + batch.totalBytes]
        if checksHashes {
            if let problem = SegmentScan.problem(batch, payload: payload, at: batchEnd, after: chain) {
                throw .corrupt(path, offset: offset, index: batchEnd, problem)
            }
        } else if batch.firstIndex != batchEnd {
            throw .corrupt(path, offset: offset, index: batchEnd, "the batch here starts at record \(batch.firstIndex)")
        }
        batchEnd = batch.nextIndex
        chain = batch.hash
        offset += batch.totalBytes
        return Batch(header: batch, payload: payload)
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

extension BatchCursor.Batch {
    /// Calls a function with each record, without its newline.
    func forEachRecord<E: Error>(
        _ body: (UInt64, UnsafeRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        var failure: E?
        unsafe payload.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            var (start, index) = (0, header.firstIndex)
            while start < bytes.count, let end = unsafe memchr(base + start, 0x0A, bytes.count - start) {
                let length = unsafe UnsafeRawPointer(end) - (base + start)
                do throws(E) {
                    try unsafe body(index, UnsafeRawBufferPointer(start: base + start, count: length))
                } catch {
                    failure = error
                    return
                }
                start += length + 1
                index += 1
            }
        }
        if let failure { throw failure }
    }
}
