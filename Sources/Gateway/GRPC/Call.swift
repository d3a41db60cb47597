// One call, between the transport's bytes and the pipeline's vocabulary.

import Logging
import PosternCore
import PosternGRPCTransport
import PosternProtocol
import PosternWire
import SwiftProtobuf

/// A request message that may say why it is made.
protocol PurposefulRequest: Message {
    var purpose: Postern_V1_Purpose { get }
}

extension Postern_V1_GetRequest: PurposefulRequest {}
extension Postern_V1_BatchGetRequest: PurposefulRequest {}
extension Postern_V1_ListRequest: PurposefulRequest {}
extension Postern_V1_DescribeRequest: PurposefulRequest {}
extension Postern_V1_PutRequest: PurposefulRequest {}
extension Postern_V1_UpdateMetadataRequest: PurposefulRequest {}
extension Postern_V1_DeleteRequest: PurposefulRequest {}
extension Postern_V1_UndeleteRequest: PurposefulRequest {}
extension Postern_V1_DestroyRequest: PurposefulRequest {}
extension Postern_V1_RemoveRequest: PurposefulRequest {}

/// Why a call fails: refused by the pipeline, or already in the transport's own terms.
enum CallFailure: Error {
    case refused(AuditedError)
    case status(RPCStatus)
}

/// One call on its way: who makes it, and under what circumstances.
struct Call: Sendable {
    let caller: Caller
    let context: RequestContext

    /// Runs something that reads what the caller sent; what it throws needs no record, since nothing was asked for.
    func parse<Value>(_ body: () throws(SecretError) -> Value) throws(CallFailure) -> Value {
        do throws(SecretError) {
            return try body()
        } catch {
            throw .refused(AuditedError(error, at: nil))
        }
    }

    /// Asks the pipeline.
    func audited<Value>(_ body: () async throws(AuditedError) -> Value) async throws(CallFailure) -> Value {
        do throws(AuditedError) {
            return try await body()
        } catch {
            throw .refused(error)
        }
    }

    /// The answer's note of where the audit log has it.
    func audit(_ index: UInt64) -> Postern_V1_Audit {
        Postern_V1_Audit(index: index, requestID: context.requestID)
    }
}

/// Turns methods over messages into the transport's methods over bytes.
struct CallAdapter: Sendable {
    let requestIDs: RequestIDs
    let clock: any WallClock
    /// How long a call without a deadline of its own may ask a backend for.
    let defaultDeadline: Duration
    /// Each call is a line at debug level: at 100,000 a second, lines would cost more than the calls.
    let logger: Logger

    func unary<Request: PurposefulRequest, Response: Message>(
        _ body: @escaping @Sendable (Request, Call) async throws(CallFailure) -> Response
    ) -> RPCMethod {
        .unary { rpc, bytes throws(RPCStatus) in
            let requestID = requestIDs.next()
            let request = try decode(Request.self, bytes, requestID)
            let call = try call(for: request, rpc, requestID)
            let response: Response
            do throws(CallFailure) {
                response = try await body(request, call)
            } catch {
                throw status(error, rpc, requestID)
            }
            log(rpc, requestID, outcome: "ok")
            return try encode(response, requestID)
        }
    }

    func serverStreaming<Request: PurposefulRequest, Response: Message>(
        _ body:
            @escaping @Sendable (
                Request, Call, (Response) async throws(CallFailure) -> Void
            ) async throws(CallFailure) -> Void
    ) -> RPCMethod {
        .streaming { rpc, requests, responses throws(RPCStatus) in
            let requestID = requestIDs.next()
            guard let bytes = try await requests.next(), try await requests.next() == nil else {
                throw RPCStatus(
                    SecretError(.invalidArgument, "This method takes exactly one request message."),
                    requestID: requestID)
            }
            let request = try decode(Request.self, bytes, requestID)
            let call = try call(for: request, rpc, requestID)
            do throws(CallFailure) {
                try await body(request, call) { response throws(CallFailure) in
                    do throws(RPCStatus) {
                        try await responses.write(try encode(response, requestID))
                    } catch {
                        throw .status(error)
                    }
                }
            } catch {
                throw status(error, rpc, requestID)
            }
            log(rpc, requestID, outcome: "ok")
        }
    }

    private func call(
        for request: some PurposefulRequest, _ rpc: RPCContext, _ requestID: String
    ) throws(RPCStatus) -> Call {
        let caller: Caller
        if let session = rpc.connection.attachment as? PeerSession {
            caller = session.caller(at: clock.now())
        } else {
            caller = Caller(
                unauthenticated: SecretError(.unauthenticated, "The connection has no client certificate."),
                address: rpc.connection.remoteAddress)
        }
        do throws(SecretError) {
            let context = try RequestContext(
                requestID: requestID, traceID: TraceParent.traceID(rpc.metadata["traceparent"]),
                reason: request.purpose.reason, ticket: request.purpose.ticket,
                storeCredential: StoreCredentialHeader.read(rpc.metadata),
                deadline: rpc.deadline ?? .after(defaultDeadline))
            return Call(caller: caller, context: context)
        } catch {
            throw RPCStatus(error, requestID: requestID)
        }
    }

    private func decode<Request: Message>(
        _: Request.Type, _ bytes: [UInt8], _ requestID: String
    ) throws(RPCStatus) -> Request {
        do {
            return try Request(serializedBytes: bytes)
        } catch {
            let message = "The request is not a valid \(Request.protoMessageName) message."
            throw RPCStatus(SecretError(.invalidArgument, message), requestID: requestID)
        }
    }

    private func encode(_ response: some Message, _ requestID: String) throws(RPCStatus) -> [UInt8] {
        do {
            return try response.serializedBytes()
        } catch {
            throw RPCStatus(SecretError(.internalError, "The answer could not be encoded."), requestID: requestID)
        }
    }

    private func status(_ failure: CallFailure, _ rpc: RPCContext, _ requestID: String) -> RPCStatus {
        switch failure {
        case .refused(let failure):
            log(rpc, requestID, outcome: failure.error.code.rawValue)
            return RPCStatus(failure, requestID: requestID)
        case .status(let status):
            log(rpc, requestID, outcome: "status \(status.code)")
            return status
        }
    }

    private func log(_ rpc: RPCContext, _ requestID: String, outcome: @autoclosure () -> String) {
        logger.debug(
            "call answered",
            metadata: [
                "request_id": "\(requestID)", "method": "\(rpc.method)", "outcome": "\(outcome())",
                "address": "\(rpc.connection.remoteAddress)",
            ])
    }
}
