// A hash of a Merkle tree, and how leaves and nodes are hashed (RFC 6962 §2.1; the same in RFC 9162).

import Crypto

/// A SHA-256 hash, kept in place: trees have many of them.
public struct MerkleHash: Sendable, Hashable {
    /// How many bytes a hash has.
    public static let byteCount = 32

    private var words: (UInt64, UInt64, UInt64, UInt64)

    /// A hash of 32 bytes.
    /// - Parameter bytes: the bytes; nil is returned unless there are 32.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        words = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyBytes(from: bytes) }
    }

    /// Parses base64.
    init?(base64 text: some StringProtocol) {
        guard let bytes = Base64.decode(text) else { return nil }
        self.init(bytes)
    }

    private init(_ hasher: SHA256) {
        words = (0, 0, 0, 0)
        let digest = hasher.finalize()
        unsafe digest.withUnsafeBytes { source in
            unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyMemory(from: source) }
        }
    }

    /// The hash of a tree without leaves: of the empty string.
    public static let emptyTree = MerkleHash(SHA256())

    /// The hash of a leaf: SHA-256(0x00 ‖ entry).
    /// - Parameter entry: the entry's bytes.
    public static func leaf(_ entry: [UInt8]) -> MerkleHash {
        unsafe entry.withUnsafeBytes { unsafe leaf($0) }
    }

    /// The hash of a leaf: SHA-256(0x00 ‖ entry).
    /// - Parameter entry: the entry's bytes.
    public static func leaf(_ entry: ArraySlice<UInt8>) -> MerkleHash {
        unsafe entry.withUnsafeBytes { unsafe leaf($0) }
    }

    /// The hash of a leaf: SHA-256(0x00 ‖ entry).
    /// - Parameter entry: the entry's bytes.
    @unsafe
    public static func leaf(_ entry: UnsafeRawBufferPointer) -> MerkleHash {
        var hasher = SHA256()
        unsafe withUnsafeBytes(of: 0 as UInt8) { unsafe hasher.update(bufferPointer: $0) }
        unsafe hasher.update(bufferPointer: entry)
        return MerkleHash(hasher)
    }

    /// The hash of a node: SHA-256(0x01 ‖ left ‖ right).
    /// - Parameters:
    ///   - left: the hash of the left child.
    ///   - right: the hash of the right child.
    public static func node(_ left: MerkleHash, _ right: MerkleHash) -> MerkleHash {
        var hasher = SHA256()
        // In one piece: each update costs as much as a third of the hashing.
        unsafe withUnsafeTemporaryAllocation(byteCount: 65, alignment: 8) { buffer in
            unsafe buffer[0] = 1
            unsafe left.copy(to: UnsafeMutableRawBufferPointer(rebasing: buffer[1..<33]))
            unsafe right.copy(to: UnsafeMutableRawBufferPointer(rebasing: buffer[33...]))
            unsafe hasher.update(bufferPointer: UnsafeRawBufferPointer(buffer))
        }
        return MerkleHash(hasher)
    }

    private func copy(to target: UnsafeMutableRawBufferPointer) {
        unsafe withUnsafeBytes(of: words) { unsafe target.copyMemory(from: $0) }
    }

    /// Appends the hash's bytes.
    /// - Parameter buffer: where to append.
    public func append(to buffer: inout [UInt8]) {
        unsafe withUnsafeBytes(of: words) { unsafe buffer.append(contentsOf: $0) }
    }

    /// The hash's bytes.
    public var bytes: [UInt8] {
        unsafe withUnsafeBytes(of: words) { unsafe Array($0) }
    }

    /// The hash in base64.
    public var base64: String { Base64.encode(bytes) }

    /// Whether two hashes are the same.
    public static func == (a: MerkleHash, b: MerkleHash) -> Bool { a.words == b.words }

    /// Hashes the hash.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension MerkleHash: CustomStringConvertible {
    /// The hash in base64.
    public var description: String { base64 }
}
