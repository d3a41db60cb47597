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
    /// The dates that versions had in another store, where the answer has them in the same object.
    private(set) var history = KVHistory()

    init(from json: inout JSONReader, _ what: String) throws(SecretError) {
        try json.object(what) { (json, name) throws(SecretError) in
            switch name {
            case "version": number = try json.integer("The version")
            case "created_time": createdAt = try json.time("The creation time")
            case "deletion_time": deletedAt = try json.time("The deletion time")
            case "destroyed": isDestroyed = try json.boolean("destroyed")
            case "custom_metadata": (labels, history) = try json.labels()
            default: _ = try json.raw("A member")
            }
        }
    }

    /// The version as the contract describes it.
    /// - Parameters:
    ///   - now: what time it is; nil where Vault itself has said that the version can be read.
    ///   - history: the dates that the secret's versions had in another store.
    ///   - clock: tells whether a version is past the time that it had in another store.
    func info(
        number: Int, at now: Timestamp?, _ history: KVHistory = KVHistory(), _ clock: any WallClock = SystemWallClock()
    ) throws(SecretError) -> VersionInfo {
        guard let createdAt, number > 0 else {
            throw SecretError(.backendUnavailable, "Vault answered with a version without creation time or number.")
        }
        let dates = history.versions[number]
        let earlier = dates?.deletion(whereVaultSays: deletedAt)
        let deletesAt = earlier ?? deletedAt?.timestamp
        var state = VersionInfo.State.available
        if isDestroyed {
            state = .destroyed
        } else if let deletesAt, let now = earlier == nil ? now : clock.now(), deletesAt <= now {
            state = .deleted
        }
        return VersionInfo(
            number: number, etag: Self.etag(number, createdAt), createdAt: dates?.created ?? createdAt.timestamp,
            state: state, deletesAt: deletesAt)
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
    /// The dates that the secret and its versions had in another store.
    let history: KVHistory
    /// The version of the metadata itself, where the server counts it.
    let metadataVersion: Int?

    init(_ answer: VaultAnswer) throws(SecretError) {
        var (created, updated): (VaultTime?, VaultTime?)
        var (current, metadataVersion): (Int?, Int?)
        var settings = SecretMetadata()
        var versions: [Int: KVVersion] = [:]
        var history = KVHistory()
        try answer.readData { (json, name) throws(SecretError) in
            switch name {
            case "current_version": current = try json.integer(name)
            case "current_metadata_version": metadataVersion = try json.integer(name)
            case "created_time": created = try json.time(name)
            case "updated_time": updated = try json.time(name)
            case "cas_required": settings.casRequired = try json.boolean(name)
            case "max_versions": settings.maxVersions = try json.integer(name)
            case "custom_metadata": (settings.labels, history) = try json.labels()
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
        self.history = history
        self.metadataVersion = metadataVersion
    }

    /// The secret as the contract describes it.
    func description(_ path: SecretPath, at clock: any WallClock) throws(SecretError) -> SecretDescription {
        let now = clock.now()
        var infos: [VersionInfo] = []
        for (number, version) in versions.sorted(by: { $0.key < $1.key }) {
            infos.append(try version.info(number: number, at: now, history, clock))
        }
        return SecretDescription(
            path: path, currentVersion: current, createdAt: history.created ?? createdAt.timestamp,
            updatedAt: updatedAt.timestamp,
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

    /// Reads custom metadata: texts by name, or null. Some may be Postern's own.
    fileprivate mutating func labels() throws(SecretError) -> ([String: String], KVHistory) {
        guard !null() else { return ([:], KVHistory()) }
        var labels: [String: String] = [:]
        var history = KVHistory()
        try object("custom_metadata") { (json, name) throws(SecretError) in
            let value = try json.string("A value of custom_metadata")
            if KVHistory.isKey(name) { history.read(name, value) } else { labels[name] = value }
        }
        return (labels, history)
    }
}
