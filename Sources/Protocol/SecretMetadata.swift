// A secret's settings and labels, and changes to them.

/// The settings and labels of a secret, which hold for all its versions.
public struct SecretMetadata: Sendable, Equatable {
    /// How many versions are kept when ``maxVersions`` is 0.
    public static let defaultMaxVersions = 10
    /// The most labels (Vault's limit for custom metadata).
    public static let maximumLabels = 64
    /// The longest label name, in bytes (Vault's limit).
    public static let maximumLabelNameBytes = 128
    /// The longest label value, in bytes (Vault's limit).
    public static let maximumLabelValueBytes = 512

    /// How many versions are kept, 0 meaning ``defaultMaxVersions``. Older ones are removed.
    public var maxVersions: Int
    /// How long after writing a version is soft-deleted by itself, in seconds; 0 means never.
    public var deleteVersionAfterSeconds: Int
    /// Whether every write must say which version it expects.
    public var casRequired: Bool
    /// Labels, text to text.
    public var labels: [String: String]

    /// Makes metadata.
    public init(
        maxVersions: Int = 0, deleteVersionAfterSeconds: Int = 0, casRequired: Bool = false,
        labels: [String: String] = [:]
    ) {
        self.maxVersions = maxVersions
        self.deleteVersionAfterSeconds = deleteVersionAfterSeconds
        self.casRequired = casRequired
        self.labels = labels
    }

    /// How many versions are kept.
    public var keptVersions: Int { maxVersions == 0 ? Self.defaultMaxVersions : maxVersions }
}

/// A change to a secret's metadata: what is nil stays as it is.
public struct MetadataChange: Sendable, Equatable {
    /// How many versions to keep (0 for the default), or nil to leave it.
    public var maxVersions: Int?
    /// How long after writing new versions are soft-deleted, in seconds (0 for never), or nil to leave it.
    public var deleteVersionAfterSeconds: Int?
    /// Whether writes must say which version they expect, or nil to leave it.
    public var casRequired: Bool?
    /// Labels to set, and (with a nil value) to remove; others stay.
    public var labels: [String: String?]

    /// Makes a change.
    public init(
        maxVersions: Int? = nil, deleteVersionAfterSeconds: Int? = nil, casRequired: Bool? = nil,
        labels: [String: String?] = [:]
    ) {
        self.maxVersions = maxVersions
        self.deleteVersionAfterSeconds = deleteVersionAfterSeconds
        self.casRequired = casRequired
        self.labels = labels
    }

    /// The metadata after this change.
    /// - Parameter metadata: the metadata before.
    /// - Throws: `invalid_argument` if a value is outside its limits.
    public func applied(to metadata: SecretMetadata) throws(SecretError) -> SecretMetadata {
        var changed = metadata
        if let maxVersions {
            guard (0...100_000).contains(maxVersions) else {
                throw SecretError(.invalidArgument, "max_versions must be 0 (the default) to 100000.")
            }
            changed.maxVersions = maxVersions
        }
        if let deleteVersionAfterSeconds {
            guard (0...3_155_760_000).contains(deleteVersionAfterSeconds) else {
                throw SecretError(.invalidArgument, "delete_version_after must be 0 (never) to 100 years.")
            }
            changed.deleteVersionAfterSeconds = deleteVersionAfterSeconds
        }
        if let casRequired { changed.casRequired = casRequired }
        for (name, value) in labels { changed.labels[name] = value }
        try Self.check(changed.labels)
        return changed
    }

    private static func check(_ labels: [String: String]) throws(SecretError) {
        guard labels.count <= SecretMetadata.maximumLabels else {
            throw SecretError(.invalidArgument, "A secret may have \(SecretMetadata.maximumLabels) labels.")
        }
        for (name, value) in labels {
            let printable = (name + value).unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
            guard printable else {
                throw SecretError(.invalidArgument, "Labels may not have control characters.")
            }
            guard !name.isEmpty, name.utf8.count <= SecretMetadata.maximumLabelNameBytes else {
                throw SecretError(
                    .invalidArgument,
                    "A label's name must have 1 to \(SecretMetadata.maximumLabelNameBytes) bytes.")
            }
            guard !value.isEmpty, value.utf8.count <= SecretMetadata.maximumLabelValueBytes else {
                throw SecretError(
                    .invalidArgument,
                    "The label \"\(name)\" must have 1 to \(SecretMetadata.maximumLabelValueBytes) bytes of value.")
            }
        }
    }
}
