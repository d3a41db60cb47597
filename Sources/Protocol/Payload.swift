// What one version of a secret holds: an ordered map of field name to bytes.

/// The fields of one version of a secret, in order.
///
/// The usual single value is the field ``valueField``.
public struct Payload: Sendable, Equatable {
    /// One field.
    public struct Field: Sendable, Equatable {
        /// The field's name: not empty, at most ``Payload/maximumNameBytes`` bytes, no control characters.
        public let name: String
        /// The field's bytes.
        public let value: SecretBytes

        /// Makes a field.
        public init(name: String, value: SecretBytes) {
            self.name = name
            self.value = value
        }
    }

    /// The name of the field that holds a secret's usual single value.
    public static let valueField = "value"
    /// The largest payload by default, in bytes: names and values together (1 MiB).
    public static let defaultMaximumBytes = 1 << 20
    /// The longest field name, in bytes.
    public static let maximumNameBytes = 256
    /// The most fields.
    public static let maximumFields = 256

    /// The fields, in the order in which they were given.
    public let fields: [Field]

    /// Makes a payload.
    /// - Parameters:
    ///   - fields: at least one field, each name once.
    ///   - maximumBytes: the most bytes that names and values may take together.
    /// - Throws: `invalid_argument` for bad or repeated names, `too_large` past the limit.
    public init(_ fields: [Field], maximumBytes: Int = Payload.defaultMaximumBytes) throws(SecretError) {
        guard !fields.isEmpty else {
            throw SecretError(.invalidArgument, "A secret needs at least one field; the usual one is \"value\".")
        }
        guard fields.count <= Self.maximumFields else {
            throw SecretError(
                .invalidArgument, "A secret may have \(Self.maximumFields) fields; this one has \(fields.count).")
        }
        var names = Set<String>()
        var total = 0
        for field in fields {
            let length = field.name.utf8.count
            guard length > 0, length <= Self.maximumNameBytes else {
                throw SecretError(.invalidArgument, "A field name must have 1 to \(Self.maximumNameBytes) bytes.")
            }
            guard !field.name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                throw SecretError(.invalidArgument, "A field name may not have control characters.")
            }
            guard names.insert(field.name).inserted else {
                throw SecretError(.invalidArgument, "The field \"\(field.name)\" is given more than once.")
            }
            total += length + field.value.count
        }
        guard total <= maximumBytes else {
            throw SecretError(
                .tooLarge, "The secret has \(total) bytes; at most \(maximumBytes) are allowed.")
        }
        self.fields = fields
    }

    /// Makes a payload of the single field `value`.
    /// - Parameter value: the bytes.
    /// - Throws: `too_large` past ``defaultMaximumBytes``.
    public init(value: SecretBytes) throws(SecretError) {
        try self.init([Field(name: Self.valueField, value: value)])
    }

    /// The bytes of a field, if there is one of that name.
    public subscript(name: String) -> SecretBytes? {
        fields.first { $0.name == name }?.value
    }

    /// The bytes that names and values take together.
    public var byteCount: Int {
        fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.count }
    }
}
