// What the command puts on record and shows while it works.

public import PosternProtocol

/// Something that a migration is about to do or has done.
public enum MigrationEvent: Sendable {
    /// A run begins.
    case begins(MigrationRecord)
    /// A secret's copy is about to be changed; nil where it is about to be removed.
    case changes(SecretPath, to: SecretDescription?)
    /// A secret's copy was changed, with these versions written, or could not be.
    case changed(SecretPath, versions: [Int], SecretError?)
    /// The phase is about to change.
    case enters(MigrationRecord.Phase, id: String)
    /// The phase has changed.
    case entered(MigrationRecord.Phase, id: String)
    /// A run ends, with what stopped it if it did not come to its end.
    case ends(MigrationReport, SecretError?)
}

/// Keeps the record of a migration. What cannot be recorded is not done.
public protocol MigrationJournal: Sendable {
    /// Puts something on record, durably.
    /// - Throws: `audit_unavailable` if that is not possible.
    func record(_ event: MigrationEvent) async throws(SecretError)

    /// Shows how far the run is.
    func show(_ progress: MigrationProgress)
}

/// How far a run is.
public struct MigrationProgress: Sendable, Equatable {
    /// What it does: `counting`, `copying`, `verifying`, `draining`.
    public var stage: String
    /// How many secrets it has gone over.
    public var done: Int
    /// How many there are; nil where that is not known.
    public var total: Int?
}
