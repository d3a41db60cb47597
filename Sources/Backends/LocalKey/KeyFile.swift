// The text of a key file and the id of a key. docs/envelope-format.md describes both.

import Crypto
import FoundationEssentials
import Glibc
import PosternProtocol

/// A file with a 256-bit key:
///
///     postern-key-v1
///     id file:0123456789abcdef
///     key <base64 of 32 bytes>
///
/// Lines that start with `#` and empty lines are skipped. The id must be that of the key, so that a damaged or
/// mixed-up file is noticed before anything is wrapped under it.
struct KeyFile {
    static let keyBytes = 32
    private static let formatName = "postern-key-v1"
    let path: String

    /// The key's id: `file:` and the first 16 hexadecimal digits of a SHA-256 over a fixed prefix and the key.
    static func id(of key: SecretBytes) -> String {
        var hash = SHA256()
        hash.update(data: Array("postern-key-id-v1\0".utf8))
        key.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return "file:" + hash.finalize().prefix(8).hexadecimal
    }

    /// Reads the key.
    func read() throws(SecretError) -> SecretBytes {
        try parse(try SecureFile(path: path).read())
    }

    /// Makes the file with a new key unless there is one.
    func createIfMissing() throws(SecretError) {
        let file = SecureFile(path: path)
        guard !file.exists else { return }
        let key = SymmetricKey(size: .bits256).withUnsafeBytes { SecretBytes(copying: $0) }
        try file.create(text(of: key))
    }

    private func text(of key: SecretBytes) -> SecretBytes {
        var encoded = key.withUnsafeBytes { Data($0) }.base64EncodedData()
        defer { wipe(&encoded) }
        let intro =
            "# The key-encryption key of a Postern store. Keep it secret (mode 0600), and keep a copy in a safe place:\n"
            + "# without it, nothing that is encrypted under it can be read again.\n"
            + "\(Self.formatName)\nid \(Self.id(of: key))\nkey "
        var text = Data(intro.utf8)
        text.append(encoded)
        text.append(UInt8(ascii: "\n"))
        defer { wipe(&text) }
        return SecretBytes(copying: text)
    }

    private func parse(_ text: SecretBytes) throws(SecretError) -> SecretBytes {
        try text.withUnsafeBytes { (bytes) throws(SecretError) in
            let lines = bytes.split(separator: UInt8(ascii: "\n"))
                .filter { $0.first != UInt8(ascii: "#") }
            guard let first = lines.first, first.elementsEqual(Self.formatName.utf8) else {
                throw malformed("it does not start with the line \(Self.formatName)")
            }
            guard lines.count == 3 else { throw malformed("it must have the lines id and key, and no others") }
            guard let id = value(lines[1], of: "id") else { throw malformed("its second line is not id") }
            guard let encoded = value(lines[2], of: "key") else { throw malformed("its third line is not key") }
            let key = try decode(encoded)
            guard id.elementsEqual(Self.id(of: key).utf8) else {
                throw malformed("its id is not that of its key; the file was changed or mixed up with another")
            }
            return key
        }
    }

    private func value(_ line: Slice<UnsafeRawBufferPointer>, of name: String) -> Slice<UnsafeRawBufferPointer>? {
        let start = Array((name + " ").utf8)
        return line.starts(with: start) ? line.dropFirst(start.count) : nil
    }

    private func decode(_ encoded: Slice<UnsafeRawBufferPointer>) throws(SecretError) -> SecretBytes {
        var text = Data(encoded)
        defer { wipe(&text) }
        guard var key = Data(base64Encoded: text) else { throw malformed("its key is not base64") }
        defer { wipe(&key) }
        guard key.count == Self.keyBytes else { throw malformed("its key has \(key.count) bytes, not 32") }
        return key.withUnsafeBytes { SecretBytes(copying: $0) }
    }

    private func malformed(_ why: String) -> SecretError {
        SecretError(.keyUnavailable, "\(path) is not a usable key file: \(why). Restore it from your copy.")
    }

    private func wipe(_ data: inout Data) {
        data.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { explicit_bzero(base, bytes.count) }
        }
    }
}
