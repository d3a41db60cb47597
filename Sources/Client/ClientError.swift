// What a client is told when a call fails: Postern's stable code, from the details of the gRPC status.

import GRPCCore
public import PosternProtocol
import PosternWire
import SwiftProtobuf

/// Why a call failed.
public struct ClientError: Error, Sendable, CustomStringConvertible {
    /// The stable code and the message.
    public let error: SecretError
    /// The request's id, as in the gateway's logs and audit records.
    public let requestID: String?
    /// The index of the audit record of the refusal.
    public let auditIndex: UInt64?

    init(_ rpc: RPCError) {
        var reason: SecretError.Code?
        var metadata: [String: String] = [:]
        var retryAfter: Int?
        for value in rpc.metadata[binaryValues: "grpc-status-details-bin"] {
            guard let status = try? Google_Rpc_Status(serializedBytes: value) else { continue }
            for detail in status.details {
                if detail.typeURL.hasSuffix("/google.rpc.ErrorInfo"),
                    let info = try? Google_Rpc_ErrorInfo(serializedBytes: detail.value), info.domain == "postern"
                {
                    reason = SecretError.Code(rawValue: info.reason)
                    metadata = info.metadata
                }
                if detail.typeURL.hasSuffix("/google.rpc.RetryInfo"),
                    let retry = try? Google_Rpc_RetryInfo(serializedBytes: detail.value)
                {
                    retryAfter = Int(retry.retryDelay.seconds)
                }
            }
        }
        error = SecretError(
            reason ?? Self.code(for: rpc.code), Self.message(of: rpc),
            currentVersion: metadata["current_version"].flatMap { Int($0) }, retryAfterSeconds: retryAfter)
        requestID = metadata["request_id"]
        auditIndex = metadata["audit_index"].flatMap { UInt64($0) }
    }

    /// Transport failures have no message of their own; their cause says what is wrong.
    private static func message(of rpc: RPCError) -> String {
        guard rpc.code == .unavailable, let cause = rpc.cause else { return rpc.message }
        return "\(rpc.message) (\(cause))"
    }

    /// The nearest code for a status that did not come from Postern's pipeline.
    private static func code(for code: RPCError.Code) -> SecretError.Code {
        switch code {
        case .cancelled: .cancelled
        case .invalidArgument, .outOfRange, .unimplemented: .invalidArgument
        case .deadlineExceeded: .deadlineExceeded
        case .notFound: .notFound
        case .permissionDenied: .permissionDenied
        case .resourceExhausted: .tooLarge
        case .aborted: .conflict
        case .unavailable: .backendUnavailable
        case .unauthenticated: .unauthenticated
        case .dataLoss: .integrityFailure
        default: .internalError
        }
    }

    /// The error, and where to look for it.
    public var description: String {
        var text = error.description
        if let requestID { text += " [request \(requestID)]" }
        return text
    }
}
