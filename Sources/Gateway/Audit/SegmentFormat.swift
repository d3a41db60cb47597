// The bytes of a write-ahead segment, version 1. docs/audit-log-format.md says the same in prose.
//
//   file name        first index, 20 digits, then ".wal"
//   segment header   128 bytes:  0 magic(8)  8 version(4)  12 zero(4)  16 first index(8)
//                                24 first index of the segment before it, or 2^64-1 for none (8)
//                                32 hash of the batch before it, zeros for none (32)
//                                64 zero(32)  96 SHA-256 of bytes 0..<96 (32)
//   batch header     96 bytes:   0 magic(8)  8 version(4)  12 record count(4)  16 first index(8)
//                                24 payload length(4)  28 zero(4)  32 hash of the batch before it (32)
//                                64 SHA-256 of bytes 0..<64 and the payload (32)
//   payload          each record's canonical JSON and "\n"
//
// Numbers are big-endian. A batch follows a batch without a gap; after the last come zeros (room that is
// reserved) or the end of the file. A batch carries the hash of the one before it, inside what its own
// hash covers: so each can be checked alone, and together they are a chain through all segments.

import Crypto

/// Where things are in a segment, and their limits.
package enum SegmentFormat {
    /// What a segment starts with. Like a batch's magic it has control bytes, which JSON never has.
    static let segmentMagic: [UInt8] = [0x01, 0x50, 0x53, 0x54, 0x4E, 0x57, 0x41, 0x4C]
    /// What a batch starts with.
    package static let batchMagic: [UInt8] = [0x02, 0x50, 0x53, 0x54, 0x4E, 0x42, 0x1E, 0x03]
    static let version: UInt32 = 1
    /// The size of a segment's header.
    package static let segmentHeaderBytes = 128
    /// The size of a batch's header.
    package static let batchHeaderBytes = 96
    /// The size of a hash.
    static let hashBytes = 32
    /// The hash before the first batch of a log.
    static let noHash = [UInt8](repeating: 0, count: hashBytes)
    /// "No segment before this one".
    static let noIndex = UInt64.max
    /// What ends a record.
    static let newline = UInt8(ascii: "\n")
    /// The largest batch, header included.
    static let maximumBatchBytes = 4 << 20
    /// The largest segment that is read: far above any that is written.
    static let maximumSegmentBytes = 1 << 30

    /// The largest batch that is put into a segment of this size.
    static func batchLimit(segmentBytes: Int) -> Int {
        min(maximumBatchBytes, segmentBytes - segmentHeaderBytes)
    }
}

/// A segment's header.
struct SegmentHeader: Equatable {
    /// The index of the segment's first record.
    let firstIndex: UInt64
    /// The first index of the segment before it, if there is one.
    let previousSegment: UInt64?
    /// The hash that the segment's first batch continues from.
    let chain: [UInt8]

    /// The header as bytes.
    var bytes: [UInt8] {
        var bytes = SegmentFormat.segmentMagic
        bytes.appendBigEndian(SegmentFormat.version)
        bytes.appendBigEndian(UInt32(0))
        bytes.appendBigEndian(firstIndex)
        bytes.appendBigEndian(previousSegment ?? SegmentFormat.noIndex)
        bytes += chain
        bytes += SegmentFormat.noHash
        bytes += bytes.sha256(0..<96)
        return bytes
    }

    init(firstIndex: UInt64, previousSegment: UInt64?, chain: [UInt8]) {
        self.firstIndex = firstIndex
        self.previousSegment = previousSegment
        self.chain = chain
    }

    /// Reads a header; nil if that is not one.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= SegmentFormat.segmentHeaderBytes,
            bytes[0..<8].elementsEqual(SegmentFormat.segmentMagic),
            bytes.bigEndian(at: 8, as: UInt32.self) == SegmentFormat.version,
            bytes[96..<128].elementsEqual(bytes.sha256(0..<96))
        else { return nil }
        let previous = bytes.bigEndian(at: 24, as: UInt64.self)
        self.init(
            firstIndex: bytes.bigEndian(at: 16, as: UInt64.self),
            previousSegment: previous == SegmentFormat.noIndex ? nil : previous, chain: Array(bytes[32..<64]))
    }
}

