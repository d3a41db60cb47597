// A wrapped key as it is stored: Transit's ciphertext behind one byte that says so. docs/vault-transit.md describes it.

import PosternCoding
import PosternProtocol

/// What Transit made of a key.
struct TransitBlob: Equatable {
    /// The first byte of every blob of this kind.
    static let format: UInt8 = 1
    private static let prefix = Array("vault:v".utf8)

    /// As Transit wrote it: `vault:v`, the version, `:`, base64.
    let ciphertext: [UInt8]
    /// The version of the key that it was made with, from 1.
    let version: Int

    /// The blob's bytes.
    var bytes: [UInt8] { [Self.format] + ciphertext }

    /// Reads a ciphertext of Transit's.
    ///
    /// Vault itself takes more than it writes: version 0 for 1, leading zeros, line breaks within base64. Here each blob has
    /// one spelling, so that one that was changed is never taken for whole.
    /// - Returns: nil if it is none.
    init?(ciphertext: some Collection<UInt8>) {
        let text = Array(ciphertext)
        guard text.starts(with: Self.prefix) else { return nil }
        let digits = text.dropFirst(Self.prefix.count).prefix { (0x30...0x39).contains($0) }
        let rest = text.dropFirst(Self.prefix.count + digits.count)
        guard digits.first != UInt8(ascii: "0"), let version = Int(String(decoding: digits, as: UTF8.self)),
            rest.first == UInt8(ascii: ":"), rest.count > 1,
            // The only error is that it is not base64.
            (try? Base64.decode(SecretBytes(copying: rest.dropFirst()), "The ciphertext")) != nil
        else { return nil }
        self.ciphertext = text
        self.version = version
    }

    /// Reads a blob.
    /// - Throws: `integrity_failure` if it is none.
    init(_ blob: [UInt8], key: String) throws(SecretError) {
        guard blob.first == Self.format, let read = TransitBlob(ciphertext: blob.dropFirst()) else {
            throw SecretError(
                .integrityFailure,
                "This is not a key wrapped by Transit (for \(key)): it was changed, or wrapped in another way.")
        }
        self = read
    }
}
