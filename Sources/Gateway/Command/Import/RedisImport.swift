// `postern import redis`: encrypted blobs that an older store kept in Redis. Nothing is written there.

import ArgumentParser
import Crypto
import Foundation
import PosternCoding
import PosternProtocol

extension ImportCommand {
    /// `postern import redis`.
    struct Redis: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Import AES-256-GCM blobs from a live Redis.",
            discussion: """
                Each value is base64 of nonce (12 bytes), ciphertext and tag (16 bytes), all under one key. A blob that does not \
                open is named, and the others go on. The password for Redis comes from REDIS_PASSWORD or --password-file.
                """)

        @Argument(help: "redis://[user@]host[:port][/database], or rediss:// for TLS.")
        var url: String

        @Option(name: .long, help: "The file with the key: 32 bytes, or these in hex or base64.")
        var keyFile: String

        @Option(name: .long, help: "Only keys that match this pattern of Redis's, as in 'secrets:*'.")
        var match: String?

        @Option(name: .long, help: "A file with the password for Redis, if it is not in REDIS_PASSWORD.")
        var passwordFile: String?

        @Option(name: .long, help: "PEM file of the authorities to trust for rediss://; the system's if not given.")
        var redisCA: String?

        @OptionGroup var options: ImportOptions

        func run() async throws {
            try await options.run { naming in
                let address = try RedisAddress(url)
                let key = try BlobKey(try SecretFile.read(keyFile))
                let password = try password()
                return .fetched { take in
                    try await RedisClient.with(address, password: password, authorities: redisCA) { redis in
                        try await fetch(&redis, naming, key, take)
                    }
                }
            }
        }

        private func fetch(
            _ redis: inout RedisClient, _ naming: ImportNaming, _ key: BlobKey,
            _ take: (String, Result<ImportItem, SecretError>) async throws -> Void
        ) async throws {
            let names = try await redis.keys(matching: match)
            let paths = try naming.paths(names)
            let wanted = zip(names, paths).compactMap { name, path in path.map { (name: name, path: $0) } }
            for start in stride(from: 0, to: wanted.count, by: 100) {
                let batch = Array(wanted[start..<min(start + 100, wanted.count)])
                let values = try await redis.values(batch.map(\.name))
                for (secret, value) in zip(batch, values) {
                    try await take(secret.name, Self.item(secret.name, secret.path, value, key))
                }
            }
        }

        private func password() throws -> SecretBytes? {
            if let passwordFile {
                return try SecretFile.read(passwordFile).withUnsafeBytes { bytes in
                    var text = bytes[...]
                    while let last = text.last, last == 0x0A || last == 0x0D { text = text.dropLast() }
                    return SecretBytes(copying: text)
                }
            }
            let given = ProcessInfo.processInfo.environment["REDIS_PASSWORD"] ?? ""
            return given.isEmpty ? nil : SecretBytes(given)
        }

        private static func item(
            _ name: String, _ path: SecretPath, _ value: RedisValue, _ key: BlobKey
        ) -> Result<ImportItem, SecretError> {
            do throws(SecretError) {
                switch value {
                case .bulk(let bytes?):
                    let payload = try Payload(value: try key.open(SecretBytes(copying: bytes)))
                    return .success(ImportItem(name: name, path: path, payload: payload))
                case .bulk(nil): throw SecretError(.notFound, "It is gone from Redis.")
                default: throw SecretError(.invalidArgument, "It is no text in Redis, but a list, set or hash.")
                }
            } catch {
                return .failure(error)
            }
        }
    }
}

/// The one key of an older store's blobs.
struct BlobKey: Sendable {
    private static let nonceBytes = 12
    private static let tagBytes = 16

    private let key: SymmetricKey

    /// Reads a key file: 32 bytes, or 64 hexadecimal digits, or base64 of 32 bytes; a final newline does not matter.
    /// - Throws: `invalid_argument` for anything else.
    init(_ file: SecretBytes) throws(SecretError) {
        let bytes = file.withUnsafeBytes { Array($0) }
        if bytes.count == 32 {
            key = SymmetricKey(data: bytes)
            return
        }
        var text = bytes[...]
        while let last = text.last, last == 0x0A || last == 0x0D || last == 0x20 { text = text.dropLast() }
        let digits = text.compactMap(\.hexadecimalValue)
        if text.count == 64, digits.count == 64 {
            key = SymmetricKey(data: stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
            return
        }
        let decoded: SecretBytes
        do {
            decoded = try Base64.decode(SecretBytes(copying: text), "The key file")
        } catch {
            throw Self.wrong
        }
        guard decoded.count == 32 else { throw Self.wrong }
        key = decoded.withUnsafeBytes { SymmetricKey(data: $0) }
    }

    private static let wrong = SecretError(
        .invalidArgument, "The key file must hold a key of 32 bytes: as they are, in hexadecimal digits, or in base64.")

    /// Opens a blob: base64 of nonce ‖ ciphertext ‖ tag.
    /// - Throws: `integrity_failure` if it is none, was changed, or is under another key.
    func open(_ blob: SecretBytes) throws(SecretError) -> SecretBytes {
        let sealed: SecretBytes
        do {
            sealed = try Base64.decode(blob, "The blob")
        } catch {
            throw SecretError(.integrityFailure, "It is not base64.")
        }
        guard sealed.count >= Self.nonceBytes + Self.tagBytes else {
            throw SecretError(.integrityFailure, "It is too short to be nonce, ciphertext and tag.")
        }
        do {
            let box = try sealed.withUnsafeBytes { try AES.GCM.SealedBox(combined: $0) }
            return SecretBytes(copying: try AES.GCM.open(box, using: key))
        } catch {
            throw SecretError(.integrityFailure, "It does not open: it was damaged, or is under another key.")
        }
    }
}
