// A secret ID under response wrapping: whoever unwraps it is the only one who ever does, so that a thief is noticed.

import PosternCoding
import PosternProtocol
import Synchronization

/// The secret ID behind a wrapping token in a file.
final class WrappedSecretID: Sendable {
    private struct State {
        /// The wrapping token that was unwrapped last, and what was in it.
        var unwrapped: (wrapper: SecretBytes, secretID: SecretBytes)?
        /// One that may have been unwrapped by this gateway, whose answer was lost.
        var uncertain: SecretBytes?
    }

    /// Where the wrapping token is.
    let file: Credential
    private let role: VaultName
    private let state = Mutex(State())

    init(file: String, role: VaultName) {
        self.file = Credential(.file(file), "the wrapping token of the AppRole secret ID")
        self.role = role
    }

    /// The secret ID: unwrapped now, if the file holds a token that has not been unwrapped yet.
    func secretID(
        _ vault: VaultClient, mount: MountPath, deadline: Deadline
    ) async throws(LoginFailure) -> SecretBytes {
        let known = state.withLock { $0.unwrapped }
        let wrapper: SecretBytes
        do throws(LoginFailure) {
            wrapper = try file.readToken()
        } catch {
            // What was unwrapped is good without the file, which some deployments remove.
            guard let known else { throw error }
            return known.secretID
        }
        if let known, known.wrapper == wrapper { return known.secretID }
        try await verify(wrapper, vault, mount: mount, deadline: deadline)
        let secretID = try await unwrap(wrapper, vault, deadline: deadline)
        state.withLock { $0 = State(unwrapped: (wrapper, secretID)) }
        return secretID
    }

    /// Makes sure that the token wraps what the role issued: one that a thief put there in exchange for the real one does not.
    private func verify(
        _ wrapper: SecretBytes, _ vault: VaultClient, mount: MountPath, deadline: Deadline
    ) async throws(LoginFailure) {
        var body = JSONObject()
        body.set("token", wrapper)
        let request = VaultRequest.post("sys/wrapping/lookup", body.body, isRepeatable: true)
        let answer = try await vault.ask(request.with(.none), deadline: deadline)
        guard answer.isSuccess else { throw spent(wrapper, answer) }
        let path = try Self.member("creation_path", of: answer) { (json) throws(SecretError) in
            try json.string("creation_path")
        }
        let expected = "auth/\(mount)/role/\(role)/secret-id"
        guard path == expected else {
            throw .refused(
                "\(file.description) was not made by \(expected) but by \(shown(path)): it has not been unwrapped. It may have "
                    + "been put there in exchange for the real one. Find out who did, and wrap a new secret ID.")
        }
    }

    private func unwrap(
        _ wrapper: SecretBytes, _ vault: VaultClient, deadline: Deadline
    ) async throws(LoginFailure) -> SecretBytes {
        let request = VaultRequest.post("sys/wrapping/unwrap", nil, isRepeatable: false).with(.given(wrapper))
        let answer: VaultAnswer
        do throws(VaultFailure) {
            answer = try await vault.send(request, deadline: deadline)
        } catch {
            if error.mayHaveHappened { state.withLock { $0.uncertain = wrapper } }
            throw .unanswered(error.error)
        }
        guard answer.isSuccess else { throw spent(wrapper, answer) }
        return try Self.member("secret_id", of: answer) { (json) throws(SecretError) in try json.secret("secret_id") }
    }

    private func spent(_ wrapper: SecretBytes, _ answer: VaultAnswer) -> LoginFailure {
        let isOurs = state.withLock { $0.uncertain == wrapper }
        let suspicion =
            isOurs
            ? "This gateway may have unwrapped it itself, when Vault's answer was lost."
            : "Unless this gateway did so itself before it was started again, or it has expired, somebody else has unwrapped it: "
                + "the secret ID may have been intercepted. Then destroy that secret ID."
        return .refused(
            "\(file.description) is of no use any more (\(answer.complaint)). \(suspicion) Wrap a new secret ID and put its "
                + "token in this one's place.")
    }

    /// A member of an answer's `data`.
    private static func member<Value>(
        _ member: String, of answer: VaultAnswer, _ value: (inout JSONReader) throws(SecretError) -> Value
    ) throws(LoginFailure) -> Value {
        var found: Value?
        do throws(SecretError) {
            try answer.read(in: "data") { (json, name) throws(SecretError) in
                if name == member { found = try value(&json) } else { _ = try json.raw("A member") }
            }
        } catch {
            throw .unanswered(error)
        }
        guard let found else { throw .refused("What was wrapped is no secret ID of AppRole: it has no \(member).") }
        return found
    }
}
