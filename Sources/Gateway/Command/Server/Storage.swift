// What a configuration stores secrets in: the store, and the keys in front of it. With VaultAssembly.swift, the only file that names
// backends.

import CloudKMS
import Envelope
import Foundation
import LocalKey
import Logging
import NIOCore
import PosternConfiguration
import PosternCore
import PosternProtocol
import SQLiteDev
import Vault

/// The store with what is in front of it, and what has to be closed in the end.
struct Storage {
    /// What the gateway reads and writes.
    let backend: any SecretBackend
    /// The envelope in front of the store, if there is one.
    let envelope: EnvelopeBackend?
    private let sqlite: SQLiteBackend?
    private let vault: VaultSession?

    /// Opens the store and the keys.
    init(
        _ configuration: GatewayConfiguration, group: any EventLoopGroup, clock: any WallClock, logger: Logger
    ) async throws {
        vault =
            configuration.usesVault
            ? try VaultSession(configuration.backend.vault, group: group, logger: logger) : nil
        let store: any SecretBackend
        switch configuration.backend.kind {
        case .sqlite:
            let sqlite = try await SQLiteBackend.open(path: configuration.backend.sqlitePath, clock: clock)
            self.sqlite = sqlite
            store = sqlite
        case .vault:
            guard let vault else { throw SecretError(.internalError, "There is no Vault for the vault backend.") }
            sqlite = nil
            store = vault.store(mount: configuration.backend.vault.mount, clock: clock)
        }
        guard configuration.envelope.enabled else {
            logger.warning("secrets reach the store as they are, without encryption: envelope.enabled is false")
            backend = store
            envelope = nil
            return
        }
        var wrappers: [any KeyWrapper] = []
        for key in configuration.envelope.keys {
            switch key.origin {
            case .file: wrappers.append(try await Self.fileKey(key.value, for: store))
            case .transit:
                guard let vault else { throw SecretError(.internalError, "There is no Vault for Transit.") }
                let slash = key.value.lastIndex(of: "/") ?? key.value.startIndex
                let (mount, name) = (String(key.value[..<slash]), String(key.value[key.value.index(after: slash)...]))
                let deferred = DeferredKeyWrapper(id: "transit:\(key.value)", origin: "transit") {
                    (deadline) throws(SecretError) in
                    try await TransitKeyWrapper.open(vault, key: name, mount: mount, deadline: deadline)
                }
                await Self.prepare(deferred, logger: logger)
                wrappers.append(deferred)
            case .awsKMS: wrappers.append(try await Self.awsKey(key.value, group: group, clock: clock, logger: logger))
            case .gcpKMS:
                wrappers.append(
                    try GCPKMSKeyWrapper(
                        try GCPKMSKeyName(key.value), environment: ProcessInfo.processInfo.environment, group: group,
                        clock: clock))
            }
        }
        var options = EnvelopeOptions(keyLifetime: configuration.envelope.keyCache)
        options.rotateAfter = configuration.envelope.rotateAfter
        options.jobRate = configuration.envelope.reencryptRate
        let envelope = try EnvelopeBackend(store: store, keyWrappers: wrappers, options: options, clock: clock)
        self.envelope = envelope
        backend = envelope
    }

    /// How long a key's home has to answer at start; after that the gateway goes on without, and tries again when it needs it.
    private static let keyPatience: Duration = .seconds(5)

    private static func prepare(_ wrapper: DeferredKeyWrapper, logger: Logger) async {
        await prepare(wrapper, logger: logger) { (deadline) throws(SecretError) in
            try await wrapper.prepare(deadline: deadline)
        }
    }

    private static func prepare(
        _ wrapper: any KeyWrapper, logger: Logger, _ reach: (Deadline) async throws(SecretError) -> Void
    ) async {
        do throws(SecretError) {
            try await reach(.after(keyPatience))
        } catch {
            logger.error(
                "a key-encryption key cannot be used now; the gateway starts without, and tries again when it is needed",
                metadata: ["key": "\(wrapper.descriptor.id)", "error": "\(error)"])
        }
    }

    /// A key of AWS KMS, with the domain as what CloudTrail shows of it.
    private static func awsKey(
        _ name: String, group: any EventLoopGroup, clock: any WallClock, logger: Logger
    ) async throws(SecretError) -> AWSKMSKeyWrapper {
        let wrapper = try AWSKMSKeyWrapper(
            try AWSKMSKeyName(name), environment: ProcessInfo.processInfo.environment, group: group, clock: clock,
            label: DomainKeyBinding.domain(of:))
        await prepare(wrapper, logger: logger) { (deadline) throws(SecretError) in
            try await wrapper.resolve(deadline: deadline)
        }
        return wrapper
    }

    /// What metrics show of it.
    var gauges: [Gauge] { vault?.gauges ?? [] }

    /// Opens a key file. One that is missing is made only where the store holds no domain key: beside one it is lost or
    /// misplaced, and a new key would split the store between two.
    static func fileKey(
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
        await vault?.close()
    }
}
