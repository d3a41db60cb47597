// Length-prefixed messages: a flag byte, four bytes of length, the message
// (gRPC over HTTP/2, "Length-Prefixed-Message").

/// Cuts a stream of bytes into messages.
struct MessageDeframer {
    /// Why a stream of bytes is not a stream of messages we take.
    enum Failure: Error, Equatable {
        /// The message is compressed.
        case compressed
        /// The flag byte is neither 0 nor 1.
        case unknownFlag(UInt8)
        /// The message is longer than the limit, in bytes.
        case tooLarge(Int)
    }

    static let prefixLength = 5

    /// The longest message taken, in bytes.
    let limit: Int
    private var prefix: UInt64 = 0
    private var prefixCount = 0
    private var message: [UInt8] = []
    private var missing = 0

    init(limit: Int) {
        self.limit = limit
    }

    /// Whether a message has begun and not ended.
    var isInsideMessage: Bool { prefixCount > 0 }

    /// How many bytes of it are held.
    var partialBytes: Int { message.count }

    /// Takes bytes until a message is complete.
    /// - Parameter bytes: what has come; what was taken is removed from its front.
    /// - Returns: the message, or nil if `bytes` is used up first.
    /// - Throws: ``Failure``, after which the deframer is of no more use.
    mutating func next(_ bytes: inout Span<UInt8>) throws(Failure) -> [UInt8]? {
        while prefixCount < Self.prefixLength {
            guard !bytes.isEmpty else { return nil }
            prefix = prefix << 8 | UInt64(bytes[0])
            bytes = bytes.extracting(droppingFirst: 1)
            prefixCount += 1
            if prefixCount == Self.prefixLength { try begin() }
        }
        let taken = min(missing, bytes.count)
        message.append(bytes.extracting(first: taken))
        missing -= taken
        bytes = bytes.extracting(droppingFirst: taken)
        guard missing == 0 else { return nil }
        let complete = message
        message = []
        prefix = 0
        prefixCount = 0
        return complete
    }

    private mutating func begin() throws(Failure) {
        switch UInt8(prefix >> 32) {
        case 0: break
        case 1: throw .compressed
        case let flag: throw .unknownFlag(flag)
        }
        missing = Int(prefix & 0xFFFF_FFFF)
        guard missing <= limit else { throw .tooLarge(missing) }
        // The length is only a claim: memory beyond this is taken as bytes come.
        message.reserveCapacity(min(missing, 16_384))
    }
}

/// One byte of the prefix of an uncompressed message.
func messagePrefixByte(_ index: Int, length: Int) -> UInt8 {
    index == 0 ? 0 : UInt8(truncatingIfNeeded: length >> (8 * (4 - index)))
}
