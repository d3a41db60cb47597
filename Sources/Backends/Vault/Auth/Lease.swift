// A token and what Vault said of it.

import PosternCoding
import PosternProtocol

/// A token of the gateway's, for as long as Vault lends it.
struct Lease: Sendable {
    /// The token.
    let token: SecretBytes
    /// Its name for administrators, who can look it up and revoke it by this; batch tokens have none.
    let accessor: String?
    /// How long it lives from when it was granted, or nil if it does not end.
    let duration: Duration?
    /// How long it was made for: what to ask for when it is renewed.
    let term: Duration
    /// Whether Vault will prolong it.
    let isRenewable: Bool
    /// Whether the token may look itself up, which tells a dead token from one that lacks a right.
    var canBeVerified = true

    /// Reads the answer to a login.
    /// - Throws: `backend_unavailable` if it makes no sense.
    init(ofLogin answer: VaultAnswer) throws(SecretError) {
        var auth = Members()
        try answer.read(in: "auth") { (json, name) throws(SecretError) in try auth.read(&json, name) }
        guard let token = auth.token, let seconds = auth.seconds else {
            throw SecretError(.backendUnavailable, "\(answer.node) answered to a login without a token.")
        }
        self.token = token
        accessor = auth.accessor
        duration = seconds > 0 ? .leaseSeconds(seconds) : nil
        term = .leaseSeconds(seconds)
        isRenewable = auth.isRenewable
    }

    /// Reads the answer to a token's looking itself up.
    /// - Throws: `backend_unavailable` if it makes no sense.
    init(ofLookUp answer: VaultAnswer, token: SecretBytes) throws(SecretError) {
        var data = Members()
        try answer.read(in: "data") { (json, name) throws(SecretError) in try data.read(&json, name) }
        guard let seconds = data.seconds else {
            throw SecretError(.backendUnavailable, "\(answer.node) answered to a look-up without a time to live.")
        }
        self.token = token
        accessor = data.accessor
        // In its last second a token has 0 seconds to live, like one that never ends.
        duration = data.ends || seconds > 0 ? .leaseSeconds(max(seconds, 1)) : nil
        term = .leaseSeconds(max(data.term ?? 0, seconds))
        isRenewable = data.isRenewable
    }

    init(
        token: SecretBytes, accessor: String? = nil, duration: Duration?, term: Duration? = nil, isRenewable: Bool
    ) {
        self.token = token
        self.accessor = accessor
        self.duration = duration
        self.term = term ?? duration ?? .zero
        self.isRenewable = isRenewable
    }

    /// The members of `auth` and of a look-up's `data` that matter.
    private struct Members {
        var token: SecretBytes?
        var accessor: String?
        var seconds: Int?
        var term: Int?
        var isRenewable = false
        var ends = false

        mutating func read(_ json: inout JSONReader, _ name: String) throws(SecretError) {
            switch name {
            case "client_token": token = try json.secret(name)
            case "accessor":
                let text = try json.string(name)
                accessor = text.isEmpty ? nil : text
            case "lease_duration", "ttl": seconds = try json.integer(name)
            case "creation_ttl": term = try json.integer(name)
            case "renewable": isRenewable = try json.boolean(name)
            case "expire_time":
                ends = !json.null()
                if ends { _ = try json.raw(name) }
            default: _ = try json.raw(name)
            }
        }
    }
}

extension Duration {
    /// A lease as Vault counts it, kept to what a clock can add up.
    static func leaseSeconds(_ seconds: Int) -> Duration { .seconds(min(max(seconds, 0), 10 * 366 * 86_400)) }
}
