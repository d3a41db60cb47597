// How far a migration is: a small record in the source store, changed by compare-and-set, on which all gateways agree.

import PosternCoding
public import PosternProtocol

/// A migration from one store to another.
public struct MigrationRecord: Codable, Sendable, Equatable {
    /// Which store decides.
    public enum Phase: String, Codable, Sendable, CaseIterable {
        /// The source decides; what is written there is copied to the target.
        case copying
        /// The source answers reads; writes are refused until what was written last is copied and checked.
        case draining
        /// The target decides, for good.
        case cutOver = "cut_over"
        /// The source decides, as if there had been no migration.
        case aborted
    }

    /// Which of the two stores a record is in.
    public enum Role: String, Codable, Sendable {
        /// Where secrets come from: the record that counts.
        case source
        /// Where they go to: says which migration this store belongs to, and that it was cut over.
        case target
    }

    /// The command at work, and until when others keep off.
    struct Lease: Codable, Equatable {
        var run: String
        var expiresAt: Timestamp
    }

    /// The migration's id: another one for each attempt.
    public var id: String
    /// Which of the two stores the record is in.
    public var role: Role
    /// Which store decides.
    public var phase: Phase
    /// The source, for people.
    public var source: String
    /// The target, for people.
    public var target: String
    /// When it began.
    public var startedAt: Timestamp
    /// When the phase last changed.
    public var changedAt: Timestamp
    /// The path up to which everything has been copied once; nil at the beginning.
    public var copiedThrough: String?
    /// Whether everything has been copied once.
    public var isCopied = false
    var lease: Lease?
}

/// The records of a migration in one store: its state, and marks of secrets whose copy may not be up to date.
///
/// They are under `.postern/migration`. The store is the one behind any encryption: Postern's own records are not
/// encrypted, and these hold names only.
public struct MigrationRecords: Sendable {
    let store: any SecretBackend

    /// Makes access to a store's records.
    public init(store: any SecretBackend) { self.store = store }

    private static var statePath: SecretPath {
        get throws(SecretError) { try .reserved("migration/state") }
    }

    private static var marks: SecretPath {
        get throws(SecretError) { try .reserved("migration/marks") }
    }

    /// The migration that the store takes part in, if any.
    public func read(deadline: Deadline) async throws(SecretError) -> MigrationRecord? {
        try await versioned(deadline: deadline)?.value
    }

    func versioned(deadline: Deadline) async throws(SecretError) -> (value: MigrationRecord, version: Int)? {
        try await StoredJSON.read(MigrationRecord.self, Self.statePath, from: store, deadline: deadline)
    }

    func write(_ record: MigrationRecord, after version: Int, deadline: Deadline) async throws(SecretError) -> Int {
        try await StoredJSON.write(record, Self.statePath, after: version, to: store, deadline: deadline)
    }

    /// A note that the copy of a secret may not be up to date.
    struct Mark: Codable, Sendable {
        var path: String
    }

    /// Marks a secret, under a name of its own, so that nobody removes another's mark.
    /// - Returns: the mark's path.
    func mark(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretPath {
        let name = String(UInt128.random(in: 0...UInt128.max), radix: 16)
        let place = try SecretPath.reserved("migration/marks/\(name)")
        _ = try await StoredJSON.write(Mark(path: path.text), place, after: 0, to: store, deadline: deadline)
        return place
    }

    /// Removes a mark.
    func unmark(_ mark: SecretPath, deadline: Deadline) async throws(SecretError) {
        do throws(SecretError) {
            try await store.remove(mark, deadline: deadline)
        } catch  where error.code == .notFound {
            // Removed already.
        }
    }

    /// A page of the marks that there are, with the secrets they are about.
    func marks(
        after cursor: String?, deadline: Deadline
    ) async throws(SecretError) -> (marks: [(place: SecretPath, secret: SecretPath)], next: String?) {
        let page = try await store.list(
            ListQuery(prefix: PathPrefix(Self.marks), after: cursor, limit: 256), deadline: deadline)
        var marks: [(place: SecretPath, secret: SecretPath)] = []
        for case .secret(let place) in page.entries {
            guard let found = try await StoredJSON.read(Mark.self, place, from: store, deadline: deadline) else {
                continue
            }
            marks.append((place, try SecretPath(found.value.path)))
        }
        return (marks, page.next)
    }
}
