// The store that a configuration names. Of the server's files only this one, KeyAssembly.swift, VaultAssembly.swift,
// Tokens.swift and HSMServerKey.swift name backends.

import Logging
import NIOCore
import PosternConfiguration
import PosternProtocol
import SQLiteDev
import Vault

/// A store as it is, without encryption, and what has to be closed in the end.
struct Store {
    let backend: any HistoryTransferring
    /// The session with Vault, if the store or a key is there.
    let vault: VaultSession?
    private let sqlite: SQLiteBackend?

    /// Opens it.
    init(
        _ configuration: GatewayConfiguration, group: any EventLoopGroup, clock: any WallClock, logger: Logger
    ) async throws(SecretError) {
        vault =
            configuration.usesVault
            ? try VaultSession(configuration.backend.vault, group: group, logger: logger) : nil
        switch configuration.backend.kind {
        case .sqlite:
            let sqlite = try await SQLiteBackend.open(path: configuration.backend.sqlitePath, clock: clock)
            self.sqlite = sqlite
            backend = sqlite
        case .vault:
            guard let vault else { throw SecretError(.internalError, "There is no Vault for the vault backend.") }
            sqlite = nil
            backend = vault.store(mount: configuration.backend.vault.mount, clock: clock)
        }
    }

    /// Closes what was opened.
    func close(logger: Logger) async {
        do {
            try await sqlite?.close()
        } catch {
            logger.error("the store could not be closed", metadata: ["error": "\(error)"])
        }
        await vault?.close()
    }
}

extension SecretBackend {
    /// Whether something was encrypted in front of this store: a domain has a key in it.
    func holdsDomainKeys(deadline: Deadline) async throws(SecretError) -> Bool {
        let query = try ListQuery(prefix: PathPrefix(try SecretPath.reserved("keyring")), recursive: true, limit: 1)
        return try await !list(query, deadline: deadline).entries.isEmpty
    }
}
