// Certificate revocation lists (CRLs, RFC 5280 §5): read, signature-checked, and turned into a plain
// table that answers whether a certificate is revoked.

public import PosternProtocol
import SwiftASN1
import X509

/// One certificate revocation list whose signature has been checked.
public struct RevocationList: Sendable {
    /// How far in the future a list's start may lie, for clocks that disagree.
    static let allowedSkew = Duration.seconds(5 * 60)

    /// The file it came from.
    public let file: String
    /// The issuing CA's distinguished name, for people.
    public let issuer: String
    /// When it was issued.
    public let thisUpdate: Timestamp
    /// When the next one was due, if it says so.
    public let nextUpdate: Timestamp?
    /// When each revoked serial number (big-endian, no leading zeros) was revoked.
    let revoked: [[UInt8]: Timestamp]
    let issuerDER: [UInt8]

    /// How many certificates it revokes.
    public var count: Int { revoked.count }

    /// Whether a newer list was due before a time. A list that does not say when counts as overdue.
    public func isExpired(at time: Timestamp) -> Bool { nextUpdate.map { $0 < time } ?? true }

    /// Reads the lists in a file: PEM (RFC 7468 §6), one or several, or one in DER.
    /// - Parameters:
    ///   - file: the file's path.
    ///   - authorities: the CAs of which one must have signed each list.
    ///   - allowExpired: whether a list whose next update is overdue is used all the same. Warn about it then
    ///     (see ``isExpired(at:)``): certificates revoked since are not in it.
    ///   - now: the time that expiry is judged at.
    /// - Throws: `invalid_argument` if the file does not parse, a signature does not verify, a list is expired or
    ///   not yet valid, or it is of a kind that cannot be used (delta, indirect, unknown critical extension).
    public static func load(
        file: String, authorities: ClientAuthorities, allowExpired: Bool = false, now: Timestamp
    ) throws(SecretError) -> [RevocationList] {
        let bytes = try SmallFile.read(file, what: "Revocation list")
        var lists: [RevocationList] = []
        for der in try encodings(in: bytes, file: file) {
            let list = try RevocationList(der: der, file: file, authorities: authorities)
            if let problem = list.timeProblem(allowExpired: allowExpired, now: now) {
                throw SecretError(.invalidArgument, "Revocation list \(file) (of \(list.issuer)) \(problem)")
            }
            lists.append(list)
        }
        return lists
    }

    init(der: [UInt8], file: String, authorities: ClientAuthorities) throws(SecretError) {
        guard let parsed = ParsedCRL(der: der) else {
            throw SecretError(.invalidArgument, "Revocation list \(file) does not parse as an X.509 CRL.")
        }
        func refuse(_ why: String) -> SecretError {
            SecretError(.invalidArgument, "Revocation list \(file) (of \(parsed.issuerText)) \(why)")
        }
        try Self.checkSignature(of: parsed, authorities: authorities, refuse: refuse)
        if let problem = parsed.unusableExtension() { throw refuse(problem) }
        guard let thisUpdate = parsed.thisUpdate, let revoked = parsed.revoked() else {
            throw refuse("has a malformed date or entry.")
        }
        self.file = file
        self.issuer = parsed.issuerText
        self.issuerDER = parsed.issuerDER
        self.thisUpdate = thisUpdate
        self.nextUpdate = parsed.nextUpdate
        self.revoked = revoked
    }

    private static func checkSignature(
        of list: ParsedCRL, authorities: ClientAuthorities, refuse: (String) -> SecretError
    ) throws(SecretError) {
        var named = false
        for (certificate, der) in zip(authorities.certificates, authorities.der) where list.isIssued(by: der) {
            named = true
            let usage: KeyUsage?
            do {
                usage = try certificate.extensions.keyUsage
            } catch {
                throw refuse("cannot be checked: its issuer's key usage is malformed.")
            }
            // RFC 5280 §6.3.3 (f): where a CA's key usage is stated, it must include signing CRLs.
            guard usage?.cRLSign ?? true else { continue }
            if list.verifies(withKeyOf: der) { return }
        }
        throw refuse(
            named
                ? "is not signed by that CA, or that CA may not sign revocation lists."
                : "is from a CA that is not in the client CA file; add that CA's certificate there.")
    }

    private func timeProblem(allowExpired: Bool, now: Timestamp) -> String? {
        if thisUpdate > now.advanced(by: Self.allowedSkew) {
            return "is not valid before \(thisUpdate); check the clocks."
        }
        guard isExpired(at: now), !allowExpired else { return nil }
        let since = nextUpdate.map { "expired at \($0)" } ?? "does not say when the next one is due"
        return "\(since); install a newer one, or set grpc.crl_allow_expired to use it with a warning."
    }

    private static func encodings(in bytes: [UInt8], file: String) throws(SecretError) -> [[UInt8]] {
        // DER starts with the tag of a SEQUENCE (0x30, the digit zero), text never with that byte and a length.
        guard let text = String(validating: bytes, as: UTF8.self), text.contains("-----BEGIN ") else { return [bytes] }
        do {
            let found = try PEMDocument.parseMultiple(pemString: text)
                .filter { $0.discriminator == "X509 CRL" }.map(\.derBytes)
            guard !found.isEmpty else {
                throw SecretError(.invalidArgument, "Revocation list \(file) has no PEM block \"X509 CRL\".")
            }
            return found
        } catch let error as SecretError {
            throw error
        } catch {
            throw SecretError(.invalidArgument, "Revocation list \(file) is not valid PEM: \(error)")
        }
    }
}
