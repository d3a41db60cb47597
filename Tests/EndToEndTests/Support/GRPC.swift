// gRPC through grpc-swift's client.

import Foundation
import PosternClient
import PosternProtocol
import PosternWire
import Testing

extension GatewayUnderTest {
    /// Connects as a client and lends the connection.
    @discardableResult
    func client<Value: Sendable>(
        as name: String = "operator", timeout: Duration = .seconds(30),
        _ body: (PosternClient) async throws -> Value
    ) async throws -> Value {
        let endpoint = try Endpoint(
            address: grpcAddress, certificateFile: pki.file("\(name).pem"), keyFile: pki.file("\(name).key"),
            authoritiesFile: pki.file("ca.pem"))
        return try await PosternClient.withConnection(to: endpoint, timeout: timeout, body)
    }

    /// One call by one client, which must be refused.
    func refusal(
        as name: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (PosternClient) async throws -> Void
    ) async throws -> ClientError {
        try #require(
            await #expect(throws: ClientError.self, sourceLocation: sourceLocation) {
                try await self.client(as: name, body)
            }, sourceLocation: sourceLocation)
    }
}

extension PosternClient {
    @discardableResult
    func put(
        _ path: String, _ value: Data, expecting: UInt64? = nil
    ) async throws(ClientError) -> Postern_V1_PutResponse {
        var request = Postern_V1_PutRequest()
        request.path = path
        var field = Postern_V1_Field()
        field.name = Payload.valueField
        field.value = value
        request.fields = [field]
        if let expecting { request.expectedVersion = expecting }
        return try await put(request)
    }

    @discardableResult
    func put(_ path: String, _ value: String) async throws(ClientError) -> Postern_V1_PutResponse {
        try await put(path, Data(value.utf8))
    }

    func get(_ path: String, version: UInt64 = 0) async throws(ClientError) -> Postern_V1_GetResponse {
        var request = Postern_V1_GetRequest()
        request.path = path
        request.version = version
        return try await get(request)
    }

    /// The usual single value, as text.
    func value(_ path: String, version: UInt64 = 0) async throws(ClientError) -> String {
        String(decoding: try await get(path, version: version).fields.first?.value ?? Data(), as: UTF8.self)
    }
}
