// What backends say about secrets: versions, etags, descriptions, pages.

/// An opaque mark of one version's content that is never used again, not even after the secret is
/// removed and created anew. Conditional reads and watchers compare etags, not version numbers.
public struct ETag: Hashable, Sendable, CustomStringConvertible {
    /// The mark as text: 1–128 bytes of visible ASCII without quotes, so that it fits an HTTP header.
    public let text: String

    /// Makes an etag.
    public init(_ text: String) {
        self.text = text
    }

    /// The mark as text.
    public var description: String { text }
}

/// One version of a secret, without its payload.
public struct VersionInfo: Sendable, Equatable {
    /// Whether the version can be read.
    public enum State: String, Sendable, CaseIterable {
        /// Readable.
        case available
        /// Soft-deleted, or past its `deletesAt`; can be undeleted.
        case deleted
        /// Its data is gone for good.
        case destroyed
    }

    /// The version's number, from 1.
    public let number: Int
    /// The version's etag.
    public let etag: ETag
    /// When it was written.
    public let createdAt: Timestamp
    /// Whether it can be read now.
    public let state: State
    /// When it was or will be soft-deleted, if that is known.
    public let deletesAt: Timestamp?

    /// Makes a version's description.
    public init(number: Int, etag: ETag, createdAt: Timestamp, state: State, deletesAt: Timestamp? = nil) {
        self.number = number
        self.etag = etag
        self.createdAt = createdAt
        self.state = state
        self.deletesAt = deletesAt
    }
}

/// One version of a secret with its payload, as read.
public struct SecretVersion: Sendable, Equatable {
    /// What a store said, shared rather than copied: a cached version is handed out a hundred thousand times a second.
    private final class Content: Sendable {
        let path: SecretPath
        let info: VersionInfo
        let payload: Payload
        let labels: [String: String]

        init(path: SecretPath, info: VersionInfo, payload: Payload, labels: [String: String]) {
            self.path = path
            self.info = info
            self.payload = payload
            self.labels = labels
        }
    }

    private let content: Content
    /// Where the answer came from; a store always says ``Freshness/live``, a cache says otherwise.
    public let freshness: Freshness

    /// Makes a version as read.
    public init(
        path: SecretPath, info: VersionInfo, payload: Payload, labels: [String: String], freshness: Freshness = .live
    ) {
        content = Content(path: path, info: info, payload: payload, labels: labels)
        self.freshness = freshness
    }

    private init(_ content: Content, _ freshness: Freshness) {
        self.content = content
        self.freshness = freshness
    }

    /// The secret's path.
    public var path: SecretPath { content.path }
    /// Which version this is.
    public var info: VersionInfo { content.info }
    /// Its fields.
    public var payload: Payload { content.payload }
    /// The secret's labels.
    public var labels: [String: String] { content.labels }

    /// The same version, served otherwise.
    public func served(_ freshness: Freshness) -> SecretVersion {
        SecretVersion(content, freshness)
    }

    /// Compares what the store said and where the answer came from.
    public static func == (a: SecretVersion, b: SecretVersion) -> Bool {
        a.freshness == b.freshness && a.path == b.path && a.info == b.info && a.labels == b.labels
            && a.payload == b.payload
    }
}

/// A secret without its payloads.
public struct SecretDescription: Sendable, Equatable {
    /// The secret's path.
    public let path: SecretPath
    /// The number of the newest version, readable or not.
    public let currentVersion: Int
    /// When the secret was first written (since its last removal).
    public let createdAt: Timestamp
    /// When a version was last written or the metadata last changed.
    public let updatedAt: Timestamp
    /// The secret's settings and labels.
    public let metadata: SecretMetadata
    /// The versions that are kept, oldest first, destroyed ones included.
    public let versions: [VersionInfo]

    /// Makes a description.
    public init(
        path: SecretPath, currentVersion: Int, createdAt: Timestamp, updatedAt: Timestamp,
        metadata: SecretMetadata, versions: [VersionInfo]
    ) {
        self.path = path
        self.currentVersion = currentVersion
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.metadata = metadata
        self.versions = versions
    }
}

/// A page of a list.
public struct SecretList: Sendable, Equatable {
    /// One line of a list.
    public enum Entry: Sendable, Equatable, Hashable {
        /// A secret.
        case secret(SecretPath)
        /// Something below which there are secrets; only in lists that are not recursive.
        case folder(PathPrefix)

        /// The key that lists are ordered and paged by: the path's text; a folder's ends with a slash.
        public var key: String {
            switch self {
            case .secret(let path): path.text
            case .folder(let prefix): prefix.stem
            }
        }
    }

    /// The entries, ordered by the bytes of their ``Entry/key``.
    public let entries: [Entry]
    /// Where the next page starts (give it as `after`), or nil when this was the last.
    public let next: String?

    /// Makes a page.
    public init(entries: [Entry], next: String?) {
        self.entries = entries
        self.next = next
    }
}
