// The key that signs checkpoints, in a file: made at the first start, checked at every other, replaced by rotation.

import Crypto
import Glibc
import PosternProtocol
import TransparencyLog

/// The file with the signing key, as `PRIVATE+KEY+name+id+key` (golang.org/x/mod/sumdb/note) in one line.
struct SigningKeyFile: Sendable {
    /// Its name, where none is configured, under the audit directory.
    static let defaultName = "signing.key"

    /// Where it is.
    let path: String
    /// Where a new key waits until the old one has handed over.
    var nextPath: String { path + ".next" }

    /// The key in the file, or nil if there is no file.
    /// - Throws: `signing_key` if others may read it, or it is no key.
    static func read(_ path: String) throws(AuditLogError) -> Ed25519Signer? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw AuditLogError(AuditFileError("stat", path, number: errno)) }
            return nil
        }
        guard status.st_mode & 0o077 == 0 else {
            throw AuditLogError(
                .signingKey,
                "Others may read the audit log's signing key \(path); run `chmod 600 \(path)`, and consider rotating it.",
                file: path)
        }
        do throws(AuditFileError) {
            let bytes = try FileList.contents(path, limit: 4_096) ?? []
            do throws(TransparencyLogError) {
                let text = String(decoding: bytes, as: UTF8.self)
                return try Ed25519Signer(encoded: text.hasSuffix("\n") ? text.dropLast() : text[...])
            } catch {
                throw AuditFileError("read (\(error.message))", path, number: EINVAL)
            }
        } catch {
            throw AuditLogError(.signingKey, "The audit log's signing key cannot be used. \(error)", file: path)
        }
    }

    /// Writes a key that nobody else may read, and makes it durable.
    static func write(_ key: Ed25519Signer, to path: String, files: any AuditFiles) throws(AuditFileError) {
        _ = unsafe unlink(path + ".new")
        let file = try files.open(path + ".new", creating: 0o600)
        do throws(AuditFileError) {
            defer { files.close(file) }
            try files.write(Array((key.encoded + "\n").utf8), to: file, path, at: 0)
            try files.synchronize(file, path)
        } catch {
            _ = unsafe unlink(path + ".new")
            throw error
        }
        try files.rename(path + ".new", to: path)
        try files.synchronizeDirectory(parent(path))
    }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// A new key, named after the log that it is for.
    /// - Parameter origin: the log's origin; nil for one made of the host's name and the key.
    static func make(origin: String?) throws(AuditLogError) -> Ed25519Signer {
        do throws(TransparencyLogError) {
            if let origin { return try Ed25519Signer(name: origin) }
            let host = Self.host
            return try Ed25519Signer { key in
                "\(host)/postern/\(SHA256.hash(data: key).prefix(4).hexadecimal)"
            }
        } catch {
            throw AuditLogError(.invalidOption, "The audit log's origin \(origin ?? ""): \(error.message).")
        }
    }

    private static var host: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        let name = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }.filter {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return name.isEmpty ? "localhost" : String(decoding: name, as: UTF8.self)
    }
}
