// The bytes of a key that a cloud's KMS wrapped. docs/kms.md describes them.

import Crypto
import PosternProtocol

/// What is stored: which key it was, what the service was told besides, and the service's ciphertext.
///
///     1 byte   format, 1
///     1 byte   service: 1 AWS KMS, 2 Google Cloud KMS
///     2 bytes  length of the key's id, big-endian; the id
///     2 bytes  length of the label, big-endian; the label
///     2 bytes  length of the ciphertext, big-endian; the ciphertext
///     32 bytes SHA-256 of all that
///
/// The hash keeps no secret and proves nothing against an attacker: that is the ciphertext's own authentication,
/// which the service checks. It tells a damaged blob from one that the service refuses, also while the service is
/// away.
struct WrappedBlob: Equatable {
    enum Service: UInt8 {
        case aws = 1
        case gcp = 2
    }

    private static let format: UInt8 = 1

    let service: Service
    let keyID: String
    let label: String
    let ciphertext: [UInt8]

    /// All before the ciphertext.
    static func header(_ service: Service, keyID: String, label: String) -> [UInt8] {
        var bytes = [format, service.rawValue]
        append(keyID.utf8, lengthBytes: 2, to: &bytes)
        append(label.utf8, lengthBytes: 2, to: &bytes)
        return bytes
    }

    /// The blob's bytes.
    var bytes: [UInt8] {
        var bytes = Self.header(service, keyID: keyID, label: label)
        Self.append(ciphertext, lengthBytes: 2, to: &bytes)
        return bytes + SHA256.hash(data: bytes)
    }

    init(_ service: Service, keyID: String, label: String, ciphertext: [UInt8]) {
        self.service = service
        self.keyID = keyID
        self.label = label
        self.ciphertext = ciphertext
    }

    /// Reads a blob that one key wrapped.
    /// - Throws: `integrity_failure` if it is damaged or of another key.
    init(_ blob: [UInt8], of service: Service, keyID: String) throws(SecretError) {
        guard let read = WrappedBlob(blob) else {
            throw SecretError(
                .integrityFailure,
                "This is not a key wrapped by a cloud's KMS (\(keyID) was to open it), or was changed.")
        }
        guard read.service == service, read.keyID == keyID else {
            throw SecretError(
                .integrityFailure,
                "The key was wrapped under \(read.shownID), but this is \(keyID). Configure the one that wrapped it.")
        }
        self = read
    }

    private init?(_ blob: [UInt8]) {
        let digest = SHA256.byteCount
        guard blob.count > digest else { return nil }
        let body = blob.dropLast(digest)
        guard SHA256.hash(data: body).elementsEqual(blob.suffix(digest)) else { return nil }
        var rest = body
        guard rest.popFirst() == Self.format, let service = rest.popFirst().flatMap(Service.init(rawValue:)),
            let keyID = Self.take(lengthBytes: 2, from: &rest), let label = Self.take(lengthBytes: 2, from: &rest),
            let ciphertext = Self.take(lengthBytes: 2, from: &rest), rest.isEmpty, !ciphertext.isEmpty
        else { return nil }
        self.service = service
        self.keyID = String(decoding: keyID, as: UTF8.self)
        self.label = String(decoding: label, as: UTF8.self)
        self.ciphertext = Array(ciphertext)
    }

    /// The id as a message may repeat it.
    private var shownID: String {
        keyID.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? keyID : "something unreadable"
    }

    private static func append(_ part: some Collection<UInt8>, lengthBytes: Int, to bytes: inout [UInt8]) {
        for place in (0..<lengthBytes).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: part.count >> (8 * place)))
        }
        bytes += part
    }

    private static func take(lengthBytes: Int, from rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard rest.count >= lengthBytes else { return nil }
        let length = rest.prefix(lengthBytes).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(lengthBytes)
        guard rest.count >= length else { return nil }
        defer { rest = rest.dropFirst(length) }
        return rest.prefix(length)
    }
}

/// The keys that are wrapped: 1 to 64 bytes.
enum WrappedKeySize {
    static let bytes = 1...64

    /// - Throws: `internal` for any other length.
    static func check(_ key: SecretBytes) throws(SecretError) {
        guard bytes.contains(key.count) else {
            throw SecretError(
                .internalError,
                "A key to wrap has \(bytes.lowerBound) to \(bytes.upperBound) bytes, not \(key.count).")
        }
    }
}
