// The keys that people and their tools present. Only their SHA-256 is kept, so that neither a configuration
// file nor this process's memory has a key to steal.

import Crypto
public import PosternProtocol

/// Named admin keys, each as the SHA-256 of the key.
///
/// Keys are long and random, so that a plain hash is enough: nobody can try them all.
public struct AdminKeys: Sendable {
    /// The fewest characters of a key.
    public static let minimumCharacters = 16

    /// One key.
    public struct Entry: Sendable {
        /// The key's name, which policy maps to a principal.
        public let name: String
        let hash: SecretBytes

        /// Takes a key by its hash.
        /// - Parameters:
        ///   - name: the key's name.
        ///   - sha256: the SHA-256 of the key's bytes, 32 bytes.
        /// - Throws: `invalid_argument` if the hash is not one.
        public init(name: String, sha256: [UInt8]) throws(SecretError) {
            guard sha256.count == SHA256.byteCount else {
                throw SecretError(
                    .invalidArgument,
                    "The admin key \"\(name)\" needs a SHA-256 of \(SHA256.byteCount) bytes, not \(sha256.count).")
            }
            self.name = name
            self.hash = SecretBytes(copying: sha256)
        }

        /// Takes a key itself, and keeps its hash.
        /// - Parameters:
        ///   - name: the key's name.
        ///   - key: the key: at least ``AdminKeys/minimumCharacters`` of visible ASCII.
        /// - Throws: `invalid_argument` if it is too short or cannot be sent in a header.
        public init(name: String, key: SecretBytes) throws(SecretError) {
            guard key.count >= AdminKeys.minimumCharacters else {
                throw SecretError(
                    .invalidArgument,
                    "The admin key \"\(name)\" has \(key.count) characters; it needs at least "
                        + "\(AdminKeys.minimumCharacters), as from `openssl rand -hex 32`.")
            }
            let isVisible = key.withUnsafeBytes { bytes in bytes.allSatisfy { (0x21...0x7E).contains($0) } }
            guard isVisible else {
                throw SecretError(
                    .invalidArgument,
                    "The admin key \"\(name)\" has characters that no header can carry; use visible ASCII, no spaces.")
            }
            self.name = name
            self.hash = AdminKeys.hash(of: key)
        }
    }

    private let entries: [Entry]

    /// Makes a set of keys. It may be empty; then nobody gets in.
    /// - Throws: `invalid_argument` if two keys have one name, or one key two names.
    public init(_ entries: [Entry]) throws(SecretError) {
        var names = Set<String>()
        for (position, entry) in entries.enumerated() {
            guard !entry.name.isEmpty, names.insert(entry.name).inserted else {
                throw SecretError(.invalidArgument, "Every admin key needs a name of its own, not \"\(entry.name)\".")
            }
            if let twin = entries[..<position].first(where: { $0.hash == entry.hash }) {
                throw SecretError(
                    .invalidArgument, "The admin keys \"\(twin.name)\" and \"\(entry.name)\" are the same key.")
            }
        }
        self.entries = entries
    }

    /// The name of the key that was presented, if it is one of these. Compares with every key to the end, so
    /// that the time taken tells nothing.
    func name(of presented: String) -> String? {
        let hash = Self.hash(of: SecretBytes(presented))
        var found: String?
        for entry in entries where entry.hash == hash { found = entry.name }
        return found
    }

    private static func hash(of key: SecretBytes) -> SecretBytes {
        key.withUnsafeBytes { bytes in
            SecretBytes(copying: Array(SHA256.hash(data: bytes)))
        }
    }
}
