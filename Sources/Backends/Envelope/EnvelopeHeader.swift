// The bytes in front of an envelope's ciphertext. docs/envelope-format.md describes them.

import PosternProtocol

/// What an envelope says about itself: which domain key, and the salt that makes the version's own key of it.
struct EnvelopeHeader: Equatable {
    /// The only field of an encrypted version's payload.
    static let fieldName = "postern.envelope"
    /// Bound into every key and every ciphertext; another format has another name.
    static let formatName = "postern-envelope-v1"
    static let saltBytes = 32
    /// Magic, format, key id, key version, salt. The nonce, the ciphertext and the tag follow.
    static let byteCount = magic.count + 1 + DomainKeyID.byteCount + 4 + saltBytes
    static let nonceBytes = 12
    static let tagBytes = 16
    private static let magic = Array("PstE".utf8)
    private static let format: UInt8 = 1

    let key: DomainKeyName
    let salt: [UInt8]

    /// The header's bytes.
    var bytes: [UInt8] {
        var bytes = Self.magic
        bytes.append(Self.format)
        bytes += key.id.bytes
        bytes.append(bigEndian: key.version)
        return bytes + salt
    }

    init(key: DomainKeyName, salt: [UInt8]) {
        self.key = key
        self.salt = salt
    }

    /// Reads the header of an envelope.
    /// - Parameters:
    ///   - envelope: all of the envelope.
    ///   - what: whose envelope it is, for the message.
    /// - Throws: `integrity_failure` if it is none, or one of a format not known here.
    init(of envelope: UnsafeRawBufferPointer, what: @autoclosure () -> String) throws(SecretError) {
        var reader = ByteReader(envelope)
        guard let magic = reader.take(Self.magic.count), magic.elementsEqual(Self.magic),
            let format = reader.take(UInt8.self)
        else {
            throw SecretError(
                .integrityFailure, "\(what()): the stored bytes are not an envelope. Restore them from a backup.")
        }
        guard format == Self.format else {
            throw SecretError(
                .integrityFailure,
                "\(what()): envelope format \(format) is not known here. A newer Postern wrote it, or it was changed.")
        }
        guard let id = DomainKeyID(&reader), let version = reader.take(UInt32.self),
            let salt = reader.take(Self.saltBytes), reader.remaining >= Self.nonceBytes + Self.tagBytes
        else {
            throw SecretError(
                .integrityFailure, "\(what()): the envelope is cut short. Restore it from a backup.")
        }
        self.init(key: DomainKeyName(id: id, version: version), salt: Array(salt))
    }
}