/// A batch's header.
struct BatchHeader: Equatable {
    /// How many records the batch has.
    let count: Int
    /// The index of its first record.
    let firstIndex: UInt64
    /// How long its payload is.
    let payloadBytes: Int
    /// The hash of the batch before it.
    let previous: [UInt8]
    /// Its own hash.
    let hash: [UInt8]

    /// The whole batch's length.
    var totalBytes: Int { SegmentFormat.batchHeaderBytes + payloadBytes }
    /// The index after its last record.
    var nextIndex: UInt64 { firstIndex + UInt64(count) }

    /// Reads the header at an offset; nil if there is none, or one that says what cannot be.
    init?(_ bytes: [UInt8], at offset: Int) {
        guard offset >= 0, offset <= bytes.count - SegmentFormat.batchHeaderBytes,
            bytes[offset..<offset + 8].elementsEqual(SegmentFormat.batchMagic),
            bytes.bigEndian(at: offset + 8, as: UInt32.self) == SegmentFormat.version,
            bytes.bigEndian(at: offset + 28, as: UInt32.self) == 0
        else { return nil }
        count = Int(bytes.bigEndian(at: offset + 12, as: UInt32.self))
        firstIndex = bytes.bigEndian(at: offset + 16, as: UInt64.self)
        payloadBytes = Int(bytes.bigEndian(at: offset + 24, as: UInt32.self))
        previous = Array(bytes[offset + 32..<offset + 64])
        hash = Array(bytes[offset + 64..<offset + 96])
        // A record is at least "{}" and its newline. No log reaches 2^62 records.
        guard count > 0, payloadBytes >= 3 * count, payloadBytes <= SegmentFormat.maximumBatchBytes,
            firstIndex < 1 << 62
        else { return nil }
    }

    /// Fills in the header of a batch whose first 96 bytes were left for it.
    /// - Returns: the batch's hash.
    static func seal(_ batch: inout [UInt8], count: Int, firstIndex: UInt64, previous: [UInt8]) -> [UInt8] {
        var header = SegmentFormat.batchMagic
        header.appendBigEndian(SegmentFormat.version)
        header.appendBigEndian(UInt32(count))
        header.appendBigEndian(firstIndex)
        header.appendBigEndian(UInt32(batch.count - SegmentFormat.batchHeaderBytes))
        header.appendBigEndian(UInt32(0))
        header += previous
        for position in 0..<64 { batch[position] = header[position] }
        let hash = batch.batchHash(at: 0, totalBytes: batch.count)
        for position in 0..<SegmentFormat.hashBytes { batch[64 + position] = hash[position] }
        return hash
    }
}

extension [UInt8] {
    mutating func appendBigEndian(_ number: some FixedWidthInteger) {
        for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    func bigEndian<Number: FixedWidthInteger>(at offset: Int, as: Number.Type) -> Number {
        self[offset..<offset + Number.bitWidth / 8].reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }

    /// SHA-256 of some of the bytes.
    func sha256(_ range: Range<Int>) -> [UInt8] {
        var hasher = SHA256()
        update(&hasher, range)
        return Array(hasher.finalize())
    }

    /// The hash of the batch at an offset: all of it but the hash's own place.
    func batchHash(at offset: Int, totalBytes: Int) -> [UInt8] {
        var hasher = SHA256()
        update(&hasher, offset..<offset + 64)
        update(&hasher, offset + SegmentFormat.batchHeaderBytes..<offset + totalBytes)
        return Array(hasher.finalize())
    }

    private func update(_ hasher: inout SHA256, _ range: Range<Int>) {
        unsafe withUnsafeBytes { unsafe hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}
