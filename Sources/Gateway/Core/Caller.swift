// Who is calling, and under what circumstances: what front ends learn at their edge and hand to the
// pipeline.

import PosternAudit
public import PosternPolicy
public import PosternProtocol

/// An authenticated caller, as one front end knows it. Made once per connection or request.
public struct Caller: Sendable {
    /// How a caller proved who it is.
    public enum Authentication: String, Sendable {
        /// A verified client certificate.
        case mutualTLS = "mtls"
        /// An admin key.
        case adminKey = "admin_key"
        /// It did not.
        case none
    }

    /// The verified credential, or nil if authentication failed.
    public let credential: Credential?
    /// How the caller proved who it is.
    public let authentication: Authentication
    /// The caller's address as IP text, if known.
    public let address: String?
    /// Why authentication failed, where it did.
    public let failure: SecretError?
    /// What was presented and refused, by a name that gives nothing away: a certificate's fingerprint.
    private let presented: String?

    /// What to answer if policy knows nobody by the credential; nil for the ordinary refusal.
    public let whenUnknown: SecretError?

    /// Makes a caller that has proved who it is.
    /// - Parameters:
    ///   - credential: the verified credential.
    ///   - whenUnknown: what to answer if policy knows nobody by it; nil for the ordinary refusal.
    ///   - address: the caller's address as IP text, if known.
    public init(credential: Credential, whenUnknown: SecretError? = nil, address: String?) {
        self.whenUnknown = whenUnknown
        self.credential = credential
        self.authentication =
            switch credential {
            case .certificate: .mutualTLS
            case .adminKey: .adminKey
            }
        self.address = address
        self.failure = nil
        self.presented = nil
    }

    /// Makes a caller that has not proved who it is. It gets nothing but the failure, and a record.
    /// - Parameters:
    ///   - failure: why.
    ///   - presented: the fingerprint of the certificate that was refused, for the record.
    ///   - address: the caller's address as IP text, if known.
    public init(unauthenticated failure: SecretError, presented: String? = nil, address: String?) {
        self.credential = nil
        self.authentication = .none
        self.address = address
        self.whenUnknown = nil
        self.failure = failure
        self.presented = presented
    }

    /// The caller as audit records name it.
    func actor(as principal: PrincipalID?) -> AuditRecord.Actor {
        let name: String? =
            switch credential {
            case .certificate(let identity): identity.fingerprint
            case .adminKey(let name): name
            case nil: presented
            }
        return AuditRecord.Actor(
            principal: principal?.name, authentication: authentication.rawValue, credential: name, address: address)
    }
}

/// The circumstances of one request.
public struct RequestContext: Sendable {
    /// The longest reason, in bytes.
    public static let maximumReasonBytes = 512
    /// The longest ticket, in bytes.
    public static let maximumTicketBytes = 128

    /// The request's id, in the answer, the logs and the audit record.
    public let requestID: String
    /// The W3C trace id, 32 hex digits, if the caller sent one.
    public let traceID: String?
    /// Why, in the caller's words.
    public let reason: String?
    /// A ticket or change number.
    public let ticket: String?
    /// A second principal who approves, verified by the front end.
    public let approver: Credential?
    /// What the store itself knows the caller by, passed through to it; nil if the caller sent none.
    public let storeCredential: SecretBytes?
    /// When the caller stops waiting.
    public let deadline: Deadline

    /// Makes a request's circumstances. Empty texts count as absent.
    /// - Throws: `invalid_argument` if the reason or the ticket is too long.
    public init(
        requestID: String, traceID: String? = nil, reason: String? = nil, ticket: String? = nil,
        approver: Credential? = nil, storeCredential: SecretBytes? = nil, deadline: Deadline
    ) throws(SecretError) {
        guard (reason ?? "").utf8.count <= Self.maximumReasonBytes else {
            throw SecretError(.invalidArgument, "The reason is longer than \(Self.maximumReasonBytes) bytes.")
        }
        guard (ticket ?? "").utf8.count <= Self.maximumTicketBytes else {
            throw SecretError(.invalidArgument, "The ticket is longer than \(Self.maximumTicketBytes) bytes.")
        }
        self.requestID = requestID
        self.traceID = traceID
        self.reason = reason?.isEmpty == true ? nil : reason
        self.ticket = ticket?.isEmpty == true ? nil : ticket
        self.approver = approver
        self.storeCredential = storeCredential
        self.deadline = deadline
    }
}

/// An answer together with where the audit log has it.
public struct Audited<Value: Sendable>: Sendable {
    /// The answer.
    public let value: Value
    /// The index of its record in the audit log.
    public let auditIndex: UInt64

    /// Makes an audited answer.
    public init(_ value: Value, at auditIndex: UInt64) {
        self.value = value
        self.auditIndex = auditIndex
    }
}

/// A refusal or failure together with where the audit log has it.
public struct AuditedError: Error, Sendable {
    /// What went wrong.
    public let error: SecretError
    /// The index of its record in the audit log, or nil if there could be none.
    public let auditIndex: UInt64?

    /// Makes an audited error.
    public init(_ error: SecretError, at auditIndex: UInt64?) {
        self.error = error
        self.auditIndex = auditIndex
    }
}
