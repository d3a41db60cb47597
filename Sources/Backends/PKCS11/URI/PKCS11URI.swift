// Tokens and keys by name: `pkcs11:` URIs (RFC 7512).

public import PosternProtocol

/// A `pkcs11:` URI (RFC 7512): which token, which object on it, which module, and where the PIN is.
///
/// Every attribute that it has must match; what it does not have matches anything.
public struct PKCS11URI: Sendable, Hashable {
    /// An attribute of the path that tells tokens and libraries apart by text.
    public enum Attribute: String, Sendable, CaseIterable {
        case token
        case manufacturer
        case model
        case serial
        case libraryManufacturer = "library-manufacturer"
        case libraryDescription = "library-description"
        case libraryVersion = "library-version"
        case slotManufacturer = "slot-manufacturer"
        case slotDescription = "slot-description"
    }

    /// The class of an object (the attribute `type`).
    public enum ObjectType: String, Sendable, CaseIterable {
        case publicKey = "public"
        case privateKey = "private"
        case certificate = "cert"
        case secretKey = "secret-key"
        case data
    }

    /// The attributes that tell tokens apart, decoded.
    public internal(set) var attributes: [Attribute: String] = [:]
    /// The slot's number (`slot-id`). Many modules number their slots anew at every start: prefer `serial`.
    public internal(set) var slotID: UInt?
    /// The object's label (`object`).
    public internal(set) var object: String?
    /// The object's identifier (`id`, CKA_ID).
    public internal(set) var id: [UInt8]?
    /// The object's class (`type`).
    public internal(set) var type: ObjectType?
    /// The module's path (`module-path`).
    public internal(set) var modulePath: String?
    /// The module's name in p11-kit's configuration (`module-name`).
    public internal(set) var moduleName: String?
    /// What the module wants to be told when it is initialised (`x-init-args`, an attribute of Postern's own).
    public internal(set) var initArguments: String?
    /// Where the PIN is (`pin-source`).
    public internal(set) var pinSource: PINSource?

    /// Reads a URI.
    /// - Parameter text: as in `pkcs11:token=postern;object=kek?module-path=/usr/lib/softhsm/libsofthsm2.so`.
    /// - Throws: `invalid_argument` for what is not one, for an attribute twice or unknown, and for `pin-value`.
    public init(_ text: String) throws(SecretError) {
        var parser = PKCS11URIParser(text)
        self = try parser.parse()
    }

    init() {}

    /// The part that says which token.
    public var tokenPart: PKCS11URI {
        var part = PKCS11URI()
        part.attributes = attributes
        part.slotID = slotID
        return part
    }
}

extension PKCS11URI: CustomStringConvertible {
    /// The path in one spelling: attributes in a fixed order, percent-encoded. Without module and PIN source.
    public var description: String {
        var parts = Attribute.allCases.compactMap { name in
            attributes[name].map { "\(name.rawValue)=\(Self.encode($0.utf8))" }
        }
        if let slotID { parts.append("slot-id=\(slotID)") }
        if let object { parts.append("object=\(Self.encode(object.utf8))") }
        if let id { parts.append("id=\(Self.encode(id, everything: true))") }
        if let type { parts.append("type=\(type.rawValue)") }
        return "pkcs11:" + parts.joined(separator: ";")
    }

    /// Percent-encodes all but the unreserved characters of RFC 3986, or everything, as is customary for `id`.
    static func encode(_ bytes: some Sequence<UInt8>, everything: Bool = false) -> String {
        bytes.reduce(into: "") { text, byte in
            let character = Character(UnicodeScalar(byte))
            let isUnreserved =
                character.isASCII && (character.isLetter || character.isNumber || "-._~".contains(character))
            text +=
                isUnreserved && !everything ? String(character) : "%" + CollectionOfOne(byte).hexadecimal.uppercased()
        }
    }
}
