// A client of the gateway for Swift programs and for the `postern` command, on grpc-swift.

import GRPCCore
import GRPCNIOTransportHTTP2Posix
public import PosternProtocol
public import PosternWire

/// Calls a gateway over gRPC with mutual TLS.
public struct PosternClient: Sendable {
    private typealias Transport = HTTP2ClientTransport.Posix

    private let service: Postern_V1_SecretService.Client<Transport>
    private let metadata: Metadata
    private let options: CallOptions

    /// Connects, lends a client, and disconnects.
    /// - Parameters:
    ///   - endpoint: where the gateway is and who is calling.
    ///   - timeout: how long each call may take.
    ///   - vaultToken: a token to pass through to the gateway's Vault with each call, so that Vault's own policies
    ///     decide too. The gateway must be set up for it.
    ///   - body: what to do with the client.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws, among it ``ClientError``; an error of the connection's files; `invalid_argument` as
    ///   a `SecretError` if the token is empty or has bytes that no header can carry.
    public static func withConnection<Value: Sendable>(
        to endpoint: Endpoint, timeout: Duration = .seconds(10), vaultToken: SecretBytes? = nil,
        _ body: (PosternClient) async throws -> Value
    ) async throws -> Value {
        var metadata = Metadata()
        if let vaultToken {
            guard vaultToken.count > 0, vaultToken.isVisibleASCII else {
                throw SecretError(.invalidArgument, "The Vault token is empty, or not visible ASCII; send another.")
            }
            metadata.addString(
                vaultToken.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }, forKey: "x-vault-token")
        }
        return try await withGRPCClient(transport: try endpoint.transport()) { client in
            var options = CallOptions.defaults
            options.timeout = timeout
            // Fail at once, with the reason, rather than wait for a gateway that is not there.
            options.waitForReady = false
            return try await body(
                PosternClient(
                    service: Postern_V1_SecretService.Client(wrapping: client), metadata: metadata, options: options))
        }
    }

    /// Reads a version of a secret.
    public func get(_ request: Postern_V1_GetRequest) async throws(ClientError) -> Postern_V1_GetResponse {
        try await call { try await service.get(request, metadata: metadata, options: options) }
    }

    /// Reads the current versions of several secrets.
    public func batchGet(
        _ request: Postern_V1_BatchGetRequest
    ) async throws(ClientError) -> Postern_V1_BatchGetResponse {
        try await call { try await service.batchGet(request, metadata: metadata, options: options) }
    }

    /// Lists names, handing over each page as it comes.
    public func list(
        _ request: Postern_V1_ListRequest, page: @escaping @Sendable (Postern_V1_ListResponse) -> Void
    ) async throws(ClientError) {
        try await call {
            try await service.list(request, metadata: metadata, options: options) { response in
                for try await message in response.messages { page(message) }
            }
        }
    }

    /// Describes a secret and its versions.
    public func describe(
        _ request: Postern_V1_DescribeRequest
    ) async throws(ClientError) -> Postern_V1_DescribeResponse {
        try await call { try await service.describe(request, metadata: metadata, options: options) }
    }

    /// Writes a new version.
    public func put(_ request: Postern_V1_PutRequest) async throws(ClientError) -> Postern_V1_PutResponse {
        try await call { try await service.put(request, metadata: metadata, options: options) }
    }

    /// Changes a secret's settings and labels.
    public func updateMetadata(
        _ request: Postern_V1_UpdateMetadataRequest
    ) async throws(ClientError) -> Postern_V1_UpdateMetadataResponse {
        try await call { try await service.updateMetadata(request, metadata: metadata, options: options) }
    }

    /// Soft-deletes versions.
    public func delete(_ request: Postern_V1_DeleteRequest) async throws(ClientError) -> Postern_V1_DeleteResponse {
        try await call { try await service.delete(request, metadata: metadata, options: options) }
    }

    /// Makes soft-deleted versions readable again.
    public func undelete(
        _ request: Postern_V1_UndeleteRequest
    ) async throws(ClientError) -> Postern_V1_UndeleteResponse {
        try await call { try await service.undelete(request, metadata: metadata, options: options) }
    }

    /// Removes the data of versions for good.
    public func destroy(
        _ request: Postern_V1_DestroyRequest
    ) async throws(ClientError) -> Postern_V1_DestroyResponse {
        try await call { try await service.destroy(request, metadata: metadata, options: options) }
    }

    /// Removes a secret with all its versions and metadata.
    public func remove(_ request: Postern_V1_RemoveRequest) async throws(ClientError) -> Postern_V1_RemoveResponse {
        try await call { try await service.remove(request, metadata: metadata, options: options) }
    }

    private func call<Value>(_ body: () async throws -> Value) async throws(ClientError) -> Value {
        do {
            return try await body()
        } catch let error as RPCError {
            throw ClientError(error)
        } catch {
            throw ClientError(RPCError(code: .internalError, message: "The call failed.", cause: error))
        }
    }
}
