// A request for a certificate of a key that stays where it is, as in an HSM (PKCS #10, RFC 2986).

import Crypto
import CryptoExtras
public import PosternProtocol
import SwiftASN1
import X509

import protocol Foundation.DataProtocol

/// A private key elsewhere that signs a request: ECDSA P-256 with SHA-256, P-384 with SHA-384, or RSA PKCS #1 with
/// SHA-256.
public protocol RequestingKey: Sendable {
    /// Signs a message.
    /// - Returns: the signature; of ECDSA in DER.
    func sign(_ message: [UInt8], _ algorithm: CertificateRequest.Algorithm) async throws(SecretError) -> [UInt8]
}

/// Makes requests for server certificates.
public enum CertificateRequest {
    /// How the request is signed.
    public enum Algorithm: Sendable, Hashable {
        case ecdsaSHA256
        case ecdsaSHA384
        case rsaSHA256
    }

    /// Makes a request.
    /// - Parameters:
    ///   - dnsNames: the DNS names that clients connect to.
    ///   - ipAddresses: the addresses that clients connect to.
    ///   - publicKey: the public half, as a DER SubjectPublicKeyInfo.
    ///   - key: signs the request.
    /// - Returns: the request in PEM (RFC 7468 §7).
    /// - Throws: `invalid_argument` for bad names, none, or a key of another kind; what the key throws.
    public static func server(
        dnsNames: [String], ipAddresses: [String], publicKey: [UInt8], key: any RequestingKey
    ) async throws(SecretError) -> String {
        let names = try Names.server(dnsNames: dnsNames, ipAddresses: ipAddresses)
        let subject = try Names.distinguishedName(commonName: String(names.first.prefix(Names.maximumCommonName)))
        do {
            let publicKey = try Certificate.PublicKey(derEncoded: publicKey)
            guard let signer = Signer(publicKey, key) else {
                throw SecretError(
                    .invalidArgument, "The key is of a kind that no request is made for: use P-256, P-384 or RSA.")
            }
            let extensions = try Certificate.Extensions { SubjectAlternativeNames(names.all) }
            let request = try await CertificateSigningRequest(
                version: .v1, subject: subject, asyncPrivateKey: Certificate.PrivateKey(signer),
                attributes: CertificateSigningRequest.Attributes([.init(ExtensionRequest(extensions: extensions))]),
                signatureAlgorithm: signer.defaultSignatureAlgorithm)
            return try request.serializeAsPEM().pemString + "\n"
        } catch let error as SecretError {
            throw error
        } catch {
            throw SecretError(.internalError, "The request could not be made: \(error)")
        }
    }
}

/// The key as the library for certificates wants it.
private struct Signer: CustomPrivateKey {
    let publicKey: Certificate.PublicKey
    let defaultSignatureAlgorithm: Certificate.SignatureAlgorithm
    private let algorithm: CertificateRequest.Algorithm
    private let key: any RequestingKey

    static var defaultPEMDiscriminator: String { "PRIVATE KEY" }

    var supportedSignatureAlgorithms: [Certificate.SignatureAlgorithm] { [defaultSignatureAlgorithm] }

    init?(_ publicKey: Certificate.PublicKey, _ key: any RequestingKey) {
        if P256.Signing.PublicKey(publicKey) != nil {
            (algorithm, defaultSignatureAlgorithm) = (.ecdsaSHA256, .ecdsaWithSHA256)
        } else if P384.Signing.PublicKey(publicKey) != nil {
            (algorithm, defaultSignatureAlgorithm) = (.ecdsaSHA384, .ecdsaWithSHA384)
        } else if _RSA.Signing.PublicKey(publicKey) != nil {
            (algorithm, defaultSignatureAlgorithm) = (.rsaSHA256, .sha256WithRSAEncryption)
        } else {
            return nil
        }
        self.publicKey = publicKey
        self.key = key
    }

    func signSynchronously(
        bytes: some DataProtocol, signatureAlgorithm: Certificate.SignatureAlgorithm
    ) throws -> Certificate.Signature {
        throw SecretError(.internalError, "A key elsewhere cannot be waited for here.")
    }

    func signAsynchronously(
        bytes: some DataProtocol & Sendable, signatureAlgorithm: Certificate.SignatureAlgorithm
    ) async throws -> Certificate.Signature {
        let signature = try await key.sign(Array(bytes), algorithm)
        return try Certificate.Signature(
            signatureAlgorithm: signatureAlgorithm, signatureBytes: ASN1BitString(bytes: signature[...]))
    }

    func serialize(into coder: inout DER.Serializer) throws {
        throw SecretError(.internalError, "A key elsewhere cannot be written down.")
    }

    static func == (a: Signer, b: Signer) -> Bool { a.publicKey == b.publicKey }

    func hash(into hasher: inout Hasher) { hasher.combine(publicKey) }
}
