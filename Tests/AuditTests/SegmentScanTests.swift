import Foundation
import PosternProtocol
import Testing

@testable import PosternAudit

@Suite struct SegmentScanTests {
    /// A segment of batches of one to three records, as the writer makes it.
    static func segment(batches: Int) -> (bytes: [UInt8], ends: [Int]) {
        var bytes = SegmentHeader(firstIndex: 7, previousSegment: 3, chain: [UInt8](repeating: 9, count: 32)).bytes
        var (chain, index, ends) = ([UInt8](repeating: 9, count: 32), UInt64(7), [bytes.count])
        for number in 0..<batches {
            var batch = AuditBatch().bytes
            let count = number % 3 + 1
            for line in 0..<count { batch += json(record("\(number)-\(line)")) + [0x0A] }
            chain = BatchHeader.seal(&batch, count: count, firstIndex: index, previous: chain)
            index += UInt64(count)
            bytes += batch
            ends.append(bytes.count)
        }
        return (bytes, ends)
    }

    @Test func `a segment reads back as it was made`() throws {
        let (bytes, _) = Self.segment(batches: 6)
        let scan = try SegmentScan(bytes)
        #expect(scan.end == bytes.count)
        #expect(scan.nextIndex == 7 + 12)
        #expect(scan.tornBytes == 0)
        #expect(scan.header.previousSegment == 3)
        #expect(try SegmentScan(bytes + [UInt8](repeating: 0, count: 5_000)).tornBytes == 0)
    }

    @Test func `random bytes are never taken for a segment, and never crash`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0..<600, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            #expect(throws: SegmentScan.Damage.self) { try SegmentScan(bytes) }
        }
    }

    @Test func `random bytes after good batches are a torn tail`() throws {
        let (whole, ends) = Self.segment(batches: 4)
        for _ in 0..<1_000 {
            let noise = (0..<Int.random(in: 1..<400)).map { _ in UInt8.random(in: 0...255) } + [1]
            // Also with a magic that promises much.
            let tail = Bool.random() ? noise : SegmentFormat.batchMagic + [0, 0, 0, 1] + noise
            let scan = try SegmentScan(whole + tail)
            #expect(scan.end == ends[4])
            #expect(scan.tornBytes == tail.count)
        }
    }

    /// Whatever somebody changes, what is accepted is a prefix of what was written.
    @Test func `a mutated segment is refused or read as a prefix of the original`() {
        let (whole, ends) = Self.segment(batches: 6)
        for _ in 0..<5_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3) {
                switch Int.random(in: 0..<5) {
                case 0 where !bytes.isEmpty: bytes[Int.random(in: 0..<bytes.count)] ^= UInt8.random(in: 1...255)
                case 1: bytes.removeLast(Int.random(in: 0...bytes.count))
                case 2 where !bytes.isEmpty:
                    let start = Int.random(in: 0..<bytes.count)
                    bytes.removeSubrange(start..<Int.random(in: start...bytes.count))
                case 3:
                    let start = Int.random(in: 0..<whole.count)
                    let piece = whole[start..<Int.random(in: start...whole.count)]
                    bytes.insert(contentsOf: piece, at: Int.random(in: 0...bytes.count))
                default: bytes.append(contentsOf: (0..<40).map { _ in UInt8.random(in: 0...255) })
                }
            }
            guard let scan = try? SegmentScan(bytes) else { continue }
            #expect(ends.contains(scan.end))
            #expect(bytes[..<scan.end] == whole[..<scan.end])
        }
    }

    @Test func `lengths and counts at their limits do not overflow`() {
        let (whole, _) = Self.segment(batches: 2)
        for place in [128 + 12, 128 + 16, 128 + 24] {
            for pattern in [[0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0]] as [[UInt8]] {
                var bytes = whole
                bytes.replaceSubrange(place..<place + 4, with: pattern)
                #expect(throws: SegmentScan.Damage.self) { try SegmentScan(bytes) }
            }
        }
    }
}
