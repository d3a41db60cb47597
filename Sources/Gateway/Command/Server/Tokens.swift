// The HSMs of this process: each token has one owner, whichever keys on it are used.

import Logging
import PosternCore
import PosternPKCS11
import PosternProtocol
import Synchronization

/// The PKCS#11 tokens that a configuration's keys are on.
final class Tokens: Sendable {
    /// How long closing may take. A token that does not answer is left open: the process ends anyway.
    private static let closingTime: Duration = .seconds(3)

    private let modules = PKCS11Modules()
    private let tokens = Mutex<[PKCS11TokenSettings: PKCS11Token]>([:])

    /// The token that a URI names, without contact to it.
    /// - Throws: `invalid_argument` if the URI says too little.
    func token(of uri: PKCS11URI) throws(SecretError) -> PKCS11Token {
        let settings = try PKCS11TokenSettings(uri)
        return try tokens.withLock { (tokens) throws(SecretError) in
            if let known = tokens[settings] { return known }
            let token = try PKCS11Token(settings, modules: modules)
            tokens[settings] = token
            return token
        }
    }

    /// The key that a URI names, to wrap with, without contact to the token. Its id is made of the token's serial number
    /// if the URI has it, or else of the URI's path as it is: it has to be known while the token is away.
    /// - Throws: `invalid_argument` if the URI cannot be read, or names no such key.
    func wrapper(_ text: String) throws(SecretError) -> PKCS11KeyWrapper {
        let uri = try PKCS11URI(text)
        return try PKCS11KeyWrapper(
            token: try token(of: uri), key: uri, id: uri.attributes[.serial] == nil ? uri.description : nil)
    }

    /// Makes a key on its token if it is not there, sensitive and not extractable.
    /// - Parameters:
    ///   - text: the URI, with the label to give it.
    ///   - dryRun: only say whether it would be made.
    ///   - kind: what key to make, asked only where one is missing.
    /// - Returns: what would be or was made; nil if the key is there.
    /// - Throws: `invalid_argument` if the URI cannot be read or says too little; `key_unavailable`, `deadline_exceeded`.
    func makeKey(
        _ text: String, dryRun: Bool, deadline: Deadline,
        kind: (PKCS11Token, PKCS11URI) async throws(SecretError) -> PKCS11KeyKind
    ) async throws(SecretError) -> PKCS11KeyKind? {
        let uri = try PKCS11URI(text)
        let token = try token(of: uri)
        if try await token.holds(uri, deadline: deadline) { return nil }
        guard let label = uri.object else {
            throw SecretError(
                .invalidArgument, "\(uri) is not on the token, and cannot be made without a label: add `object=`.")
        }
        let made = try await kind(token, uri)
        if !dryRun {
            var generator = SystemRandomNumberGenerator()
            let id = uri.id ?? (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            try await token.generateKey(made, label: label, id: id, deadline: deadline)
        }
        return made
    }

    /// Lets every token be looked at anew, and refused PINs be tried once more.
    func reload() {
        for token in tokens.withLock({ Array($0.values) }) { token.reload() }
    }

    /// How the tokens are, for metrics.
    var gauges: [Gauge] {
        tokens.withLock { Array($0.values) }.flatMap { token in
            let labels = ["token": "\(token.settings.token)"]
            return [
                Gauge(
                    "postern_hsm_stuck_calls",
                    "Calls to the token that have not returned although nobody waits any more.",
                    Double(token.stuckCalls), labels: labels),
                Gauge(
                    "postern_hsm_waiting_calls", "Calls that wait for a session of the token.",
                    Double(token.waitingCalls), labels: labels),
            ]
        }
    }

    /// Closes all sessions.
    func close(logger: Logger) async {
        let tokens = tokens.withLock { all in
            defer { all = [:] }
            return Array(all.values)
        }
        for token in tokens {
            do throws(SecretError) {
                try await token.close(deadline: .after(Self.closingTime))
            } catch {
                logger.warning("a token could not be closed", metadata: ["error": "\(error)"])
            }
        }
    }
}
