// The TLS of both front ends, from files and keys in HSMs.

import Logging
import PosternConfiguration
import PosternCore
import PosternIdentity
import PosternProtocol

/// The TLS contexts of both front ends.
struct TLSContexts {
    /// How long an HSM has to answer at start; after that the gateway goes on without.
    private static let patience: Duration = .seconds(5)
    /// How long a handshake on the admin listener waits for a signature.
    private static let adminPatience: Duration = .seconds(10)

    let grpc: ReloadingTLSContext
    let admin: ReloadingTLSContext
    /// The keys that are in HSMs.
    let hsmKeys: [HSMServerKey]

    /// Loads the certificates, keys and authorities. HSMs are not asked yet.
    init(_ configuration: GatewayConfiguration, tokens: Tokens, logger: Logger) throws(SecretError) {
        let (grpc, admin) = (configuration.grpc, configuration.admin)
        var hsmKeys: [HSMServerKey] = []
        func key(_ key: GatewayConfiguration.ServerKey, _ listener: String) throws(SecretError) -> TLSFiles.Key {
            switch key {
            case .file(let path): return .file(path)
            case .pkcs11(let uri):
                let key = try HSMServerKey(uri, listener: listener, tokens: tokens, logger: logger)
                hsmKeys.append(key)
                return .remote(key)
            }
        }
        self.grpc = try ReloadingTLSContext(
            files: TLSFiles(
                certificate: grpc.certificate, key: try key(grpc.key, "grpc"), clientAuthorities: grpc.clientCA,
                minimumVersion: TLSFiles.MinimumVersion(grpc.minimumTLS), applicationProtocols: ["h2"],
                // A little less, so that a signature that does not come is told apart from a client that left.
                signaturePatience: grpc.handshakeTimeout * 3 / 4))
        self.admin = try ReloadingTLSContext(
            files: TLSFiles(
                certificate: admin.certificate, key: try key(admin.keyFile, "admin"), clientAuthorities: nil,
                minimumVersion: TLSFiles.MinimumVersion(admin.minimumTLS), applicationProtocols: ["http/1.1"],
                signaturePatience: Self.adminPatience))
        self.hsmKeys = hsmKeys
    }

    /// Makes sure that keys in HSMs belong to their certificates. One that is away is asked again at the first handshake,
    /// and its own log line says so.
    /// - Throws: `invalid_argument` if one does not.
    func proveKeys() async throws(SecretError) {
        for context in [grpc, admin] {
            do throws(SecretError) {
                try await context.proveKey(deadline: .after(Self.patience))
            } catch {
                if error.code == .invalidArgument { throw error }
            }
        }
    }
}

extension TLSFiles.MinimumVersion {
    fileprivate init(_ version: MinimumTLS) {
        self =
            switch version {
            case .v1_2: .v1_2
            case .v1_3: .v1_3
            }
    }
}
