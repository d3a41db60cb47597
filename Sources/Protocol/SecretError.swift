// The one closed set of errors that every backend, front end and command speaks, and its one mapping
// to HTTP (RFC 9110) and gRPC (google.rpc.Code) statuses.

/// Why an operation on a secret failed.
///
/// Carries a stable ``Code`` for machines, and a message for people that says what happened, to what,
/// and what to do about it. A message never holds secret bytes.
public struct SecretError: Error, Sendable, Equatable {
    /// The stable machine code. Raw values are part of the interface and never change.
    public enum Code: String, Sendable, CaseIterable {
        case invalidArgument = "invalid_argument"
        case unauthenticated = "unauthenticated"
        case permissionDenied = "permission_denied"
        case notFound = "not_found"
        case versionDeleted = "version_deleted"
        case versionDestroyed = "version_destroyed"
        case conflict = "conflict"
        case tooLarge = "too_large"
        case rateLimited = "rate_limited"
        case backendUnavailable = "backend_unavailable"
        case backendSealed = "backend_sealed"
        case keyUnavailable = "key_unavailable"
        case integrityFailure = "integrity_failure"
        case auditUnavailable = "audit_unavailable"
        case deadlineExceeded = "deadline_exceeded"
        case cancelled = "cancelled"
        case internalError = "internal"
    }

    /// The stable machine code.
    public let code: Code
    /// What happened, to what, and what to do about it; never secret bytes.
    public let message: String
    /// The secret's current version, set on ``Code/conflict`` (0 when the secret does not exist).
    public let currentVersion: Int?
    /// How long to wait before trying again, in seconds, where that is known.
    public let retryAfterSeconds: Int?

    /// Makes an error.
    public init(_ code: Code, _ message: String, currentVersion: Int? = nil, retryAfterSeconds: Int? = nil) {
        self.code = code
        self.message = message
        self.currentVersion = currentVersion
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// The error of a compare-and-set write that lost: `currentVersion` is what is there now.
    public static func conflict(_ path: SecretPath, expected: Int, current: Int) -> SecretError {
        let found = current == 0 ? "it does not exist" : "its current version is \(current)"
        return SecretError(
            .conflict, "\(path): expected version \(expected), but \(found); read it again and retry.",
            currentVersion: current)
    }

    /// The error of a secret, or a version of it, that is not there.
    public static func notFound(_ path: SecretPath, version: Int? = nil) -> SecretError {
        if let version {
            return SecretError(.notFound, "\(path) has no version \(version).")
        }
        return SecretError(.notFound, "There is no secret \(path).")
    }

    /// The error of reading a soft-deleted version.
    public static func versionDeleted(_ path: SecretPath, version: Int) -> SecretError {
        SecretError(.versionDeleted, "Version \(version) of \(path) is deleted; undelete it to read it.")
    }

    /// The error of reading or undeleting a destroyed version.
    public static func versionDestroyed(_ path: SecretPath, version: Int) -> SecretError {
        SecretError(.versionDestroyed, "Version \(version) of \(path) is destroyed and cannot come back.")
    }
}

extension SecretError.Code {
    /// The HTTP status (RFC 9110; 499 is the customary "client closed request").
    public var httpStatus: Int {
        switch self {
        case .invalidArgument: 400
        case .unauthenticated: 401
        case .permissionDenied: 403
        case .notFound: 404
        case .versionDeleted, .versionDestroyed: 410
        case .conflict: 409
        case .tooLarge: 413
        case .rateLimited: 429
        case .backendUnavailable, .backendSealed, .keyUnavailable, .auditUnavailable: 503
        case .deadlineExceeded: 504
        case .cancelled: 499
        case .integrityFailure, .internalError: 500
        }
    }

    /// The gRPC status number (google.rpc.Code).
    public var grpcStatus: Int {
        switch self {
        case .cancelled: 1
        case .invalidArgument: 3
        case .deadlineExceeded: 4
        case .notFound: 5
        case .permissionDenied: 7
        case .tooLarge, .rateLimited: 8
        case .versionDeleted, .versionDestroyed: 9
        case .conflict: 10
        case .internalError: 13
        case .backendUnavailable, .backendSealed, .keyUnavailable, .auditUnavailable: 14
        case .integrityFailure: 15
        case .unauthenticated: 16
        }
    }

    /// Whether the same call may succeed later without anything being changed by the caller.
    public var isTransient: Bool {
        switch self {
        case .rateLimited, .backendUnavailable, .backendSealed, .keyUnavailable, .auditUnavailable,
            .deadlineExceeded:
            true
        default: false
        }
    }
}

extension SecretError: CustomStringConvertible {
    /// `code: message`.
    public var description: String { "\(code.rawValue): \(message)" }
}
