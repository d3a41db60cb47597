// What a setting is: its key, what it may be, what it is when nobody says, and what it is for.
// Validation, environment names, the typed structures and the reference file all come from these.

import PosternProtocol

/// One setting with the type of its value.
struct Setting<Value: Sendable>: Sendable {
    /// What applies when nobody gives a value.
    enum Absence: Sendable {
        /// This text, as if the file said so.
        case means(String)
        /// There is no value; the text is an example for the reference file.
        case isFine(example: String)
        /// It is an error; the text is an example for the reference file.
        case isAnError(example: String)
    }

    /// The key in dots, as in `grpc.listen`.
    let key: String
    let kind: Kind<Value>
    let absence: Absence
    /// An environment name besides the regular one.
    let alias: String?
    /// What it is for, in one line.
    let purpose: String

    init(_ key: String, _ kind: Kind<Value>, _ absence: Absence, alias: String? = nil, _ purpose: String) {
        self.key = key
        self.kind = kind
        self.absence = absence
        self.alias = alias
        self.purpose = purpose
    }

    /// The setting without its type, as the schema lists it.
    var erased: AnySetting {
        let kind = kind
        return AnySetting(
            key: key, shape: kind.shape, allowed: kind.allowed, isSecret: kind.isSecret,
            absence: AnySetting.Absence(rawValue: absence), alias: alias, purpose: purpose,
            isAllowed: { kind.parse($0) != nil }, objection: kind.objection)
    }
}

/// One setting without the type of its value.
struct AnySetting: Sendable {
    enum Absence: Sendable, Equatable {
        case means(String)
        case isFine(example: String)
        case isAnError(example: String)

        init<Value>(rawValue: Setting<Value>.Absence) {
            switch rawValue {
            case .means(let text): self = .means(text)
            case .isFine(let example): self = .isFine(example: example)
            case .isAnError(let example): self = .isAnError(example: example)
            }
        }
    }

    let key: String
    let shape: Shape
    let allowed: String
    let isSecret: Bool
    let absence: Absence
    let alias: String?
    let purpose: String
    let isAllowed: @Sendable (String) -> Bool
    let objection: @Sendable (String) -> String?

    /// The regular environment name: `POSTERN_` and the key in capitals with underscores for dots.
    var environmentName: String {
        Schema.environmentPrefix + String(key.uppercased().map { $0 == "." ? "_" : $0 })
    }

    /// What is wrong with a text, or nil. Secrets are not repeated.
    func problem(with text: String) -> String? {
        if isAllowed(text) { return nil }
        if let objection = objection(text) { return objection }
        return (isSecret ? "the value" : "\"\(text.prefix(100))\"") + " is not allowed; write \(allowed)."
    }
}

/// How a setting is written in YAML.
enum Shape: Sendable {
    /// Any text, quoted or not.
    case text
    /// A number or a boolean, not quoted.
    case plain
    /// A list of texts.
    case list
    /// A list of mappings of `name` and `sha256`.
    case namedHashes
    /// A list of mappings of one name to one value.
    case namedValues
    /// A list of mappings of names to values.
    case mappings
}
