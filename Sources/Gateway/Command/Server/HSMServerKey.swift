// A listener's TLS key in an HSM: signs handshakes, counts what fails, and says so once and not at every handshake.

import Logging
import NIOSSL
import PosternCore
import PosternIdentity
import PosternPKCS11
import PosternProtocol
import Synchronization

/// The private key of one listener, in an HSM.
final class HSMServerKey: RemotePrivateKey {
    private struct State {
        var signatures = 0
        var failures = 0
        /// Why the last handshake got no signature; nil once one does.
        var problem: String?
    }

    let name: String
    private let listener: String
    private let key: PKCS11SigningKey
    private let logger: Logger
    private let state = Mutex(State())

    /// Names the key, without contact to the HSM.
    /// - Parameters:
    ///   - uri: which key.
    ///   - listener: whose it is, for logs and metrics.
    ///   - tokens: the HSMs of this process.
    init(_ uri: String, listener: String, tokens: Tokens, logger: Logger) throws(SecretError) {
        let uri = try PKCS11URI(uri)
        name = uri.description
        self.listener = listener
        self.logger = logger
        key = try PKCS11SigningKey(token: try tokens.token(of: uri), key: uri)
    }

    func publicKey(deadline: Deadline) async throws(SecretError) -> [UInt8] {
        try await noting { () async throws(SecretError) in try await key.publicKey(deadline: deadline) }
    }

    func sign(
        _ message: [UInt8], _ algorithm: SignatureAlgorithm, deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        guard let known = PKCS11SignatureAlgorithm(algorithm) else {
            throw SecretError(.internalError, "TLS asks \(name) for a signature of another kind of key.")
        }
        let signature = try await noting { () async throws(SecretError) in
            try await key.sign(message, known, deadline: deadline)
        }
        state.withLock { $0.signatures += 1 }
        return signature
    }

    private func noting(_ ask: () async throws(SecretError) -> [UInt8]) async throws(SecretError) -> [UInt8] {
        do throws(SecretError) {
            let answer = try await ask()
            let wasFailing = state.withLock { state in
                defer { state.problem = nil }
                return state.problem != nil
            }
            if wasFailing { logger.info("the HSM signs TLS handshakes again", metadata: ["listener": "\(listener)"]) }
            return answer
        } catch {
            // A client that hung up says nothing of the HSM.
            guard error.code != .cancelled else { throw error }
            let isNew = state.withLock { state in
                state.failures += 1
                defer { state.problem = error.message }
                return state.problem == nil
            }
            if isNew {
                logger.error(
                    "the HSM does not sign TLS handshakes, which fail until it does; open connections go on",
                    metadata: ["listener": "\(listener)", "key": "\(name)", "error": "\(error)"])
            }
            throw error
        }
    }

    /// How it is, for people.
    var component: Readiness.Component {
        let problem = state.withLock { $0.problem }
        return Readiness.Component(name: "tls key (\(listener))", isReady: problem == nil, detail: problem ?? "ok")
    }

    /// The counts for metrics.
    var gauges: [Gauge] {
        let state = state.withLock { $0 }
        let labels = ["listener": listener]
        return [
            Gauge(
                "postern_tls_key_ok", "Whether the HSM answered when the listener's TLS key was last needed.",
                state.problem == nil ? 1 : 0, labels: labels),
            Gauge(
                "postern_tls_key_signatures", "TLS handshakes signed in the HSM since the start.",
                Double(state.signatures), labels: labels),
            Gauge(
                "postern_tls_key_failures", "Times that the HSM did not answer for a TLS key since the start.",
                Double(state.failures), labels: labels),
        ]
    }
}

extension PKCS11SignatureAlgorithm {
    /// The signature scheme of TLS (RFC 8446 §4.2.3); nil for those that no key on a token makes.
    fileprivate init?(_ scheme: SignatureAlgorithm) {
        switch scheme {
        case .ecdsaSecp256R1Sha256: self = .ecdsa(.sha256)
        case .ecdsaSecp384R1Sha384: self = .ecdsa(.sha384)
        case .ecdsaSecp521R1Sha512: self = .ecdsa(.sha512)
        case .rsaPssRsaeSha256: self = .rsaPSS(.sha256)
        case .rsaPssRsaeSha384: self = .rsaPSS(.sha384)
        case .rsaPssRsaeSha512: self = .rsaPSS(.sha512)
        case .rsaPkcs1Sha256: self = .rsaPKCS1(.sha256)
        case .rsaPkcs1Sha384: self = .rsaPKCS1(.sha384)
        case .rsaPkcs1Sha512: self = .rsaPKCS1(.sha512)
        default: return nil
        }
    }
}
