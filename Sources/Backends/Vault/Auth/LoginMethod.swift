// What every way of getting a token has in common.

import NIOCore
import PosternCoding
import PosternProtocol

/// A way for the gateway to get a token of its own.
protocol LoginMethod: Sendable {
    /// For status, logs and messages, as in `AppRole at auth/approle`.
    var description: String { get }
    /// Whether a login makes a token for this gateway alone, which ends with it.
    var makesTokens: Bool { get }
    /// What to look at for whether logging in again may go better, or, where no token is made, give another token.
    var watched: Credential? { get }

    /// Logs in.
    /// - Parameters:
    ///   - vault: asks Vault; only without a token, or with one given.
    ///   - deadline: when to give up.
    func logIn(_ vault: VaultClient, deadline: Deadline) async throws(LoginFailure) -> Lease
}

/// Why there is no token.
struct LoginFailure: Error, Sendable {
    /// What to tell callers.
    let error: SecretError
    /// Whether it is Vault's or this gateway's last word, so that trying again soon is of no use.
    let isRefusal: Bool

    /// Trying again will not help until something is changed.
    static func refused(_ message: String) -> LoginFailure {
        LoginFailure(error: SecretError(.backendUnavailable, message), isRefusal: true)
    }

    /// Vault could not be asked, or gave no answer.
    static func unanswered(_ error: SecretError) -> LoginFailure {
        LoginFailure(error: error, isRefusal: false)
    }
}

extension VaultClient {
    /// Logs in at a method's own path.
    /// - Parameters:
    ///   - mount: the method's mount.
    ///   - body: what it asks for.
    ///   - method: the method, for messages.
    ///   - advice: what to look at if it is refused.
    func logIn(
        at mount: MountPath, _ body: JSONObject, method: String, advice: String, deadline: Deadline
    ) async throws(LoginFailure) -> Lease {
        // A login whose answer was lost has made a token that nobody has; doing it again makes another.
        let request = VaultRequest.post("auth/\(mount)/login", body.body, isRepeatable: true)
        let answer = try await ask(request.with(.none), deadline: deadline)
        guard answer.isSuccess else {
            throw .refused("Vault refuses the gateway's login with \(method) (\(answer.complaint)). \(advice)")
        }
        let lease: Lease
        do throws(SecretError) {
            lease = try Lease(ofLogin: answer)
        } catch {
            throw .unanswered(error)
        }
        guard lease.token.count > 0 else {
            throw .refused(
                "Vault gave no token for the gateway's login with \(method): it asks for a second factor (MFA), which a "
                    + "gateway does not have. Take the enforcement off this login.")
        }
        return lease
    }

    /// Asks, for something that is done without the gateway's own token.
    func ask(_ request: VaultRequest, deadline: Deadline) async throws(LoginFailure) -> VaultAnswer {
        do throws(VaultFailure) {
            return try await send(request, deadline: deadline)
        } catch {
            throw .unanswered(error.error)
        }
    }
}

/// The source of a client that logs in: there is no token yet.
struct NoToken: TokenSource {
    func token(deadline: Deadline) async throws(SecretError) -> SecretBytes {
        throw SecretError(.internalError, "A request that needs the gateway's token was made while getting one.")
    }

    func replacement(for token: SecretBytes, deadline: Deadline) async throws(SecretError) -> SecretBytes? { nil }
}
