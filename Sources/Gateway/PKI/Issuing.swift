// What the CA issues: server certificates for names and addresses, client certificates for principals.

import Crypto
import PosternIdentity
public import PosternProtocol
import SwiftASN1
import X509

extension CertificateAuthority {
    /// The default validity of an issued certificate: 90 days.
    public static let defaultLeafValidity = Duration.seconds(90 * 86_400)

    /// Issues a server certificate with a new P-256 key.
    /// - Parameters:
    ///   - dnsNames: the DNS names that clients connect to; a leading `*.` is allowed.
    ///   - ipAddresses: the IPv4 and IPv6 addresses that clients connect to.
    ///   - validity: how long it is valid from now; never longer than the CA's own certificate.
    /// - Throws: `invalid_argument` for bad names or addresses, or when there are none.
    public func issueServer(
        dnsNames: [String], ipAddresses: [String] = [], validity: Duration = CertificateAuthority.defaultLeafValidity
    ) throws(SecretError) -> IssuedCertificate {
        let names = try Names.server(dnsNames: dnsNames, ipAddresses: ipAddresses)
        return try issue(commonName: names.first, names: names.all, usage: .serverAuth, validity: validity)
    }

    /// Issues a client certificate with a new P-256 key.
    /// - Parameters:
    ///   - spiffeID: the client's SPIFFE ID, as in `spiffe://example.org/billing`.
    ///   - dnsName: the client's DNS name.
    ///   - validity: how long it is valid from now; never longer than the CA's own certificate.
    /// - Throws: `invalid_argument` for bad names, or when there is none.
    public func issueClient(
        spiffeID: String? = nil, dnsName: String? = nil, validity: Duration = CertificateAuthority.defaultLeafValidity
    ) throws(SecretError) -> IssuedCertificate {
        var names: [GeneralName] = []
        var commonName = dnsName
        if let spiffeID {
            let id = try SPIFFEID(spiffeID)
            names.append(.uniformResourceIdentifier(id.text))
            commonName = String(id.path.split(separator: "/").last ?? id.trustDomain)
        }
        if let dnsName { names.append(.dnsName(try Names.dns(dnsName, wildcard: false))) }
        guard let commonName else {
            throw SecretError(.invalidArgument, "A client certificate needs a SPIFFE ID or a DNS name.")
        }
        return try issue(commonName: commonName, names: names, usage: .clientAuth, validity: validity)
    }

    private func issue(
        commonName: String, names: [GeneralName], usage: ExtendedKeyUsage.Usage, validity: Duration
    ) throws(SecretError) -> IssuedCertificate {
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(key.publicKey)
        // The name is for people only: identity is in the alternative names. One too long is cut, not refused.
        let subject = try Names.distinguishedName(commonName: String(commonName.prefix(Names.maximumCommonName)))
        let period = try ValidityPeriod(from: clock.now(), lasting: validity, atMost: notAfter)
        let issuerKeyIdentifier = SubjectKeyIdentifier(hash: certificate.publicKey).keyIdentifier
        let certificate = try CertificateBuilder.sign(
            subject: subject, issuer: certificate.subject, publicKey: publicKey, issuerKey: self.key, validity: period,
            extensions: {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([usage])
                SubjectAlternativeNames(names)
                SubjectKeyIdentifier(hash: publicKey)
                AuthorityKeyIdentifier(keyIdentifier: issuerKeyIdentifier)
            })
        return try IssuedCertificate(certificate: certificate, key: key)
    }
}
