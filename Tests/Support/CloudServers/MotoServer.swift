// A real server with AWS's APIs: moto, in a process of its own.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Synchronization
public import TestPrograms

/// A moto server. Whatever it is told is forgotten when it ends.
public final class MotoServer: Sendable {
    /// As AWS_ENDPOINT_URL has it.
    public let url: String
    /// Its process.
    public let process: ServerProcess
    private let folder: URL

    private static let first = Task {
        let server = try await MotoServer()
        removed.withLock { $0 = server.folder }
        // It lives as long as the test process, which ends without letting go of what is static.
        atexit {
            guard let folder = MotoServer.removed.withLock({ $0 }) else { return }
            try? FileManager.default.removeItem(at: folder)
        }
        return server
    }

    /// What to remove at the end.
    private static let removed = Mutex<URL?>(nil)

    /// One that the tests of this process share: each makes keys of its own.
    public static var shared: MotoServer { get async throws { try await first.value } }

    /// Starts one, and waits until it is ready.
    public init() async throws {
        folder = try makeTemporaryDirectory("moto")
        let port = try freePort()
        url = "http://127.0.0.1:\(port)"
        let inherited = ProcessInfo.processInfo.environment.filter { name, _ in
            !["AWS_", "MOTO_", "POSTERN_"].contains { name.hasPrefix($0) }
        }
        process = try ServerProcess(
            try Places.python(), ["-m", "moto.server", "-H", "127.0.0.1", "-p", "\(port)"], environment: inherited,
            log: folder.appending(path: "log"))
        let ready = HTTPClientRequest(url: url + "/moto-api/data.json")
        try await eventually("moto answers at \(url)", within: .seconds(240)) {
            (try? await HTTPClient.shared.execute(ready, timeout: .seconds(5)))?.status == .ok
        }
    }

    deinit {
        process.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Calls KMS as its administrator would.
    @discardableResult
    public func kms(
        _ operation: String, _ parameters: [String: any Sendable], region: String = "eu-west-1"
    ) async throws -> [String: Any] {
        var request = HTTPClientRequest(url: url + "/")
        request.method = .POST
        // The signature is not looked at unless moto is told to; who is asked, is.
        request.headers = [
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.\(operation)",
            "Authorization": Self.claim(region: region, service: "kms"),
        ]
        request.body = .bytes(ByteBuffer(data: try JSONSerialization.data(withJSONObject: parameters)))
        let (status, body) = try await send(request)
        guard status == 200 else { throw HarnessError(description: "\(operation): \(status) \(body)") }
        return try JSONSerialization.jsonObject(with: Data(body.utf8), options: .fragmentsAllowed) as? [String: Any]
            ?? [:]
    }

    /// Makes a symmetric key.
    /// - Returns: its ARN.
    public func makeKey(_ parameters: [String: any Sendable] = [:], region: String = "eu-west-1") async throws -> String
    {
        let answer = try await kms("CreateKey", parameters, region: region)
        guard let arn = (answer["KeyMetadata"] as? [String: Any])?["Arn"] as? String else {
            throw HarnessError(description: "CreateKey gave no ARN: \(answer)")
        }
        return arn
    }

    /// Calls IAM, which speaks forms and XML.
    @discardableResult
    public func iam(_ action: String, _ parameters: [String: String]) async throws -> String {
        var request = HTTPClientRequest(url: url + "/")
        request.method = .POST
        request.headers = [
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": Self.claim(region: "us-east-1", service: "iam"),
        ]
        let form = parameters.merging(["Action": action, "Version": "2010-05-08"]) { $1 }.map { name, value in
            "\(name)=\(value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")"
        }
        request.body = .bytes(ByteBuffer(string: form.joined(separator: "&")))
        let (status, body) = try await send(request)
        guard status == 200 else { throw HarnessError(description: "\(action): \(status) \(body)") }
        return body
    }

    /// From now on every call must be signed, by somebody who may make it.
    public func requireAuthorization() async throws {
        var request = HTTPClientRequest(url: url + "/moto-api/reset-auth")
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: "0"))
        let (status, body) = try await send(request)
        guard status == 200 else { throw HarnessError(description: "reset-auth: \(status) \(body)") }
    }

    private func send(_ request: HTTPClientRequest) async throws -> (status: UInt, body: String) {
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
        return (response.status.code, String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }

    private static func claim(region: String, service: String) -> String {
        "AWS4-HMAC-SHA256 Credential=testing/20150830/\(region)/\(service)/aws4_request, SignedHeaders=host, Signature=0"
    }
}
