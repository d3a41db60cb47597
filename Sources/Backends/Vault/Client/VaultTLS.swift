// How connections to Vault are verified.

import NIOSSL
import PosternProtocol

/// TLS towards Vault, in the terms of Vault's own environment variables.
public struct VaultTLS: Sendable {
    /// A PEM file of the authorities to trust (`VAULT_CACERT`).
    public var authorities: String?
    /// A folder of PEM files of the authorities to trust (`VAULT_CAPATH`); not used where ``authorities`` is given.
    public var authoritiesFolder: String?
    /// The gateway's own certificate (`VAULT_CLIENT_CERT`).
    public var clientCertificate: String?
    /// Its key (`VAULT_CLIENT_KEY`).
    public var clientKey: String?
    /// The name that the server's certificate must have, where it is not the address's host (`VAULT_TLS_SERVER_NAME`).
    public var serverName: String?
    /// Whether the server's certificate is looked at at all. Never false outside development.
    public var isVerified = true

    /// TLS that trusts the system's authorities.
    public init() {}

    /// The configuration that this means.
    /// - Throws: `invalid_argument` naming the file that cannot be used.
    func configuration() throws(SecretError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.trustRoots = try roots()
        if !isVerified { configuration.certificateVerification = .none }
        guard let clientCertificate else { return configuration }
        guard let clientKey else {
            throw SecretError(
                .invalidArgument, "There is a client certificate for Vault but no key; set VAULT_CLIENT_KEY too.")
        }
        do {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(clientCertificate)
                .map { .certificate($0) }
        } catch {
            throw Self.unusable(clientCertificate, "a certificate in PEM")
        }
        do {
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: clientKey, format: .pem))
        } catch {
            throw Self.unusable(clientKey, "a private key in PEM")
        }
        return configuration
    }

    private func roots() throws(SecretError) -> NIOSSLTrustRoots {
        if let authorities {
            do {
                return .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
            } catch {
                throw Self.unusable(authorities, "certificates in PEM")
            }
        }
        guard let authoritiesFolder else { return .default }
        do {
            let files = try PEMFolder.files(in: authoritiesFolder)
            let certificates = try files.flatMap { try NIOSSLCertificate.fromPEMFile($0) }
            guard !certificates.isEmpty else {
                throw Self.unusable(authoritiesFolder, "a folder of certificates in PEM")
            }
            return .certificates(certificates)
        } catch let error as SecretError {
            throw error
        } catch {
            throw Self.unusable(authoritiesFolder, "a folder of certificates in PEM")
        }
    }

    private static func unusable(_ file: String, _ what: String) -> SecretError {
        SecretError(.invalidArgument, "\(file) cannot be used for TLS to Vault: it must be \(what), and readable.")
    }
}
