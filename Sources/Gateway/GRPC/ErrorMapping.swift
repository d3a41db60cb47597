// The one translation from the closed set of errors to gRPC statuses with google.rpc.Status details.

import Foundation
import PosternCore
import PosternGRPCTransport
import PosternProtocol
import PosternWire
import SwiftProtobuf

extension RPCStatus {
    /// The domain of Postern's error codes in google.rpc.ErrorInfo.
    static let errorDomain = "postern"

    init(_ failure: AuditedError, requestID: String) {
        self.init(failure.error, requestID: requestID, auditIndex: failure.auditIndex)
    }

    init(_ error: SecretError, requestID: String, auditIndex: UInt64? = nil) {
        var info = Google_Rpc_ErrorInfo()
        info.reason = error.code.rawValue
        info.domain = Self.errorDomain
        info.metadata["request_id"] = requestID
        if let auditIndex { info.metadata["audit_index"] = String(auditIndex) }
        if let version = error.currentVersion { info.metadata["current_version"] = String(version) }

        var status = Google_Rpc_Status()
        status.code = Int32(error.code.grpcStatus)
        status.message = error.message
        status.details = [Self.any(info, "google.rpc.ErrorInfo")]
        if let seconds = error.retryAfterSeconds {
            var retry = Google_Rpc_RetryInfo()
            retry.retryDelay = Google_Protobuf_Duration(seconds: Int64(seconds))
            status.details.append(Self.any(retry, "google.rpc.RetryInfo"))
        }
        self.init(code: error.code.grpcStatus, message: error.message, details: Self.bytes(status))
    }

    private static func any(_ message: some Message, _ name: String) -> Google_Protobuf_Any {
        var any = Google_Protobuf_Any()
        any.typeURL = "type.googleapis.com/\(name)"
        any.value = Data(bytes(message))
        return any
    }

    /// Serialising fails only for required fields, which proto3 does not have; details are then left out.
    private static func bytes(_ message: some Message) -> [UInt8] {
        do {
            return try message.serializedBytes()
        } catch {
            return []
        }
    }
}
