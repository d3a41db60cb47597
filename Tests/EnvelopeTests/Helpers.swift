import BackendConformance
import Foundation
import PosternProtocol
import Testing

@testable import Envelope

/// Late enough for a machine that runs much else.
var soon: Deadline { .after(.seconds(300)) }

extension EnvelopeOptions {
    /// The default, but for a time limit that no busy machine reaches.
    static let patient = EnvelopeOptions(keyTimeout: .seconds(300))
}

extension SecretBackend {
    @discardableResult
    func put(_ path: String, _ value: String, expecting: Int? = nil) async throws -> VersionInfo {
        try await write(
            SecretPath(path), Payload(value: SecretBytes(value)), expecting: expecting, deadline: soon)
    }

    func get(_ path: String, _ version: Int? = nil) async throws -> String {
        let read = try await read(SecretPath(path), version: version, deadline: soon)
        return try #require(read.payload["value"]).text
    }

    /// Everything in a store that is reachable: what its administrator sees.
    func everything() async throws -> [SecretVersion] {
        var all: [SecretVersion] = []
        var after: String?
        repeat {
            let page = try await list(ListQuery(recursive: true, after: after), deadline: soon)
            for case .secret(let path) in page.entries {
                for version in try await describe(path, deadline: soon).versions where version.state == .available {
                    all.append(try await read(path, version: version.number, deadline: soon))
                }
            }
            after = page.next
        } while after != nil
        return all
    }
}

extension SecretBytes {
    var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

func keyringPath(_ domain: String) throws -> SecretPath { try .reserved("keyring/\(domain)") }

@discardableResult
func expectError(
    _ code: SecretError.Code, _ what: String = "", containing text: String = "",
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async -> SecretError? {
    let error = await #expect(throws: SecretError.self, "\(what)", sourceLocation: sourceLocation) {
        _ = try await body()
    }
    #expect(error?.code == code, "\(what) \(error?.message ?? "")", sourceLocation: sourceLocation)
    #expect(
        text.isEmpty || error?.message.contains(text) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation
    )
    return error
}

/// Waits for a condition that another task brings about.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = soon
    while try await !condition() {
        try #require(!deadline.hasPassed, "\(what)")
        await Task.yield()
    }
}
