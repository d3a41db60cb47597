import CloudServers
import Foundation
import NIOCore
import NIOPosix
import PosternProtocol
import Synchronization
import Testing

@testable import CloudKMS

/// Late enough for a machine that runs much else.
var soon: Deadline { .after(.seconds(240)) }

/// A time of day that a test sets.
final class TestClock: WallClock {
    private let time: Mutex<Timestamp>

    init(_ start: Timestamp = SystemWallClock().now()) { time = Mutex(start) }

    func now() -> Timestamp { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 = $0.advanced(by: duration) } }
}

/// A folder of a test's own.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "postern-kms-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func path(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func file(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
        return path(name)
    }
}

extension Attempts {
    /// Patient, for machines that are slow: what fails in passing is tried until it succeeds.
    static let patient = Attempts(patience: .seconds(200), each: .seconds(100))
    /// For what never succeeds.
    static let brief = Attempts(patience: .milliseconds(500), each: .seconds(100))
}

extension CloudHTTP {
    static func test() throws -> CloudHTTP { try CloudHTTP(group: MultiThreadedEventLoopGroup.singleton) }
}

extension AWSKMSKeyWrapper {
    /// A wrapper with a test's attempts; nobody's real files or metadata service are asked.
    static func test(
        _ name: String, _ environment: [String: String], clock: any WallClock = SystemWallClock(),
        attempts: Attempts = .patient, label: @escaping @Sendable ([UInt8]) -> String? = { _ in nil }
    ) throws -> AWSKMSKeyWrapper {
        try AWSKMSKeyWrapper(
            AWSKMSKeyName(name), environment: noAWS.merging(environment) { $1 },
            group: MultiThreadedEventLoopGroup.singleton, clock: clock, attempts: attempts, label: label)
    }
}

/// An environment that leads to no credentials.
let noAWS = ["HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"]

/// Credentials that moto takes, as it takes any.
func keys(_ url: String) -> [String: String] {
    ["AWS_ENDPOINT_URL_KMS": url, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret-canary"]
}

@discardableResult
func expectError(
    _ code: SecretError.Code, _ what: String = "", containing texts: [String] = [], without canaries: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async -> SecretError? {
    let error = await #expect(throws: SecretError.self, "\(what)", sourceLocation: sourceLocation) {
        _ = try await body()
    }
    let message = error?.message ?? ""
    #expect(error?.code == code, "\(what) \(message)", sourceLocation: sourceLocation)
    for text in texts { #expect(message.contains(text), sourceLocation: sourceLocation) }
    for canary in canaries { #expect(!message.contains(canary), sourceLocation: sourceLocation) }
    return error
}

extension SecretBytes {
    var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}

let sampleKey = SecretBytes(copying: UInt8(0)..<32)
