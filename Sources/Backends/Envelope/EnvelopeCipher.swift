// Seals and opens one version: HKDF-SHA256 makes the version's own key of the domain key, AES-256-GCM
// encrypts with it, and both are bound to path and version. No state, no I/O.

import Crypto
import FoundationEssentials
import Glibc
import PosternProtocol

/// Where an envelope belongs.
struct EnvelopePlace {
    let path: SecretPath
    let version: Int
    /// What the version's key is derived for: format, path and version.
    let derivationInfo: [UInt8]

    init(path: SecretPath, version: Int) {
        self.path = path
        self.version = version
        var info: [UInt8] = []
        info.reserveCapacity(EnvelopeHeader.formatName.utf8.count + path.text.utf8.count + 12)
        info.append(prefixed: EnvelopeHeader.formatName)
        info.append(prefixed: path.text)
        info.append(bigEndian: Int64(version))
        derivationInfo = info
    }

    var description: String { "\(path) version \(version)" }

    /// What the ciphertext is bound to: the same, and the domain key's name.
    func associatedData(_ key: DomainKeyName) -> [UInt8] {
        var data: [UInt8] = []
        data.reserveCapacity(derivationInfo.count + DomainKeyID.byteCount + 4)
        data += derivationInfo
        data += key.id.bytes
        data.append(bigEndian: key.version)
        return data
    }
}

enum EnvelopeCipher {
    /// Encrypts a payload for its place.
    /// - Parameters:
    ///   - payload: what to encrypt.
    ///   - place: the path and version it is for.
    ///   - domainKey: the domain's key.
    ///   - salt: 32 random bytes.
    ///   - nonce: 12 random bytes.
    /// - Returns: the envelope.
    static func seal(
        _ payload: Payload, for place: EnvelopePlace, domainKey: DomainKey, salt: [UInt8], nonce: [UInt8]
    ) throws(SecretError) -> SecretBytes {
        let plaintext = try PayloadCoding.encode(payload)
        let header = EnvelopeHeader(key: domainKey.name, salt: salt)
        do {
            let box = try plaintext.withUnsafeBytes { bytes in
                try AES.GCM.seal(
                    bytes, using: versionKey(place, domainKey, salt: salt), nonce: AES.GCM.Nonce(data: nonce),
                    authenticating: place.associatedData(domainKey.name))
            }
            return SecretBytes(copying: header.bytes + nonce + box.ciphertext + box.tag)
        } catch {
            throw SecretError(.internalError, "\(place.description) could not be encrypted.")
        }
    }

    /// Decrypts an envelope found at a place.
    /// - Throws: `integrity_failure` unless these bytes were made for this place with this key.
    static func open(
        _ envelope: SecretBytes, header: EnvelopeHeader, at place: EnvelopePlace, domainKey: DomainKey
    ) throws(SecretError) -> Payload {
        var plaintext: Data
        do {
            plaintext = try envelope.withUnsafeBytes { bytes in
                let sealed = UnsafeRawBufferPointer(rebasing: bytes[EnvelopeHeader.byteCount...])
                return try AES.GCM.open(
                    AES.GCM.SealedBox(combined: sealed), using: versionKey(place, domainKey, salt: header.salt),
                    authenticating: place.associatedData(header.key))
            }
        } catch {
            throw SecretError(
                .integrityFailure,
                "\(place.description) does not open: its stored bytes were changed, or were written for another "
                    + "path or version. Restore it from a backup, or write it again.")
        }
        defer { wipe(&plaintext) }
        guard let payload = plaintext.withUnsafeBytes({ PayloadCoding.decode($0) }) else {
            throw SecretError(
                .integrityFailure, "\(place.description) opens, but what is inside is not a payload.")
        }
        return payload
    }

    private static func versionKey(_ place: EnvelopePlace, _ domainKey: DomainKey, salt: [UInt8]) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: domainKey.key, salt: salt, info: place.derivationInfo, outputByteCount: 32)
    }

    /// Clears the one plain copy that the cipher makes outside `SecretBytes`.
    private static func wipe(_ data: inout Data) {
        data.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            explicit_bzero(base, bytes.count)
        }
    }
}
