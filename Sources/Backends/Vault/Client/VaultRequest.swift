// What is asked of Vault, what it answers, and what is known when there is no answer.

import NIOCore
import NIOHTTP1
import PosternCoding
import PosternProtocol

/// One request to Vault's HTTP API.
struct VaultRequest: Sendable {
    /// Whose token goes with a request.
    enum Token: Sendable {
        /// The gateway's own.
        case own
        /// None: login, health.
        case none
        /// This one: a caller's, or one that is to be unwrapped.
        case given(SecretBytes)
    }

    let method: HTTPMethod
    /// Below `/v1/`, with the query.
    let path: String
    var body: ByteBuffer?
    var contentType = "application/json"
    var token = Token.own
    /// The namespace is left out for what exists only at the root, as health does.
    var usesNamespace = true
    /// Whether doing it twice is the same as doing it once. What is not may have happened when its answer is lost,
    /// and is then not sent again.
    var isRepeatable: Bool

    static func get(_ path: String) -> VaultRequest { VaultRequest(method: .GET, path: path, isRepeatable: true) }

    static func list(_ path: String) -> VaultRequest {
        VaultRequest(method: .RAW(value: "LIST"), path: path, isRepeatable: true)
    }

    static func delete(_ path: String) -> VaultRequest {
        VaultRequest(method: .DELETE, path: path, isRepeatable: true)
    }

    static func post(_ path: String, _ body: ByteBuffer?, isRepeatable: Bool) -> VaultRequest {
        VaultRequest(method: .POST, path: path, body: body, isRepeatable: isRepeatable)
    }

    /// A JSON merge patch (RFC 7396).
    static func patch(_ path: String, _ body: ByteBuffer) -> VaultRequest {
        VaultRequest(
            method: .PATCH, path: path, body: body, contentType: "application/merge-patch+json", isRepeatable: true)
    }

    /// The same with a token other than the gateway's own.
    func with(_ token: Token) -> VaultRequest {
        var request = self
        request.token = token
        return request
    }
}

/// What a Vault server answered.
struct VaultAnswer: Sendable {
    let status: Int
    let body: ByteBuffer
    /// The node that answered, for messages.
    let node: VaultAddress
    /// Where a redirect leads.
    var location: String?
    /// How far the storage was when it answered.
    var index: String?

    /// Whether it did what was asked.
    var isSuccess: Bool { (200..<300).contains(status) }

    /// Reads the answer's JSON object.
    /// - Throws: `backend_unavailable` if it is none: a proxy's page, half a body.
    func read(_ member: (inout JSONReader, String) throws(SecretError) -> Void) throws(SecretError) {
        do throws(SecretError) {
            try body.withUnsafeReadableBytes { (bytes) throws(SecretError) in
                try JSONReader.read(bytes, member: member)
            }
        } catch {
            throw SecretError(
                .backendUnavailable,
                "\(node) answered with status \(status) and a body that makes no sense: \(error.message)")
        }
    }

    /// The texts in `errors`; empty where there are none or the body is no JSON.
    var errors: [String] {
        var errors: [String] = []
        do throws(SecretError) {
            try read { (json, name) throws(SecretError) in
                guard name == "errors", !json.null() else {
                    if name != "errors" { _ = try json.raw("A member") }
                    return
                }
                try json.array("errors") { (json) throws(SecretError) in errors.append(try json.string("An error")) }
            }
        } catch {
            // A body that is no JSON names no errors: the status says enough.
            return []
        }
        return errors
    }

    /// Whether it refuses a request for its size: the listener by status 413, its limits on JSON by 400, storage by 500.
    var isTooLarge: Bool {
        func says(_ texts: String...) -> Bool { errors.contains { error in texts.contains { error.contains($0) } } }
        return switch status {
        case 413: true
        case 400: says("too large", "exceed")
        case 500: says("value being too large", "Value exceeds")
        default: false
        }
    }

    /// The errors as one short text for a message; Vault's texts hold no secrets.
    var complaint: String {
        let text = errors.joined(separator: "; ").prefix(300)
        return text.isEmpty ? "status \(status)" : "status \(status): \(text)"
    }
}

/// Why there is no answer that could be used.
struct VaultFailure: Error, Sendable {
    /// What to tell the caller.
    let error: SecretError
    /// Whether Vault may have done what was asked all the same.
    let mayHaveHappened: Bool
}
