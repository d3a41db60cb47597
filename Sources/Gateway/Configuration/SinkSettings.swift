// The list of sinks of the audit log: what each may say of itself, by its kind.

/// How records get to a sink.
public enum SinkKind: String, Sendable, CaseIterable {
    /// RFC 5424 syslog over TCP or TLS.
    case syslog
    /// POST requests.
    case webhook
    /// A file of lines.
    case file
}

/// One sink of the audit log.
public struct SinkSetting: Sendable, Hashable {
    /// What a sink can say of itself.
    enum Member: String, CaseIterable {
        case name, kind, format, from
        case address, transport, hostname
        case structuredDataID = "sd_id"
        case url, body
        case authorizationFile = "authorization_file"
        case hmacKeyFile = "hmac_key_file"
        case path
        case ca, certificate, key

        /// The kinds that it is for.
        var kinds: [SinkKind] {
            switch self {
            case .name, .kind, .format, .from: SinkKind.allCases
            case .address, .transport, .hostname, .structuredDataID: [.syslog]
            case .url, .body, .authorizationFile, .hmacKeyFile: [.webhook]
            case .path: [.file]
            case .ca, .certificate, .key: [.syslog, .webhook]
            }
        }

        var isPath: Bool {
            switch self {
            case .authorizationFile, .hmacKeyFile, .path, .ca, .certificate, .key: true
            default: false
            }
        }

        func allows(_ value: String) -> Bool {
            switch self {
            case .name:
                (1...64).contains(value.utf8.count) && value.first != "." && value.allSatisfy(Self.isNameCharacter)
            case .kind: SinkKind(rawValue: value) != nil
            case .format: ["json", "ocsf", "cef"].contains(value)
            case .from: ["start", "now"].contains(value)
            case .address: ListenAddress(value).map { $0.port > 0 } ?? false
            case .transport: ["tls", "tcp"].contains(value)
            case .hostname: value.utf8.count <= 255 && Kind<String>.word.parse(value) != nil
            case .structuredDataID: value.utf8.count <= 32 && value.utf8.allSatisfy(Self.isIDByte) && !value.isEmpty
            case .url: value.hasPrefix("https://") || value.hasPrefix("http://")
            case .body: ["lines", "array", "splunk", "bulk"].contains(value)
            case .authorizationFile, .hmacKeyFile, .path, .ca, .certificate, .key:
                Kind<WrittenPath>.path.parse(value) != nil
            }
        }

        private static func isNameCharacter(_ character: Character) -> Bool {
            character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character))
        }

        /// SD-NAME of RFC 5424 §6.
        private static func isIDByte(_ byte: UInt8) -> Bool {
            (0x21...0x7E).contains(byte) && !Array("=]\"".utf8).contains(byte)
        }
    }

    private var values: [Member: String]

    /// Reads `member=value;member=value`.
    init?(written text: String) {
        values = [:]
        for part in text.split(separator: ";", omittingEmptySubsequences: false) {
            guard let equals = part.firstIndex(of: "="), let member = Member(rawValue: String(part[..<equals])) else {
                return nil
            }
            let value = String(part[part.index(after: equals)...])
            guard member.allows(value), values.updateValue(value, forKey: member) == nil else { return nil }
        }
        guard values[.name] != nil, values[.kind] != nil else { return nil }
    }

    /// The same with paths that start from where the configuration file is.
    func resolved(_ resolve: (WrittenPath) -> String) -> SinkSetting {
        var result = self
        for (member, value) in values where member.isPath { result.values[member] = resolve(WrittenPath(text: value)) }
        return result
    }

    /// Its name.
    public var name: String { values[.name] ?? "" }
    /// How records get there.
    public var kind: SinkKind { values[.kind].flatMap { SinkKind(rawValue: $0) } ?? .file }
    /// What records look like there: `json`, `ocsf`, `cef`.
    public var format: String { values[.format] ?? "json" }
    /// Whether a new sink is given only what comes from now on.
    public var startsAtEnd: Bool { values[.from] == "now" }
    /// The syslog server.
    public var address: ListenAddress? { values[.address].flatMap { ListenAddress($0) } }
    /// Whether syslog goes over TLS.
    public var isTLS: Bool { values[.transport] != "tcp" }
    /// What syslog messages say they come from; nil for the host's name.
    public var hostname: String? { values[.hostname] }
    /// The SD-ID of the element with a record's place in the log; nil for the default.
    public var structuredDataID: String? { values[.structuredDataID] }
    /// The webhook's URL.
    public var url: String? { values[.url] }
    /// How records are put together in a request: `lines`, `array`, `splunk`, `bulk`.
    public var body: String { values[.body] ?? "lines" }
    /// A file with the value of the header `Authorization`.
    public var authorizationFile: String? { values[.authorizationFile] }
    /// A file with the key of requests' signatures.
    public var hmacKeyFile: String? { values[.hmacKeyFile] }
    /// The file of lines.
    public var path: String? { values[.path] }
    /// A PEM file of the authorities to trust; nil for the system's.
    public var authorities: String? { values[.ca] }
    /// A PEM file with a client certificate.
    public var certificate: String? { values[.certificate] }
    /// Its key's PEM file.
    public var key: String? { values[.key] }

    /// What in it does not go together, to follow its name.
    var contradiction: String? {
        let allowed = Member.allCases.filter { $0.kinds.contains(kind) }
        for member in Member.allCases where values[member] != nil && !allowed.contains(member) {
            let names = allowed.map(\.rawValue).joined(separator: ", ")
            return "has a member \(member.rawValue), which is not for kind \(kind.rawValue): that has \(names)."
        }
        let needed: Member =
            switch kind {
            case .syslog: .address
            case .webhook: .url
            case .file: .path
            }
        if values[needed] == nil { return "needs a member \(needed.rawValue), as it is of kind \(kind.rawValue)." }
        if (certificate == nil) != (key == nil) { return "needs both certificate and key, or none of them." }
        if kind == .syslog, !isTLS, authorities != nil || certificate != nil {
            return "has certificates, which transport tcp does not use; remove them, or use tls."
        }
        return nil
    }
}

extension Kind where Value == [SinkSetting] {
    static var sinks: Kind {
        let kinds = SinkKind.allCases.map(\.rawValue).joined(separator: "|")
        return Kind(
            .mappings,
            allowed:
                "a list of sinks, each {name: …, kind: \(kinds), …} as docs/siem.md has it, each name once, none with "
                + "a comma or a semicolon"
        ) { text in
            let sinks = listItems(text).map { SinkSetting(written: $0) }
            let good = sinks.compactMap { $0 }
            return good.count == sinks.count && Set(good.map(\.name)).count == good.count ? good : nil
        }
    }
}
