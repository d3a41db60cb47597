// A fake of Google Cloud KMS and of the services that give access tokens. No server of Google's can run here, so this
// one does what the REST reference says of `cryptoKeys.encrypt` and `cryptoKeys.decrypt`, and refuses whatever it
// does not say.
//
// Its cryptography is AES-256-GCM, its checksums are computed bit by bit: nothing is shared with what it tests.

import Crypto
import CryptoExtras
import Foundation
import NIOHTTP1
import Synchronization

/// The fake.
public final class FakeGoogle: Sendable {
    /// The one key that there is.
    public static let key = "projects/postern-test/locations/europe-west3/keyRings/ring/cryptoKeys/kek"
    /// Another one.
    public static let otherKey = "projects/postern-test/locations/europe-west3/keyRings/ring/cryptoKeys/other"
    /// The service account that there is.
    public static let account = "postern@postern-test.iam.gserviceaccount.com"
    /// What an outside identity shows, to be exchanged.
    public static let subjectToken = "subject.token.canary"
    /// Who may show it.
    public static let audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x"

    enum VersionState: String {
        case enabled = "ENABLED"
        case disabled = "DISABLED"
        case destroyed = "DESTROYED"
    }

    struct Key {
        var versions: [(material: SymmetricKey, state: VersionState)] = [(SymmetricKey(size: .bits256), .enabled)]
        var primary: Int { versions.count }
    }

    struct State {
        var keys = [FakeGoogle.key: Key(), FakeGoogle.otherKey: Key()]
        var tokens: [String: Int] = [:]
        var tokenCount = 0
        var tokenLifetime = 3_600
        var federated: Set<String> = []
        var intervention: (@Sendable (ServerRequest) -> ServerAnswer?)?
        var alteration: (@Sendable (ServerRequest, String) -> String)?
        var mayUseKeys = true
    }

    let state = Mutex(State())
    let signer: _RSA.Signing.PrivateKey
    private let server = Mutex<LoopbackHTTPServer?>(nil)

    /// Where it listens.
    public var url: String { server.withLock { $0?.url ?? "" } }
    /// What was asked so far.
    public var requests: [ServerRequest] { server.withLock { $0?.requests ?? [] } }
    /// How many calls of KMS there were.
    public var kmsCalls: Int { requests.count { $0.target.hasPrefix("/v1/projects/") && !$0.target.contains("/-/") } }
    /// How many tokens were given.
    public var tokensGiven: Int { state.withLock { $0.tokenCount } }

    /// Starts one.
    public init() async throws {
        signer = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let new = try await LoopbackHTTPServer { [weak self] request in
            guard let self else { return .hangUp }
            let (intervention, alteration) = state.withLock { ($0.intervention, $0.alteration) }
            if let answer = intervention?(request) { return answer }
            let answer = answer(request)
            guard let alteration, case .answer(let status, let headers, let body) = answer else { return answer }
            return .text(status, alteration(request, String(decoding: body, as: UTF8.self)), headers)
        }
        server.withLock { $0 = new }
    }

    /// Stops it.
    public func stop() async throws { try await server.withLock { $0 }?.stop() }

    // MARK: - What a test does to it

    /// From now on requests are looked at first; nil answers as usual.
    public func intervene(_ intervention: (@Sendable (ServerRequest) -> ServerAnswer?)?) {
        state.withLock { $0.intervention = intervention }
    }

    /// From now on the bodies of answers are altered.
    public func alter(_ alteration: (@Sendable (ServerRequest, String) -> String)?) {
        state.withLock { $0.alteration = alteration }
    }

    /// Makes a new version of the key, which encrypts from now on.
    public func rotate() {
        state.withLock { $0.keys[Self.key]?.versions.append((SymmetricKey(size: .bits256), .enabled)) }
    }

    /// Disables all versions of the key.
    public func disable() { setStates(.disabled) }
    /// Enables them.
    public func enable() { setStates(.enabled) }
    /// Destroys them.
    public func destroy() { setStates(.destroyed) }
    /// Takes the key away.
    public func remove() { state.withLock { $0.keys[Self.key] = nil } }
    /// Whether the account may use keys.
    public func permit(_ mayUseKeys: Bool) { state.withLock { $0.mayUseKeys = mayUseKeys } }
    /// Forgets all tokens that it gave.
    public func revokeTokens() { state.withLock { $0.tokens = [:] } }
    /// How long tokens live from now on, as it says; it does not look at a clock.
    public func setTokenLifetime(_ seconds: Int) { state.withLock { $0.tokenLifetime = seconds } }

    private func setStates(_ new: VersionState) {
        state.withLock { state in
            for index in state.keys[Self.key]?.versions.indices ?? 0..<0 {
                state.keys[Self.key]?.versions[index].state = new
            }
        }
    }

    /// A key file of the service account, as Google's console gives it.
    public var serviceAccountFile: String {
        let object: [String: String] = [
            "type": "service_account", "project_id": "postern-test", "private_key_id": "key-1",
            "private_key": signer.pkcs8PEMRepresentation, "client_email": Self.account, "client_id": "1",
            "token_uri": url + "/token",
        ]
        return Self.json(object)
    }

    // MARK: - Answers

    private func answer(_ request: ServerRequest) -> ServerAnswer {
        if request.target.hasPrefix("/v1/projects/-/serviceAccounts/") { return impersonate(request) }
        if request.target.hasPrefix("/v1/projects/") { return kms(request) }
        if request.target.hasPrefix("/computeMetadata/") { return metadata(request) }
        switch request.target {
        case "/token": return exchangeAssertion(request)
        case "/v1/token": return exchangeSubject(request)
        case "/subject":
            return request.header("X-Why") == "test"
                ? .json(200, #"{"id_token":"\#(Self.subjectToken)"}"#) : .text(403, "canary")
        default: return .text(404, "")
        }
    }

    static func error(_ code: Int, _ status: String, _ message: String) -> ServerAnswer {
        .json(code, json(["error": ["code": code, "message": message, "status": status] as [String: any Sendable]]))
    }

    static func json(_ object: [String: any Sendable]) -> String {
        // Only what JSON can hold is ever given.
        (try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys]))
            .map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
