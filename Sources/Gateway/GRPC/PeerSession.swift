// Who is at the other end of a connection: worked out once when it is admitted, and looked at again by each call, since
// certificates expire and are revoked while their connections live.

import PosternCore
import PosternGRPCTransport
import PosternIdentity
import PosternPolicy
import PosternProtocol
import Synchronization

/// A connection's caller, as its certificate says.
final class PeerSession: Sendable {
    /// The certificate, or nil if there was none or it could not be read.
    let certificate: PeerCertificate?
    private let admitted: Caller
    private let address: String
    private let revocation: RevocationStore
    /// The generation of revocation lists that the certificate was found good by; 0 for none.
    private let goodBy = Atomic<UInt64>(0)

    /// Works out who a peer is. A peer whose certificate cannot be read is given a session all the same: its calls are
    /// refused and recorded one by one, with an error that says why.
    init(_ peer: RPCPeer, revocation: RevocationStore, allowCommonName: Bool) {
        address = peer.remoteAddress
        self.revocation = revocation
        do throws(SecretError) {
            guard let der = peer.certificateDER else {
                throw SecretError(.unauthenticated, "The connection has no client certificate.")
            }
            let certificate = try PeerCertificate(der: der)
            self.certificate = certificate
            // The common name counts only where there is no better name: it must not lend a certificate a second identity.
            let commonName = allowCommonName && !certificate.isNamed ? certificate.commonName : nil
            admitted = Caller(
                credential: .certificate(
                    CertificateIdentity(
                        spiffeID: certificate.spiffeID, dnsNames: certificate.dnsNames,
                        fingerprint: certificate.fingerprint,
                        commonName: commonName)),
                whenUnknown: certificate.isNamed || commonName != nil ? nil : PeerCertificate.noUsableIdentity,
                address: peer.remoteAddress)
        } catch {
            certificate = nil
            admitted = Caller(
                unauthenticated: error, presented: peer.certificateDER.map(PeerCertificate.fingerprint(of:)),
                address: peer.remoteAddress)
        }
    }

    /// The caller now.
    func caller(at now: Timestamp) -> Caller {
        guard let certificate else { return admitted }
        if certificate.hasExpired(at: now) {
            return refused("expired at \(certificate.notAfter); connect with a new one", certificate)
        }
        let generation = revocation.generation
        if goodBy.load(ordering: .relaxed) != generation {
            if let reason = revocation.current.check(certificate) {
                return refused("is revoked: \(reason)", certificate)
            }
            goodBy.store(generation, ordering: .relaxed)
        }
        return admitted
    }

    private func refused(_ why: String, _ certificate: PeerCertificate) -> Caller {
        Caller(
            unauthenticated: SecretError(.unauthenticated, "The client certificate \(why)."),
            presented: certificate.fingerprint, address: address)
    }
}
