// Reads a whole segment from memory and says how far it is good: a pure function of the bytes, for
// recovery, verification and fuzzing. It never traps, whatever the bytes are.

import Glibc

/// How far a segment's bytes are good.
package struct SegmentScan: Equatable {
    /// A bad place that cannot come from a write that was cut short.
    package struct Damage: Error, Equatable {
        /// Where it is, in bytes from the start of the file.
        package let offset: Int
        /// The first record that is not good.
        package let index: UInt64
        /// What is wrong, as the end of a sentence.
        package let what: String
    }

    let header: SegmentHeader
    /// Where the last good batch ends.
    package private(set) var end: Int
    /// The index after the last good record.
    package private(set) var nextIndex: UInt64
    /// The hash of the last good batch, or what the segment continues from.
    package private(set) var chain: [UInt8]
    /// Bytes of an unfinished batch after the last good one: up to the last byte that is not zero.
    package private(set) var tornBytes: Int = 0

    /// Scans a segment.
    ///
    /// A bad batch with nothing good after it is a torn tail: the write that the process or the machine did
    /// not live to finish, and so nobody was told of. A bad batch with a good one after it is damage,
    /// because a batch is not written before the one before it is durable.
    /// - Parameter bytes: the file's bytes.
    /// - Throws: ``Damage`` for the first bad place that is not a torn tail.
    package init(_ bytes: [UInt8]) throws(Damage) {
        guard let header = SegmentHeader(bytes) else {
            throw Damage(offset: 0, index: 0, what: "the segment's header is not valid")
        }
        self.header = header
        end = SegmentFormat.segmentHeaderBytes
        nextIndex = header.firstIndex
        chain = header.chain
        while let batch = Self.batch(in: bytes, at: end) {
            let payload = bytes[end + SegmentFormat.batchHeaderBytes..<end + batch.totalBytes]
            if let problem = Self.problem(batch, payload: payload, at: nextIndex, after: chain) {
                throw Damage(offset: end, index: nextIndex, what: problem)
            }
            end += batch.totalBytes
            nextIndex = batch.nextIndex
            chain = batch.hash
        }
        // Zeros are the room that is reserved.
        guard let last = Self.lastNonZero(in: bytes, from: end) else { return }
        if let later = Self.findBatch(in: bytes, after: end) {
            throw Damage(
                offset: end, index: nextIndex, what: "no valid batch here, but one follows at byte \(later)")
        }
        tornBytes = last + 1 - end
    }

    /// Whether bytes are a segment without any tail, and its last hash is this.
    static func isWhole(_ bytes: [UInt8], endingIn chain: [UInt8]) -> Bool {
        do throws(Damage) {
            let scan = try SegmentScan(bytes)
            return scan.end == bytes.count && scan.chain == chain
        } catch {
            return false
        }
    }

    /// The batch at an offset, if it agrees with its own hash.
    static func batch(in bytes: [UInt8], at offset: Int) -> BatchHeader? {
        guard let batch = BatchHeader(bytes, at: offset), batch.totalBytes <= bytes.count - offset,
            bytes.batchHash(at: offset, totalBytes: batch.totalBytes) == batch.hash
        else { return nil }
        return batch
    }

    /// What is wrong with a batch that is good by itself but does not belong here.
    /// - Parameters:
    ///   - batch: the batch.
    ///   - payload: its payload.
    ///   - index: the index that it should start at.
    ///   - chain: the hash of the batch before it.
    static func problem(
        _ batch: BatchHeader, payload: ArraySlice<UInt8>, at index: UInt64, after chain: [UInt8]
    ) -> String? {
        guard batch.firstIndex == index else { return "the batch here starts at record \(batch.firstIndex)" }
        guard batch.previous == chain else { return "the batch here does not continue the hash chain" }
        guard payload.last == SegmentFormat.newline,
            payload.count(where: { $0 == SegmentFormat.newline }) == batch.count
        else { return "the batch here does not hold \(batch.count) lines" }
        return nil
    }

    /// Finds a batch that is good by itself, after an offset.
    static func findBatch(in bytes: [UInt8], after offset: Int) -> Int? {
        var place = offset + 1
        while let next = firstPlace(of: SegmentFormat.batchMagic[0], in: bytes, from: place) {
            if batch(in: bytes, at: next) != nil { return next }
            place = next + 1
        }
        return nil
    }

    /// Finds a byte quickly: there may be many megabytes of zeros to skip.
    private static func firstPlace(of byte: UInt8, in bytes: [UInt8], from start: Int) -> Int? {
        guard start < bytes.count else { return nil }
        return unsafe bytes.withUnsafeBytes { memory in
            guard let base = memory.baseAddress,
                let found = unsafe memchr(base + start, Int32(byte), memory.count - start)
            else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    private static func lastNonZero(in bytes: [UInt8], from start: Int) -> Int? {
        unsafe bytes.withUnsafeBytes { memory in
            var place = memory.count
            // Whole words first.
            while place - 8 >= start, unsafe memory.loadUnaligned(fromByteOffset: place - 8, as: UInt64.self) == 0 {
                place -= 8
            }
            while place > start {
                if unsafe memory[place - 1] != 0 { return place - 1 }
                place -= 1
            }
            return nil
        }
    }
}
