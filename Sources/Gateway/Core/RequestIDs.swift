// Request ids: UUIDs of version 7, so that they sort by time.

public import PosternProtocol
import Synchronization

/// Makes request ids: UUIDs of version 7 (RFC 9562 §5.7) whose random part is, by §6.2 method 1, a
/// counter seeded at random. Unique within a process by the counter, between processes by the seed.
public final class RequestIDs: Sendable {
    private let clock: any WallClock
    private let seed: UInt32
    private let counter: Atomic<UInt64>

    /// Makes a source of ids.
    /// - Parameters:
    ///   - clock: tells the time that ids begin with.
    ///   - generator: seeds the ids of this process.
    public init(clock: any WallClock, using generator: inout some RandomNumberGenerator) {
        self.clock = clock
        self.seed = UInt32.random(in: .min ... .max, using: &generator)
        self.counter = Atomic(UInt64(UInt32.random(in: .min ... .max, using: &generator)))
    }

    /// The next id, as 36 characters of text.
    public func next() -> String {
        let count = counter.wrappingAdd(1, ordering: .relaxed).newValue
        let milliseconds = UInt64(bitPattern: clock.now().microseconds / 1_000)
        // 48 bits of time, the version, 12 bits of count; then the variant, 30 bits of seed, 32 of count.
        let high = milliseconds << 16 | 0x7000 | (count >> 32) & 0xFFF
        let low = 0x8000_0000_0000_0000 | UInt64(seed & 0x3FFF_FFFF) << 32 | count & 0xFFFF_FFFF
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var place = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    buffer[place] = UInt8(ascii: "-")
                    place += 1
                }
                let word = nibble < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (nibble % 16)) & 0xF)
                buffer[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                place += 1
            }
            return place
        }
    }
}
