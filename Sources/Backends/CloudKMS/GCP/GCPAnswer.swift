// What Google Cloud KMS answers to encrypt and decrypt, and whether it arrived whole.

import PosternCoding
import PosternProtocol

struct GCPAnswer {
    /// The ciphertext or plaintext.
    let payload: SecretBytes
    /// Whether Google got the plaintext as it was sent.
    private(set) var isPlaintextVerified = false
    /// Whether Google got the associated data as it was sent.
    private(set) var isBindingVerified = false
    /// The number of the key's version that did it; empty where that is not said.
    private(set) var version = ""
    private var checksum: Int?

    /// Whether the payload is what Google sent.
    var isPayloadWhole: Bool { checksum == Int(CRC32C.checksum(payload)) }

    /// Reads an answer.
    /// - Parameter payload: the name of the member that matters.
    /// - Throws: `invalid_argument` saying what is wrong with it.
    init(_ answer: CloudAnswer, payload name: String) throws(SecretError) {
        var payload: SecretBytes?
        var checksum: Int?
        var isPlaintextVerified = false
        var isBindingVerified = false
        var version = ""
        try answer.read { (json, member) throws(SecretError) in
            switch member {
            case name: payload = try Base64.decode(try json.secret(member), member)
            // A 64-bit number, which JSON carries as a string.
            case name + "Crc32c": checksum = json.isAtString ? Int(try json.string(member)) : try json.integer(member)
            case "verifiedPlaintextCrc32c": isPlaintextVerified = try json.boolean(member)
            case "verifiedAdditionalAuthenticatedDataCrc32c": isBindingVerified = try json.boolean(member)
            case "name": version = Self.version(of: try json.string(member))
            default: _ = try json.raw("A member")
            }
        }
        guard let payload, payload.count > 0 else {
            throw SecretError(.invalidArgument, "The body has no \(name).")
        }
        self.payload = payload
        self.checksum = checksum
        self.isPlaintextVerified = isPlaintextVerified
        self.isBindingVerified = isBindingVerified
        self.version = version
    }

    /// The last part of `…/cryptoKeyVersions/1`.
    private static func version(of name: String) -> String {
        let last = name.split(separator: "/").last ?? ""
        return (1...20).contains(last.count) && last.allSatisfy { ("0"..."9").contains($0) } ? String(last) : ""
    }
}
