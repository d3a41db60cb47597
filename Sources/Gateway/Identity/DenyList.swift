// A file of client certificates and identities that are refused at once, without waiting for a CA.

public import PosternProtocol

/// Fingerprints, serial numbers and SPIFFE IDs that are refused.
///
/// One a line; `#` starts a comment. A fingerprint is the SHA-256 of the certificate, 64 hex digits; a serial
/// number has at most 40 hex digits and is refused whoever issued it; colons between hex digits are ignored, so that
/// what `openssl x509 -noout -fingerprint -sha256 -serial` prints after the `=` can be pasted.
public struct DenyList: Sendable, Equatable {
    /// The longest serial number in bytes (RFC 5280 §4.1.2.2).
    static let maximumSerialBytes = 20

    /// A list that refuses nothing.
    public static let empty = DenyList()

    /// Fingerprints in lower-case hex.
    let fingerprints: Set<String>
    /// Serial numbers, big-endian, without leading zeros.
    let serials: Set<[UInt8]>
    let spiffeIDs: Set<String>

    /// How many entries there are.
    public var count: Int { fingerprints.count + serials.count + spiffeIDs.count }

    private init() {
        fingerprints = []
        serials = []
        spiffeIDs = []
    }

    /// Reads a deny list from a file.
    /// - Parameter file: the file's path.
    /// - Throws: `invalid_argument` if it cannot be read or a line is not understood.
    public init(file: String) throws(SecretError) {
        let bytes = try SmallFile.read(file, what: "Deny list")
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SecretError(.invalidArgument, "Deny list \(file) is not UTF-8 text.")
        }
        try self.init(text: text, name: file)
    }

    /// Parses a deny list.
    /// - Parameters:
    ///   - text: the list.
    ///   - name: what errors call it.
    /// - Throws: `invalid_argument` naming every line that is not understood.
    public init(text: String, name: String) throws(SecretError) {
        var fingerprints = Set<String>()
        var serials = Set<[UInt8]>()
        var spiffeIDs = Set<String>()
        var problems: [String] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let entry = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
            guard !entry.isEmpty else { continue }
            if entry.hasPrefix(SPIFFEID.scheme) {
                do {
                    spiffeIDs.insert(try SPIFFEID(entry).text)
                } catch {
                    problems.append("line \(index + 1): \(error.message)")
                }
            } else if let bytes = Self.bytes(ofHex: entry), bytes.count == 32 {
                fingerprints.insert(bytes.hexadecimal)
            } else if let bytes = Self.bytes(ofHex: entry), bytes.count <= Self.maximumSerialBytes {
                serials.insert(Array(bytes.drop { $0 == 0 }))
            } else {
                problems.append(
                    "line \(index + 1): \(Quoted(entry)) is not a SHA-256 fingerprint (64 hex digits), a serial number "
                        + "(at most 40 hex digits) or a SPIFFE ID.")
            }
        }
        guard problems.isEmpty else {
            throw SecretError(.invalidArgument, "Deny list \(name): " + problems.joined(separator: " "))
        }
        self.fingerprints = fingerprints
        self.serials = serials
        self.spiffeIDs = spiffeIDs
    }

    /// The bytes of hex digits, colons ignored; an odd first digit stands for itself, as in `F01`.
    private static func bytes(ofHex text: String) -> [UInt8]? {
        var digits: [UInt8] = []
        for character in text where character != ":" {
            guard character.isASCII, let digit = character.hexDigitValue else { return nil }
            digits.append(UInt8(digit))
        }
        guard !digits.isEmpty else { return nil }
        if !digits.count.isMultiple(of: 2) { digits.insert(0, at: 0) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
