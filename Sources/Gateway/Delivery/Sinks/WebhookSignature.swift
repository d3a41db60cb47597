// Requests signed as the Standard Webhooks specification has it, so that its libraries verify them.

import Crypto
import Foundation
import NIOCore
import PosternProtocol

enum WebhookSignature {
    /// The shortest key, in bytes.
    static let minimumKeyBytes = 16
    /// What keys in base64 begin with.
    private static let base64Prefix = Array("whsec_".utf8)

    /// The headers of a request.
    /// - Parameters:
    ///   - id: what the request is called, the same each time that it is tried.
    ///   - time: when it is made.
    ///   - body: its body.
    ///   - key: the key, or `whsec_` and the key in base64.
    static func headers(
        id: String, time: Timestamp, body: ByteBuffer, key: SecretBytes
    ) throws(SinkFailure) -> [(name: String, value: String)] {
        let seconds = String(time.microseconds / 1_000_000)
        let bytes = key.withUnsafeBytes { bytes -> Data? in
            guard bytes.starts(with: base64Prefix) else { return Data(bytes) }
            return Data(base64Encoded: Data(bytes.dropFirst(base64Prefix.count)))
        }
        guard let bytes, bytes.count >= minimumKeyBytes else {
            throw SinkFailure(message: "the signing key must have at least \(minimumKeyBytes) bytes")
        }
        var code = HMAC<SHA256>(key: SymmetricKey(data: bytes))
        code.update(data: Data("\(id).\(seconds).".utf8))
        body.withUnsafeReadableBytes { code.update(data: $0) }
        return [
            ("Webhook-Id", id), ("Webhook-Timestamp", seconds),
            ("Webhook-Signature", "v1," + Data(code.finalize()).base64EncodedString()),
        ]
    }
}
