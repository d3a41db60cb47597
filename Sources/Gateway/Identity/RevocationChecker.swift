// Whether a client certificate that TLS accepted is refused all the same.

public import PosternProtocol

/// Why a certificate is refused.
public enum Revocation: Sendable, Equatable, CustomStringConvertible {
    /// Its CA revoked it.
    case revoked(issuer: String, serial: String, at: Timestamp)
    /// The deny list names its fingerprint.
    case deniedFingerprint(String)
    /// The deny list names its serial number.
    case deniedSerial(String)
    /// The deny list names its SPIFFE ID.
    case deniedSPIFFEID(String)

    /// The reason in one sentence.
    public var description: String {
        switch self {
        case .revoked(let issuer, let serial, let time):
            "The client certificate with serial number \(serial) was revoked by \(issuer) at \(time)."
        case .deniedFingerprint(let fingerprint): "The client certificate \(fingerprint) is on the deny list."
        case .deniedSerial(let serial): "The client certificate's serial number \(serial) is on the deny list."
        case .deniedSPIFFEID(let id): "The SPIFFE ID \(id) is on the deny list."
        }
    }
}

/// Checks certificates against revocation lists and the deny list. A value: to reload, make a new one.
public struct RevocationChecker: Sendable {
    /// The revocation lists.
    public let lists: [RevocationList]
    /// The deny list.
    public let denyList: DenyList

    /// Makes a checker.
    /// - Parameters:
    ///   - lists: revocation lists whose signatures are checked; one CA may have several, and all count.
    ///   - denyList: what is refused besides.
    public init(lists: [RevocationList] = [], denyList: DenyList = .empty) {
        self.lists = lists
        self.denyList = denyList
    }

    /// Loads everything from files.
    /// - Parameters:
    ///   - revocationFiles: files of revocation lists.
    ///   - denyFile: the deny list's file.
    ///   - authorities: the CAs that may have signed the lists.
    ///   - allowExpired: whether overdue lists are used all the same.
    ///   - now: the time that expiry is judged at.
    /// - Throws: `invalid_argument` naming the file and what is wrong with it.
    public init(
        revocationFiles: [String], denyFile: String?, authorities: ClientAuthorities, allowExpired: Bool = false,
        now: Timestamp
    ) throws(SecretError) {
        var lists: [RevocationList] = []
        for file in revocationFiles {
            lists += try RevocationList.load(
                file: file, authorities: authorities, allowExpired: allowExpired, now: now)
        }
        self.lists = lists
        denyList = if let denyFile { try DenyList(file: denyFile) } else { .empty }
    }

    /// When the first of the lists is due to be replaced, if any says so.
    public var nextUpdate: Timestamp? { lists.compactMap(\.nextUpdate).min() }

    /// Says why a certificate is refused, or nil if it is not.
    public func check(_ certificate: PeerCertificate) -> Revocation? {
        if denyList.fingerprints.contains(certificate.fingerprint) {
            return .deniedFingerprint(certificate.fingerprint)
        }
        if denyList.serials.contains(certificate.serial) {
            return .deniedSerial(certificate.serialHex)
        }
        if let id = certificate.spiffeID, denyList.spiffeIDs.contains(id) {
            return .deniedSPIFFEID(id)
        }
        for list in lists {
            // The serial first: few are revoked, and comparing names costs more.
            if let time = list.revoked[certificate.serial], isSameName(list.issuerDER, certificate.issuerDER) {
                return .revoked(issuer: list.issuer, serial: certificate.serialHex, at: time)
            }
        }
        return nil
    }
}
