// What a configuration stores secrets in: the store, and the encryption in front of it.

import Envelope
import Logging
import NIOCore
import PosternConfiguration
import PosternCore
import PosternProtocol

/// The store with what is in front of it, and what has to be closed in the end.
struct Storage {
    /// What the gateway reads and writes.
    let backend: any SecretBackend
    /// The envelope in front of the store, if there is one.
    let envelope: EnvelopeBackend?
    /// The store behind the envelope.
    let store: Store

    /// Opens the store and the keys.
    init(
        _ configuration: GatewayConfiguration, tokens: Tokens, group: any EventLoopGroup, clock: any WallClock,
        logger: Logger
    ) async throws {
        store = try await Store(configuration, group: group, clock: clock, logger: logger)
        guard configuration.envelope.enabled else {
            logger.warning("secrets reach the store as they are, without encryption: envelope.enabled is false")
            backend = store.backend
            envelope = nil
            return
        }
        let keys = KeyAssembly(store: store, tokens: tokens, group: group, clock: clock, logger: logger)
        var wrappers: [any KeyWrapper] = []
        for key in configuration.envelope.keys { wrappers.append(try await keys.wrapper(key)) }
        var options = EnvelopeOptions(keyLifetime: configuration.envelope.keyCache)
        options.rotateAfter = configuration.envelope.rotateAfter
        options.jobRate = configuration.envelope.reencryptRate
        let envelope = try EnvelopeBackend(store: store.backend, keyWrappers: wrappers, options: options, clock: clock)
        self.envelope = envelope
        backend = envelope
    }

    /// What metrics show of it.
    var gauges: [Gauge] { store.vault?.gauges ?? [] }

    /// Closes what was opened.
    func close(logger: Logger) async { await store.close(logger: logger) }
}
