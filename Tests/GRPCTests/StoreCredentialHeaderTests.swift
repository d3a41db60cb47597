// The header by which callers pass a token through to the store: what is one, and that nothing is ever said of it.

import Logging
import PosternCore
import PosternGRPCTransport
import PosternProtocol
import PosternWire
import Synchronization
import Testing

@testable import PosternGRPC

@Suite struct StoreCredentialHeaderTests {
    private static func metadata(_ values: [String]) -> RPCMetadata {
        var metadata = RPCMetadata()
        metadata.append(name: "user-agent", value: "test")
        for value in values { metadata.append(name: "x-vault-token", value: value) }
        return metadata
    }

    @Test(arguments: ["s", "hvs.CAESIJ", "!~", String(repeating: "t", count: 4_096)])
    func `is a token as it came`(token: String) throws {
        #expect(try StoreCredentialHeader.read(Self.metadata([token])) == SecretBytes(token))
    }

    @Test func `is absent where it was not sent`() throws {
        #expect(try StoreCredentialHeader.read(RPCMetadata()) == nil)
        #expect(try StoreCredentialHeader.read(Self.metadata([])) == nil)
    }

    @Test(arguments: [
        [""], [String(repeating: "t", count: 4_097)], ["two words"], ["tab\tbed"], ["nul\0"], ["del\u{7F}"], ["größe"],
        [" padded"], ["canary", "canary"], ["", "canary"],
    ])
    func `is refused where it is no token, or not one, without a word of it`(values: [String]) {
        let error = #expect(throws: SecretError.self) { try StoreCredentialHeader.read(Self.metadata(values)) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("x-vault-token") == true)
        for value in values where !value.isEmpty { #expect(error?.message.contains(value) == false) }
    }

    /// What the adapter hands to a method, and what it answers and logs meanwhile.
    private func call(_ metadata: RPCMetadata, _ log: Lines) async -> Result<SecretBytes?, RPCStatus> {
        var logger = Logger(label: "test") { _ in log }
        logger.logLevel = .trace
        var generator = SystemRandomNumberGenerator()
        let adapter = CallAdapter(
            requestIDs: RequestIDs(clock: SystemWallClock(), using: &generator), clock: SystemWallClock(),
            defaultDeadline: .seconds(300), logger: logger)
        let seen = Mutex<SecretBytes?>(nil)
        let method = adapter.unary { (_: Postern_V1_GetRequest, call) throws(CallFailure) in
            seen.withLock { $0 = call.context.storeCredential }
            return Postern_V1_GetResponse()
        }
        guard case .unary(let answer) = method else { return .success(nil) }
        let peer = RPCPeer(connectionID: 1, remoteAddress: "127.0.0.1", remotePort: 1, certificateDER: nil)
        let context = RPCContext(
            method: "/postern.v1.SecretService/Get", connection: RPCConnection(peer: peer, attachment: nil),
            metadata: metadata, deadline: nil)
        do throws(RPCStatus) {
            _ = try await answer(context, [])
            return .success(seen.withLock { $0 })
        } catch {
            return .failure(error)
        }
    }

    @Test func `reaches the pipeline with the call, and no log`() async throws {
        let log = Lines()
        let token = try await call(Self.metadata(["canary-token"]), log).get()
        #expect(token == SecretBytes("canary-token"))
        #expect(!log.all.isEmpty)
        #expect(!log.all.contains { $0.contains("canary") })
        #expect(try await call(Self.metadata([]), log).get() == nil)
    }

    @Test func `refuses the call where it is no token`() async throws {
        let log = Lines()
        guard case .failure(let status) = await call(Self.metadata(["canary token"]), log) else {
            Issue.record("the call was made")
            return
        }
        #expect(status.code == 3)
        #expect(status.message.contains("x-vault-token"))
        #expect(!status.message.contains("canary"))
        #expect(!String(decoding: status.details, as: UTF8.self).contains("canary"))
        #expect(!log.all.contains { $0.contains("canary") })
    }

    @Test func `is the one that the front end names`() {
        #expect(GRPCFrontEnd.storeCredentialHeader == "x-vault-token")
    }
}

/// Keeps what is logged.
private final class Lines: LogHandler {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    // A handler is a value to swift-log; this one is shared, and every logger of a test may as well say everything.
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        let line = "\(event.message) \(event.metadata ?? [:])"
        lines.withLock { $0.append(line) }
    }
}
