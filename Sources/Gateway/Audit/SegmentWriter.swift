// Puts batches into segments: the only code that writes to the log. One thread owns it.
//
// What is written is durable before anybody hears of it, so after a failure there are two cases:
// - A write or a sync failed. Nothing can be known about that file's pages any more (after a failed fsync
//   Linux may call them clean without having written them), so the file is `suspect` and not written to
//   again. Recovery reads back what was acknowledged, checks its hash chain, writes it to the reserved
//   file, syncs that and renames it over the suspect one.
// - There is no room for the next segment. The current one is good and stays in use until it is full.

import Glibc

/// The files of one audit log, for writing.
struct SegmentWriter {
    /// An open file that the log's room is in.
    private struct Segment {
        var file: Int32
        var header: SegmentHeader
        var capacity: Int
        var used: Int
    }

    private let directory: String
    private let files: any AuditFiles
    private let segmentBytes: Int
    private let fileMode: UInt32
    private var current: Segment
    private var isSuspect = false
    private var mustRotate = false
    private var reserved: Int32?
    private var chain: [UInt8]
    /// The index of the next record: all before it are durable.
    private(set) var nextIndex: UInt64
    /// Bytes of a torn tail that opening cut off.
    let tornBytes: Int

    private var reservedPath: String { directory + "/" + AuditDirectory.reservedName }
    private var currentPath: String { path(current.header) }
    private func path(_ header: SegmentHeader) -> String {
        directory + "/" + AuditDirectory.segmentName(header.firstIndex)
    }

    /// Whether room for the next segment is set aside.
    var hasReserve: Bool { reserved != nil }
    /// Whether there is a good segment to write to.
    var canWrite: Bool { !isSuspect && !mustRotate }

    /// Opens a log, new or old, and cuts off a torn tail.
    /// - Throws: `corrupt` if what is there is not what was written, `file_system`.
    init(
        directory: String, files: any AuditFiles, segmentBytes: Int, fileMode: UInt32
    ) throws(AuditLogError) {
        self.directory = directory
        self.files = files
        self.segmentBytes = segmentBytes
        self.fileMode = fileMode
        if let recovered = try SegmentRecovery.recover(directory, files: files) {
            current = Segment(
                file: try Self.open(directory, recovered, files), header: recovered.scan.header,
                capacity: recovered.length,
                used: recovered.scan.end)
            chain = recovered.scan.chain
            nextIndex = recovered.scan.nextIndex
            tornBytes = recovered.scan.tornBytes
        } else {
            let header = SegmentHeader(firstIndex: 0, previousSegment: nil, chain: SegmentFormat.noHash)
            current = Segment(file: -1, header: header, capacity: 0, used: 0)
            chain = header.chain
            nextIndex = 0
            tornBytes = 0
            do throws(AuditFileError) {
                try makeReserve()
                try replaceCurrent(header, with: header.bytes, capacity: segmentBytes)
            } catch {
                throw AuditLogError(error)
            }
        }
    }

    /// Writes a batch and makes it durable.
    /// - Parameters:
    ///   - batch: room for a header, then the records with their newlines.
    ///   - count: how many records there are.
    /// - Returns: the index of the first.
    /// - Throws: when it is not durable; then ``recover()`` must succeed before the next.
    mutating func commit(_ batch: inout [UInt8], count: Int) throws(AuditFileError) -> UInt64 {
        if current.used + batch.count > current.capacity {
            mustRotate = true
            try rotate()
        }
        let firstIndex = nextIndex
        let hash = BatchHeader.seal(&batch, count: count, firstIndex: firstIndex, previous: chain)
        isSuspect = true
        try files.write(batch, to: current.file, currentPath, at: current.used)
        try files.synchronize(current.file, currentPath)
        isSuspect = false
        current.used += batch.count
        chain = hash
        nextIndex += UInt64(count)
        return firstIndex
    }

    /// Makes a suspect segment good again, goes on to the next if the last attempt failed, and sets aside
    /// room for the one after it.
    mutating func recover() throws(AuditFileError) {
        if isSuspect {
            try makeReserve()
            try rewriteCurrent()
        }
        if mustRotate { try rotate() }
        try makeReserve()
    }

    /// Closes the files. Everything in the files is durable already.
    mutating func close() {
        files.close(current.file)
        if let reserved { files.close(reserved) }
        reserved = nil
    }

    private static func open(
        _ directory: String, _ recovered: SegmentRecovery.Recovered, _ files: any AuditFiles
    ) throws(AuditLogError) -> Int32 {
        do throws(AuditFileError) {
            return try files.open(
                directory + "/" + AuditDirectory.segmentName(recovered.scan.header.firstIndex), creating: nil)
        } catch {
            throw AuditLogError(error)
        }
    }

    private mutating func makeReserve() throws(AuditFileError) {
        guard reserved == nil else { return }
        let file = try files.open(reservedPath, creating: fileMode)
        do throws(AuditFileError) {
            try files.reserve(file, reservedPath, bytes: segmentBytes)
            try files.synchronize(file, reservedPath)
        } catch {
            files.close(file)
            throw error
        }
        reserved = file
    }

    /// Goes on in the next segment. The full one is cut to its real length first, so that a segment which
    /// has a successor never ends in zeros.
    private mutating func rotate() throws(AuditFileError) {
        try makeReserve()
        try files.truncate(current.file, currentPath, to: current.used)
        current.capacity = current.used
        try files.synchronize(current.file, currentPath)
        // A segment that somebody cut down to its header is made anew under its own name.
        let isEmpty = nextIndex == current.header.firstIndex
        let next =
            isEmpty
            ? current.header
            : SegmentHeader(firstIndex: nextIndex, previousSegment: current.header.firstIndex, chain: chain)
        try replaceCurrent(next, with: next.bytes, capacity: segmentBytes)
    }

    /// Puts what was acknowledged into a fresh file in place of a suspect one.
    private mutating func rewriteCurrent() throws(AuditFileError) {
        // Through a descriptor of its own: what the old one saw proves nothing.
        let file = try files.open(currentPath, creating: nil)
        defer { files.close(file) }
        let bytes = try files.read(file, currentPath, at: 0, count: current.used)
        guard SegmentScan.isWhole(bytes, endingIn: chain) else {
            throw AuditFileError("read back the acknowledged records of", currentPath, number: EIO)
        }
        try replaceCurrent(current.header, with: bytes, capacity: max(segmentBytes, current.capacity))
    }

    /// Turns the reserved file into the current segment, under its header's name.
    private mutating func replaceCurrent(
        _ header: SegmentHeader, with bytes: [UInt8], capacity: Int
    ) throws(AuditFileError) {
        guard let file = reserved else { throw AuditFileError("find reserved room for", reservedPath, number: ENOSPC) }
        // Whatever fails from here on, this file is not used again.
        reserved = nil
        do throws(AuditFileError) {
            if capacity > segmentBytes { try files.reserve(file, reservedPath, bytes: capacity) }
            try files.write(bytes, to: file, reservedPath, at: 0)
            try files.synchronize(file, reservedPath)
            try files.rename(reservedPath, to: path(header))
        } catch {
            files.close(file)
            throw error
        }
        files.close(current.file)
        current = Segment(file: file, header: header, capacity: capacity, used: bytes.count)
        mustRotate = false
        // Until its name is durable, the new file could still vanish.
        isSuspect = true
        try files.synchronizeDirectory(directory)
        isSuspect = false
    }
}
