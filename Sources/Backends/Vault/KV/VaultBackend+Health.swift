// Whether Vault can serve.

import PosternConcurrency
public import PosternProtocol

extension VaultBackend {
    /// How long a look at the servers may take.
    private static let patience: Duration = .seconds(5)

    /// Asks all servers what they are, and the mount for its settings with the token that reads secrets.
    public func health(deadline: Deadline) async -> BackendHealth {
        let deadline = min(deadline, .after(Self.patience))
        do throws(SecretError) {
            try deadline.check("asking Vault whether it is well")
            try await mount.client.checkRoles().value(deadline: deadline, what: "Vault's servers")
            let answer = try await mount.need(.get(mount.settingsURL), deadline: deadline)
            return BackendHealth(isReady: true, detail: "\(answer.node) answers; \(servers)\(tokenText)")
        } catch {
            return BackendHealth(isReady: false, detail: "\(error.message) Servers: \(servers)\(tokenText)")
        }
    }

    /// How the gateway's own token is.
    private var tokenText: String {
        guard let status = tokens?.status else { return "" }
        var text = "; token by \(status.method)"
        if let expiresAt = status.expiresAt { text += " until \(expiresAt)" }
        if !status.isUsable { text += ", none in hand" }
        for note in [status.warning, status.lastError].compactMap({ $0 }) { text += ". \(note)" }
        return text
    }

    /// The servers and what each last said of itself.
    private var servers: String {
        mount.client.nodes.statuses.map { status in
            let version = status.version.map { " \($0)" } ?? ""
            let problem = status.problem.map { " (\($0))" } ?? ""
            return "\(status.address)\(version) \(status.role.rawValue)\(problem)"
        }.joined(separator: ", ")
    }
}
