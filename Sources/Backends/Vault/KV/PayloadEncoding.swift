// How a payload becomes a KV v2 secret's `data`, and back. docs/vault-format.md describes it.

import NIOCore
import PosternCoding
import PosternProtocol

/// The JSON object that holds a payload: its fields, where they are text and in the order of their bytes, and nothing else.
/// What plain JSON cannot say is in one more member, ``member``.
enum PayloadEncoding {
    /// The member that says which fields are base64, and in which order fields come.
    static let member = "postern.encoding"
    private static let version = 1
    /// More than any gateway accepts: what others stored is read up to here.
    private static let maximumBytes = 8 << 20

    /// The JSON object of a payload.
    static func encode(_ payload: Payload) -> ByteBuffer {
        let names = payload.fields.map(\.name)
        let isInOrder = zip(names, names.dropFirst()).allSatisfy { Self.precedes($0, $1) }
        let binary = payload.fields.filter { !$0.value.withUnsafeBytes(JSONReader.isUTF8) }.map(\.name)
        let own = payload.fields.first { $0.name == member }

        var json = ByteBuffer()
        json.writeStaticString("{")
        var separator: StaticString = ""
        for field in payload.fields where field.name != member {
            json.writeStaticString(separator)
            JSONStrings.append(field.name.utf8, to: &json)
            json.writeStaticString(":")
            append(field, isBinary: binary.contains(field.name), to: &json)
            separator = ","
        }
        if !isInOrder || !binary.isEmpty || own != nil {
            json.writeStaticString(separator)
            json.writeString("\"\(member)\":{\"version\":\(version)")
            if !isInOrder { append(names, named: "order", to: &json) }
            if !binary.isEmpty { append(binary, named: "base64", to: &json) }
            if let own {
                json.writeStaticString(",\"own\":")
                append(own, isBinary: binary.contains(member), to: &json)
            }
            json.writeStaticString("}")
        }
        json.writeStaticString("}")
        return json
    }

    /// The payload that `data` holds, whoever wrote it.
    /// - Parameters:
    ///   - json: the JSON text of `data`.
    ///   - what: which version of which secret it is, for messages.
    /// - Throws: `integrity_failure` if it is no payload; `too_large`.
    static func decode(_ json: SecretBytes, _ what: String) throws(SecretError) -> Payload {
        guard !json.withUnsafeBytes({ $0.elementsEqual("null".utf8) }) else {
            throw unusable(what, "its data is null", "Write it again, or delete the version.")
        }
        do throws(SecretError) {
            var members: [Member] = []
            var encoding: Encoding?
            try JSONReader.read(json) { (json, name) throws(SecretError) in
                guard name == member else { return members.append(try Member(name, from: &json)) }
                encoding = try Encoding(from: &json)
            }
            return try Payload(try fields(members, encoding ?? Encoding()), maximumBytes: maximumBytes)
        } catch {
            guard error.code == .tooLarge else {
                throw unusable(what, error.message, "Write it again as it should be.")
            }
            throw SecretError(.tooLarge, "\(what) is too large to be read here: \(error.message)")
        }
    }

    private static func unusable(_ what: String, _ why: String, _ advice: String) -> SecretError {
        SecretError(
            .integrityFailure,
            "\(what) is in Vault, but not as a secret that Postern can read; something else stored it so: \(why) \(advice)"
        )
    }

    static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}

// Writing.
extension PayloadEncoding {
    private static func append(_ field: Payload.Field, isBinary: Bool, to json: inout ByteBuffer) {
        field.value.withUnsafeBytes { bytes in
            guard isBinary else { return JSONStrings.append(bytes, to: &json) }
            json.writeStaticString("\"")
            Base64.append(bytes, to: &json)
            json.writeStaticString("\"")
        }
    }

    private static func append(_ names: [String], named list: StaticString, to json: inout ByteBuffer) {
        json.writeStaticString(",\"")
        json.writeStaticString(list)
        json.writeStaticString("\":[")
        for (index, name) in names.enumerated() {
            if index > 0 { json.writeStaticString(",") }
            JSONStrings.append(name.utf8, to: &json)
        }
        json.writeStaticString("]")
    }
}

// Reading.
extension PayloadEncoding {
    /// A member of `data`, whatever its type.
    private struct Member {
        let name: String
        /// A string's text, or the JSON text of anything else.
        let value: SecretBytes
        let isString: Bool

        init(_ name: String, from json: inout JSONReader) throws(SecretError) {
            self.name = name
            isString = json.isAtString
            value = isString ? try json.secret("The field") : SecretBytes(copying: try json.raw("The field"))
        }
    }

    /// What ``member`` holds.
    private struct Encoding {
        var order: [String]?
        var base64: Set<[UInt8]> = []
        var own: Member?

        init() {}

        init(from json: inout JSONReader) throws(SecretError) {
            var isKnown = false
            var read = Encoding()
            try json.object(member) { (json, name) throws(SecretError) in
                switch name {
                case "version":
                    let found = try json.integer("\(member).version")
                    guard found == version else {
                        throw SecretError(
                            .invalidArgument, "\(member).version is \(found); this Postern knows \(version).")
                    }
                    isKnown = true
                case "order": read.order = try Self.names("\(member).order", from: &json)
                case "base64":
                    read.base64 = Set(try Self.names("\(member).base64", from: &json).map { Array($0.utf8) })
                case "own":
                    read.own = try Member(member, from: &json)
                default:
                    throw SecretError(.invalidArgument, "\(member) has an unknown member \"\(shown(name))\".")
                }
            }
            guard isKnown else { throw SecretError(.invalidArgument, "\(member) has no version.") }
            self = read
        }

        private static func names(_ what: String, from json: inout JSONReader) throws(SecretError) -> [String] {
            var names: [String] = []
            try json.array(what) { (json) throws(SecretError) in names.append(try json.string("A name in \(what)")) }
            return names
        }
    }

    /// The fields in their order. Names in the encoding that are no fields (any more) mean nothing, and fields that it does
    /// not name come last: so a secret is readable after Vault's own `kv patch` has added or removed some.
    private static func fields(_ members: [Member], _ encoding: Encoding) throws(SecretError) -> [Payload.Field] {
        var members = members
        if let own = encoding.own { members.append(own) }
        var places: [[UInt8]: Int] = [:]
        for (place, name) in (encoding.order ?? []).enumerated() {
            guard places.updateValue(place, forKey: Array(name.utf8)) == nil else {
                throw SecretError(.invalidArgument, "\(member).order names \"\(shown(name))\" more than once.")
            }
        }
        func place(_ member: Member) -> Int { places[Array(member.name.utf8)] ?? .max }
        members.sort { a, b in
            let (left, right) = (place(a), place(b))
            return left == right ? precedes(a.name, b.name) : left < right
        }
        return try members.map { (member) throws(SecretError) in
            guard encoding.base64.contains(Array(member.name.utf8)) else {
                return Payload.Field(name: member.name, value: member.value)
            }
            guard member.isString else {
                throw SecretError(.invalidArgument, "The field \"\(shown(member.name))\" should be base64.")
            }
            return Payload.Field(
                name: member.name, value: try Base64.decode(member.value, "The field \"\(shown(member.name))\""))
        }
    }
}
