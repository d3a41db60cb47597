// The standard reflection service: generic clients learn the wire contract from the gateway itself.

import Foundation
import PosternGRPCTransport
import PosternWire
import SwiftProtobuf

/// The methods of grpc.reflection.v1.ServerReflection, and of v1alpha, which has the same messages.
struct ReflectionMethods: Sendable {
    private let files: [String: Data]
    private let fileOfSymbol: [String: String]
    private let services: [String]

    /// Reads the descriptors that were generated with the wire code.
    init() throws {
        guard
            let data = Data(
                base64Encoded: WireDescriptors.fileDescriptorSetBase64, options: .ignoreUnknownCharacters)
        else { throw CocoaError(.coderReadCorrupt) }
        let set = try Google_Protobuf_FileDescriptorSet(serializedBytes: data)
        var files: [String: Data] = [:]
        var fileOfSymbol: [String: String] = [:]
        var services: [String] = []
        for file in set.file {
            files[file.name] = try file.serializedData()
            for symbol in Self.symbols(of: file) { fileOfSymbol[symbol] = file.name }
            services += file.service.map { "\(file.package).\($0.name)" }
        }
        self.files = files
        self.fileOfSymbol = fileOfSymbol
        self.services = services.sorted()
    }

    /// The methods by their full name.
    var methods: [String: RPCMethod] {
        [
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": .streaming(reflect),
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": .streaming(reflect),
        ]
    }

    @Sendable private func reflect(
        _: RPCContext, _ requests: RPCRequestStream, _ responses: RPCResponseStream
    ) async throws(RPCStatus) {
        while let bytes = try await requests.next() {
            let answer: [UInt8]
            do {
                answer = try answerTo(Grpc_Reflection_V1_ServerReflectionRequest(serializedBytes: bytes))
                    .serializedBytes()
            } catch {
                throw RPCStatus(code: 3, message: "The request is not a valid ServerReflectionRequest message.")
            }
            try await responses.write(answer)
        }
    }

    private func answerTo(
        _ request: Grpc_Reflection_V1_ServerReflectionRequest
    ) -> Grpc_Reflection_V1_ServerReflectionResponse {
        var response = Grpc_Reflection_V1_ServerReflectionResponse()
        response.validHost = request.host
        response.originalRequest = request
        switch request.messageRequest {
        case .listServices:
            response.listServicesResponse.service = services.map { name in
                var service = Grpc_Reflection_V1_ServiceResponse()
                service.name = name
                return service
            }
        case .fileByFilename(let name):
            if let file = files[name] {
                response.fileDescriptorResponse.fileDescriptorProto = [file]
            } else {
                response.errorResponse = Self.notFound("There is no file of that name.")
            }
        case .fileContainingSymbol(let symbol):
            if let name = fileOfSymbol[symbol], let file = files[name] {
                response.fileDescriptorResponse.fileDescriptorProto = [file]
            } else {
                response.errorResponse = Self.notFound("There is no such symbol.")
            }
        case .fileContainingExtension, .allExtensionNumbersOfType:
            response.errorResponse = Self.notFound("The contract has no extensions.")
        case nil:
            response.errorResponse.errorCode = 3
            response.errorResponse.errorMessage = "The request asks for nothing."
        }
        return response
    }

    private static func notFound(_ message: String) -> Grpc_Reflection_V1_ErrorResponse {
        var error = Grpc_Reflection_V1_ErrorResponse()
        error.errorCode = 5
        error.errorMessage = message
        return error
    }

    /// The full names of everything that a file defines.
    private static func symbols(of file: Google_Protobuf_FileDescriptorProto) -> [String] {
        var symbols = file.service.flatMap { service in
            let name = "\(file.package).\(service.name)"
            return [name] + service.method.map { "\(name).\($0.name)" }
        }
        symbols += file.enumType.map { "\(file.package).\($0.name)" }
        func add(_ message: Google_Protobuf_DescriptorProto, in scope: String) {
            let name = "\(scope).\(message.name)"
            symbols.append(name)
            symbols += message.enumType.map { "\(name).\($0.name)" }
            for nested in message.nestedType { add(nested, in: name) }
        }
        for message in file.messageType { add(message, in: file.package) }
        return symbols
    }
}
