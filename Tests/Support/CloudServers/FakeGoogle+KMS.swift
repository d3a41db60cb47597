// The fake's encrypt and decrypt.

import Crypto
import Foundation
import NIOHTTP1
import Synchronization

extension FakeGoogle {
    private struct Refusal: Error {
        let answer: ServerAnswer

        init(_ code: Int, _ status: String, _ message: String) {
            answer = FakeGoogle.error(code, status, message)
        }
    }

    func kms(_ request: ServerRequest) -> ServerAnswer {
        do {
            return try kmsOrRefusal(request)
        } catch {
            return (error as? Refusal)?.answer ?? .text(500, "\(error)")
        }
    }

    private func kmsOrRefusal(_ request: ServerRequest) throws -> ServerAnswer {
        let parts = request.target.dropFirst("/v1/".count).split(separator: ":")
        guard request.method == .POST, parts.count == 2, let operation = parts.last else {
            throw Refusal(404, "NOT_FOUND", "No such method.")
        }
        let state = state.withLock { $0 }
        let bearer = request.header("Authorization") ?? ""
        guard bearer.hasPrefix("Bearer "), state.tokens[String(bearer.dropFirst(7))] != nil else {
            throw Refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        }
        guard let key = state.keys[String(parts[0])] else {
            throw Refusal(404, "NOT_FOUND", "CryptoKey \(parts[0]) not found.")
        }
        guard state.mayUseKeys else {
            throw Refusal(403, "PERMISSION_DENIED", "Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied.")
        }
        guard request.header("Content-Type") == "application/json" else {
            throw Refusal(400, "INVALID_ARGUMENT", "Unsupported content type.")
        }
        let name = String(parts[0])
        switch operation {
        case "encrypt": return try encrypt(request, key, name)
        case "decrypt": return try decrypt(request, key)
        default: throw Refusal(404, "NOT_FOUND", "No such method.")
        }
    }

    private func encrypt(_ request: ServerRequest, _ key: Key, _ name: String) throws -> ServerAnswer {
        let fields = try fields(of: request, payload: "plaintext")
        let (material, version) = try usable(key.primary, of: key)
        guard fields.payload.count <= 65_536 else { throw Refusal(400, "INVALID_ARGUMENT", "Too long.") }
        let box = try AES.GCM.seal(fields.payload, using: material, authenticating: fields.binding)
        let ciphertext = Data([UInt8(version)]) + (box.combined ?? Data())
        return .json(
            200,
            Self.json([
                "name": "\(name)/cryptoKeyVersions/\(version)", "ciphertext": ciphertext.base64EncodedString(),
                "ciphertextCrc32c": String(Self.crc32c(ciphertext)),
                "verifiedPlaintextCrc32c": fields.hasPayloadChecksum,
                "verifiedAdditionalAuthenticatedDataCrc32c": fields.hasBindingChecksum, "protectionLevel": "HSM",
            ]))
    }

    private func decrypt(_ request: ServerRequest, _ key: Key) throws -> ServerAnswer {
        let fields = try fields(of: request, payload: "ciphertext")
        let invalid = Refusal(400, "INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid.")
        guard let number = fields.payload.first.map({ Int($0) }), (1...key.versions.count).contains(number) else {
            throw invalid
        }
        let (material, version) = try usable(number, of: key)
        guard let box = try? AES.GCM.SealedBox(combined: fields.payload.dropFirst()),
            let plaintext = try? AES.GCM.open(box, using: material, authenticating: fields.binding)
        else { throw invalid }
        return .json(
            200,
            Self.json([
                "plaintext": plaintext.base64EncodedString(), "plaintextCrc32c": String(Self.crc32c(plaintext)),
                "usedPrimary": version == key.primary, "protectionLevel": "HSM",
            ]))
    }

    private func usable(_ number: Int, of key: Key) throws -> (SymmetricKey, Int) {
        let version = key.versions[number - 1]
        guard version.state == .enabled else {
            throw Refusal(
                400, "FAILED_PRECONDITION",
                "CryptoKeyVersion \(number) is not enabled, state is \(version.state.rawValue).")
        }
        return (version.material, number)
    }

    /// What a request says, if it says nothing but what the reference has, and its checksums are right.
    private func fields(
        of request: ServerRequest, payload name: String
    ) throws -> (payload: Data, binding: Data, hasPayloadChecksum: Bool, hasBindingChecksum: Bool) {
        guard let object = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any] else {
            throw Refusal(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        }
        let bindingName = "additionalAuthenticatedData"
        let known = Set([name, name + "Crc32c", bindingName, bindingName + "Crc32c"])
        if let unknown = object.keys.first(where: { !known.contains($0) }) {
            throw Refusal(400, "INVALID_ARGUMENT", "Unknown name \"\(unknown)\".")
        }
        func bytes(_ field: String) throws -> Data {
            guard let text = object[field] as? String, let bytes = Data(base64Encoded: text) else {
                throw Refusal(400, "INVALID_ARGUMENT", "Invalid value at '\(field)' (TYPE_BYTES).")
            }
            guard let given = object[field + "Crc32c"] else { return bytes }
            guard let text = given as? String, let checksum = UInt32(text) else {
                throw Refusal(400, "INVALID_ARGUMENT", "Invalid value at '\(field)Crc32c' (TYPE_INT64).")
            }
            guard checksum == Self.crc32c(bytes) else {
                throw Refusal(
                    400, "INVALID_ARGUMENT", "The checksum in field \(field)_crc32c did not match the data in \(field)."
                )
            }
            return bytes
        }
        let binding = object[bindingName] == nil ? Data() : try bytes(bindingName)
        return (
            try bytes(name), binding, object[name + "Crc32c"] != nil, object[bindingName + "Crc32c"] != nil
        )
    }

    /// CRC-32C by the definition: one bit at a time.
    static func crc32c(_ bytes: Data) -> UInt32 {
        var register: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            register ^= UInt32(byte)
            for _ in 0..<8 {
                let isOdd = register & 1 == 1
                register >>= 1
                if isOdd { register ^= 0x82F6_3B78 }
            }
        }
        return register ^ 0xFFFF_FFFF
    }
}
