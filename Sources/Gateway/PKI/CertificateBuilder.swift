// The parts that every certificate shares: serial number, validity, signature.

import Crypto
import PosternProtocol
import X509

import struct Foundation.Date

/// Signs certificates.
enum CertificateBuilder {
    static func sign(
        subject: DistinguishedName, issuer: DistinguishedName, publicKey: Certificate.PublicKey,
        issuerKey: P256.Signing.PrivateKey, validity: ValidityPeriod,
        @ExtensionsBuilder extensions: () throws -> Result<Certificate.Extensions, any Error>
    ) throws(SecretError) -> Certificate {
        do {
            return try Certificate(
                version: .v3, serialNumber: randomSerial(), publicKey: publicKey,
                notValidBefore: validity.notBefore, notValidAfter: validity.notAfter, issuer: issuer, subject: subject,
                signatureAlgorithm: .ecdsaWithSHA256, extensions: Certificate.Extensions(builder: extensions),
                issuerPrivateKey: Certificate.PrivateKey(issuerKey))
        } catch {
            throw SecretError(.internalError, "The certificate could not be made: \(error)")
        }
    }

    /// 128 random bits: unguessable, and within the 20 bytes of RFC 5280 §4.1.2.2.
    private static func randomSerial() -> Certificate.SerialNumber {
        var generator = SystemRandomNumberGenerator()
        return Certificate.SerialNumber(generator.next() as UInt128)
    }
}

/// From when to when a certificate is valid, in whole seconds.
struct ValidityPeriod {
    /// How far back a certificate's start lies, so that a peer whose clock is behind accepts it at once.
    static let backdating = Duration.seconds(5 * 60)
    /// The longest validity: beyond it dates would leave what X.509 can hold.
    static let maximum = Duration.seconds(100 * 366 * 86_400)

    let notBefore: Date
    let notAfter: Date

    init(from now: Timestamp, lasting validity: Duration, atMost limit: Timestamp? = nil) throws(SecretError) {
        guard validity >= .seconds(1), validity <= Self.maximum else {
            throw SecretError(.invalidArgument, "A certificate's validity must be between one second and 100 years.")
        }
        let end = now.advanced(by: validity)
        notBefore = Date(now.advanced(by: .zero - Self.backdating))
        notAfter = Date(limit.map { min($0, end) } ?? end)
    }
}

extension Date {
    /// The whole second that a point in time lies in.
    init(_ timestamp: Timestamp) {
        let (seconds, rest) = timestamp.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        self.init(timeIntervalSince1970: Double(rest < 0 ? seconds - 1 : seconds))
    }

    /// The point in time; dates in certificates are whole seconds.
    var timestamp: Timestamp { Timestamp(seconds: Int64(timeIntervalSince1970)) }
}
