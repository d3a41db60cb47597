// What a migration did and found: counts, digests and differences, never values.

public import PosternProtocol

/// The outcome of a run of the command.
public struct MigrationReport: Codable, Sendable, Equatable {
    /// A secret that is not the same on both sides.
    public struct Difference: Codable, Sendable, Equatable {
        /// The secret.
        public var path: String
        /// In what it differs, without values.
        public var what: [String]
    }

    /// The migration's id; nil in a dry run.
    public var id: String?
    /// The source.
    public var source: String
    /// The target.
    public var target: String
    /// When the run began.
    public var startedAt: Timestamp
    /// When it ended.
    public var finishedAt: Timestamp
    /// The phase that the run left the migration in; nil in a dry run.
    public var phase: MigrationRecord.Phase?
    /// How many secrets were copied or changed in the target by this run (in a dry run: would be).
    public var copiedSecrets = 0
    /// How many versions were written to the target by this run (in a dry run: would be).
    public var copiedVersions = 0
    /// How many secrets were removed from the target, since the source has them no more.
    public var removedSecrets = 0
    /// How many secrets could not be copied.
    public var failedSecrets = 0
    /// How many secrets were compared, value by value.
    public var comparedSecrets = 0
    /// How many versions were compared.
    public var comparedVersions = 0
    /// SHA-256 over the ordered list of all secrets compared, with their versions, dates, states, settings and labels.
    public var sourceDigest = ""
    /// The same of the target; equal if all arrived.
    public var targetDigest = ""
    /// HMAC-SHA256 over the same with all values, under a key that was thrown away: comparable within this report only.
    public var sourceValuesDigest = ""
    /// The same of the target.
    public var targetValuesDigest = ""
    /// What is not the same; at most ``maximumDifferences`` in words.
    public var differences: [Difference] = []
    /// How many secrets are not the same.
    public var differingSecrets = 0
    /// What went wrong, in words.
    public var problems: [String] = []

    /// The most differences and problems that are kept in words.
    public static let maximumDifferences = 1_000

    /// Whether everything arrived.
    public var isGood: Bool {
        differingSecrets == 0 && failedSecrets == 0 && sourceDigest == targetDigest
            && sourceValuesDigest == targetValuesDigest
    }

    mutating func note(_ path: SecretPath, _ what: [String]) {
        differingSecrets += 1
        if differences.count < Self.maximumDifferences { differences.append(Difference(path: path.text, what: what)) }
    }

    mutating func note(_ problem: String) {
        if problems.count < Self.maximumDifferences { problems.append(problem) }
    }
}
