// What a configuration stores secrets in: the store, and the keys in front of it. The one file that names backends.

import Envelope
import Foundation
import LocalKey
import Logging
import PosternConfiguration
import PosternProtocol
import SQLiteDev

/// The store with what is in front of it, and what has to be closed in the end.
struct Storage {
    /// What the gateway reads and writes.
    let backend: any SecretBackend
    /// The envelope in front of the store, if there is one.
    let envelope: EnvelopeBackend?
    private let sqlite: SQLiteBackend?

    /// Opens the store and the keys.
    init(_ configuration: GatewayConfiguration, clock: any WallClock, logger: Logger) async throws {
        let store: any SecretBackend
        switch configuration.backend.kind {
        case .sqlite:
            let sqlite = try await SQLiteBackend.open(path: configuration.backend.sqlitePath, clock: clock)
            self.sqlite = sqlite
            store = sqlite
        case .vault:
            throw SecretError(.internalError, "The vault backend is not here yet.")
        }
        guard configuration.envelope.enabled else {
            logger.warning("secrets are stored without encryption: envelope.enabled is false")
            backend = store
            envelope = nil
            return
        }
        var wrappers: [any KeyWrapper] = []
        for key in configuration.envelope.keys {
            switch key.origin {
            case .file: wrappers.append(try await Self.fileKey(key.value, for: store))
            case .transit: throw SecretError(.internalError, "Transit is not here yet.")
            }
        }
        let options = EnvelopeOptions(keyLifetime: configuration.envelope.keyCache)
        let envelope = try EnvelopeBackend(store: store, keyWrappers: wrappers, options: options, clock: clock)
        self.envelope = envelope
        backend = envelope
    }

    /// Opens a key file. One that is missing is made only where the store holds no domain key: beside one it is lost or
    /// misplaced, and a new key would split the store between two.
    private static func fileKey(
        _ path: String, for store: any SecretBackend
    ) async throws(SecretError) -> LocalFileKeyWrapper {
        if FileManager.default.fileExists(atPath: path) { return try LocalFileKeyWrapper(path: path) }
        let deadline = Deadline.after(.seconds(10))
        let query = try ListQuery(prefix: PathPrefix(try SecretPath.reserved("keyring")), recursive: true, limit: 1)
        guard try await store.list(query, deadline: deadline).entries.isEmpty else {
            throw SecretError(
                .keyUnavailable,
                "The key file \(path) is missing, but the store holds what was encrypted under it; put it back.")
        }
        return try LocalFileKeyWrapper(path: path, createIfMissing: true)
    }

    /// Closes what was opened.
    func close(logger: Logger) async {
        do {
            try await sqlite?.close()
        } catch {
            logger.error("the store could not be closed", metadata: ["error": "\(error)"])
        }
    }
}
