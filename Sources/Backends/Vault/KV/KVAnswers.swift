// What a KV v2 mount's answers say about secrets and their versions.

import PosternCoding
import PosternProtocol

/// What Vault keeps of one version beside its data.
struct KVVersion: Sendable {
    /// The number, where the answer has it in the same object.
    private(set) var number: Int?
    private(set) var createdAt: VaultTime?
    private(set) var deletedAt: VaultTime?
    private(set) var isDestroyed = false
    /// The secret's custom metadata, where the answer has it in the same object.
    private(set) var labels: [String: String] = [:]

    init(from json: inout JSONReader, _ what: String) throws(SecretError) {
        try json.object(what) { (json, name) throws(SecretError) in
            switch name {
            case "version": number = try json.integer("The version")
            case "created_time": createdAt = try json.time("The creation time")
            case "deletion_time": deletedAt = try json.time("The deletion time")
            case "destroyed": isDestroyed = try json.boolean("destroyed")
            case "custom_metadata": labels = try json.labels()
            default: _ = try json.raw("A member")
            }
        }
    }

    /// The version as the contract describes it.
    /// - Parameter now: what time it is; nil where Vault itself has said that the version can be read.
    func info(number: Int, at now: Timestamp?) throws(SecretError) -> VersionInfo {
        guard let createdAt, number > 0 else {
            throw SecretError(.backendUnavailable, "Vault answered with a version without creation time or number.")
        }
        let deletesAt = deletedAt?.timestamp
        var state = VersionInfo.State.available
        if isDestroyed {
            state = .destroyed
        } else if let deletesAt, let now, deletesAt <= now {
            state = .deleted
        }
        return VersionInfo(
            number: number, etag: Self.etag(number, createdAt), createdAt: createdAt.timestamp, state: state,
            deletesAt: deletesAt)
    }

    /// A version's number and when it was made, to the nanosecond: a secret that was removed and made anew has the numbers
    /// again, but not the times.
    private static func etag(_ number: Int, _ time: VaultTime) -> ETag {
        ETag("\(number)-\(String(time.seconds, radix: 16))-\(String(time.nanoseconds, radix: 16))")
    }
}

/// The answer to reading a version: its `data`, unless it is deleted, and its metadata.
struct KVRead {
    private(set) var json: SecretBytes?
    private(set) var version: KVVersion?

    init(_ answer: VaultAnswer) throws(SecretError) {
        try answer.readData { (reader, name) throws(SecretError) in
            switch name {
            case "data": json = SecretBytes(copying: try reader.raw("data"))
            case "metadata": version = try KVVersion(from: &reader, "metadata")
            default: _ = try reader.raw("A member")
            }
        }
    }
}

/// The answer to reading a secret's metadata.
struct KVMetadata: Sendable {
    /// The current version's number, 0 if there is none yet.
    let current: Int
    let createdAt: VaultTime
    let updatedAt: VaultTime
    let settings: SecretMetadata
    let versions: [Int: KVVersion]
    /// The version of the metadata itself, where the server counts it.
    let metadataVersion: Int?

    init(_ answer: VaultAnswer) throws(SecretError) {
        var (created, updated): (VaultTime?, VaultTime?)
        var (current, metadataVersion): (Int?, Int?)
        var settings = SecretMetadata()
        var versions: [Int: KVVersion] = [:]
        try answer.readData { (json, name) throws(SecretError) in
            switch name {
            case "current_version": current = try json.integer(name)
            case "current_metadata_version": metadataVersion = try json.integer(name)
            case "created_time": created = try json.time(name)
            case "updated_time": updated = try json.time(name)
            case "cas_required": settings.casRequired = try json.boolean(name)
            case "max_versions": settings.maxVersions = try json.integer(name)
            case "custom_metadata": settings.labels = try json.labels()
            case "delete_version_after":
                let text = try json.string(name)
                guard let duration = GoDuration.parse(text) else {
                    throw SecretError(.invalidArgument, "\(name) is no duration.")
                }
                settings.deleteVersionAfterSeconds = duration.secondsRoundedUp
            case "versions":
                try json.object(name) { (json, key) throws(SecretError) in
                    guard let number = Int(key) else { throw SecretError(.invalidArgument, "A version has no number.") }
                    versions[number] = try KVVersion(from: &json, "A version")
                }
            default: _ = try json.raw("A member")
            }
        }
        guard let current, let created, let updated else {
            throw SecretError(
                .backendUnavailable, "\(answer.node) answered without the metadata that it was asked for.")
        }
        self.current = current
        self.createdAt = created
        self.updatedAt = updated
        self.settings = settings
        self.versions = versions
        self.metadataVersion = metadataVersion
    }

    /// The secret as the contract describes it.
    func description(_ path: SecretPath, at now: Timestamp) throws(SecretError) -> SecretDescription {
        var infos: [VersionInfo] = []
        for (number, version) in versions.sorted(by: { $0.key < $1.key }) {
            infos.append(try version.info(number: number, at: now))
        }
        return SecretDescription(
            path: path, currentVersion: current, createdAt: createdAt.timestamp, updatedAt: updatedAt.timestamp,
            metadata: settings, versions: infos)
    }
}

extension VaultAnswer {
    /// Reads the members of `data`, where the answer has any.
    /// - Throws: `backend_unavailable` if the body makes no sense.
    func readData(_ member: (inout JSONReader, String) throws(SecretError) -> Void) throws(SecretError) {
        try read { (json, name) throws(SecretError) in
            guard name == "data", json.isAtObject else {
                _ = try json.raw("A member")
                return
            }
            try json.object("data", member)
        }
    }
}

extension JSONReader {
    /// Reads a point in time; nil for the empty text, which is Vault's word for never.
    fileprivate mutating func time(_ what: String) throws(SecretError) -> VaultTime? {
        let text = try string(what)
        guard !text.isEmpty else { return nil }
        guard let time = VaultTime(text) else { throw SecretError(.invalidArgument, "\(what) is no time (RFC 3339).") }
        return time
    }

    /// Reads custom metadata: texts by name, or null.
    fileprivate mutating func labels() throws(SecretError) -> [String: String] {
        guard !null() else { return [:] }
        var labels: [String: String] = [:]
        try object("custom_metadata") { (json, name) throws(SecretError) in
            labels[name] = try json.string("A value of custom_metadata")
        }
        return labels
    }
}
