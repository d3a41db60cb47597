// Makes keys where they are to live.

import Foundation
import LocalKey
import Logging
import NIOPosix
import PosternConfiguration
import PosternPKCS11
import PosternProtocol

/// Prepares keys, by origin. The place to add what another origin needs.
struct KeyPreparation {
    /// What became of one key.
    struct Report: Encodable, Sendable {
        let origin: String
        let key: String
        /// The id that key records name it by, once it is there.
        let id: String?
        let created: Bool
        let detail: String
    }

    /// How long a token may take for one key. Some take a while for RSA.
    private static let patience: Duration = .seconds(120)

    private let configuration: GatewayConfiguration
    private let isRSA: Bool
    private let isDryRun: Bool
    private let tokens = Tokens()
    private let logger: Logger

    /// - Parameters:
    ///   - rsa: whether key-encryption keys in HSMs are to be RSA.
    ///   - isDryRun: whether nothing is to be made.
    init(_ configuration: GatewayConfiguration, rsa: Bool = false, isDryRun: Bool = false) {
        self.configuration = configuration
        self.isRSA = rsa
        self.isDryRun = isDryRun
        logger = .standardError("postern", level: .error, format: .text)
    }

    /// Makes every configured key that is missing and can be made here.
    func prepareAll() async throws -> [Report] {
        let listeners = Self.hsmKeys(of: configuration)
        guard configuration.envelope.enabled || !listeners.isEmpty else {
            throw SecretError(.invalidArgument, "The configuration encrypts nothing: envelope.enabled is false.")
        }
        var reports: [Report] = []
        if configuration.envelope.enabled {
            for key in configuration.envelope.keys { reports.append(try await prepare(key)) }
        }
        for uri in listeners { reports.append(try await prepareListener(uri)) }
        return reports
    }

    /// Ends what was opened.
    func close() async { await tokens.close(logger: logger) }

    /// Makes a key if it is missing and can be made here.
    private func prepare(_ key: KeySetting) async throws -> Report {
        switch key.origin {
        case .file: return try await prepareFile(key)
        case .pkcs11: return try await prepareToken(key)
        case .transit:
            return advise(
                key,
                "make it in Vault or OpenBao: vault write -f MOUNT/keys/NAME type=aes256-gcm96; "
                    + "the gateway's token needs encrypt and decrypt on it")
        case .awsKMS, .gcpKMS: return advise(key, "make it where it lives; the gateway uses it when it starts")
        }
    }

    private func advise(_ key: KeySetting, _ advice: String) -> Report {
        Report(origin: key.origin.rawValue, key: key.value, id: nil, created: false, detail: advice)
    }

    private func prepareFile(_ key: KeySetting) async throws -> Report {
        let path = key.value
        let isMissing = !FileManager.default.fileExists(atPath: path)
        if isMissing { try await refuseIfLost(key, "key file \(path)") }
        if isMissing, isDryRun { return advise(key, "would be made") }
        let wrapper = try LocalFileKeyWrapper(path: path, createIfMissing: true)
        return Report(
            origin: "file", key: path, id: wrapper.descriptor.id, created: isMissing,
            detail: isMissing
                ? "made \(wrapper.descriptor.id); keep a copy in a safe place" : "there: \(wrapper.descriptor.id)")
    }
}

// In HSMs.
extension KeyPreparation {
    /// The keys of the listeners that are in HSMs, each once.
    private static func hsmKeys(of configuration: GatewayConfiguration) -> [String] {
        var uris: [String] = []
        for case .pkcs11(let uri) in [configuration.grpc.key, configuration.admin.keyFile] where !uris.contains(uri) {
            uris.append(uri)
        }
        return uris
    }

    private func prepareToken(_ key: KeySetting) async throws -> Report {
        // What is wrong with the URI comes before any contact.
        let wrapper = try tokens.wrapper(key.value)
        let deadline = Deadline.after(Self.patience)
        let made = try await tokens.makeKey(key.value, dryRun: isDryRun, deadline: deadline) {
            (token, uri) throws(SecretError) in
            try await refuseIfLost(key, "key \(uri)")
            if isRSA, uri.type == .secretKey {
                throw SecretError(.invalidArgument, "\(uri) says type=secret-key, which RSA keys are not.")
            }
            return try await token.kindForWrapping(rsa: isRSA || uri.type == .privateKey, deadline: deadline)
        }
        return report(key.value, id: wrapper.descriptor.id, made)
    }

    private func prepareListener(_ uri: String) async throws -> Report {
        let made = try await tokens.makeKey(uri, dryRun: isDryRun, deadline: .after(Self.patience)) {
            (_, _) throws(SecretError) in .p256ForSigning
        }
        return report(uri, id: nil, made)
    }

    private func report(_ uri: String, id: String?, _ made: PKCS11KeyKind?) -> Report {
        let detail =
            if let made {
                (isDryRun ? "would be made: " : "made: ") + made.text
            } else {
                "there"
            }
        return Report(
            origin: "pkcs11", key: uri, id: id, created: made != nil && !isDryRun,
            detail: detail + (id.map { "; the key's id is \($0)" } ?? ""))
    }
}

// Beside a store that holds domain keys, the only key is lost or misplaced, not yet to be made.
extension KeyPreparation {
    /// Refuses to make a key in place of one that the store needs.
    private func refuseIfLost(_ key: KeySetting, _ what: String) async throws(SecretError) {
        guard !hasOther(than: key) else { return }
        switch configuration.backend.kind {
        case .sqlite:
            guard FileManager.default.fileExists(atPath: configuration.backend.sqlitePath) else { return }
            throw SecretError(
                .keyUnavailable,
                "The \(what) is missing, but there is a store, \(configuration.backend.sqlitePath). If its secrets are "
                    + "under a lost key, put that back; if it is empty, remove it.")
        case .vault:
            guard try await vaultHoldsDomainKeys() else { return }
            throw SecretError(
                .keyUnavailable,
                "The \(what) is missing, but Vault holds what was encrypted under a key. Put that back, or configure it "
                    + "beside this one.")
        }
    }

    /// Whether another configured key can open what is in the store already.
    private func hasOther(than key: KeySetting) -> Bool {
        configuration.envelope.keys.contains { other in
            other != key && (other.origin != .file || FileManager.default.fileExists(atPath: other.value))
        }
    }

    private func vaultHoldsDomainKeys() async throws(SecretError) -> Bool {
        let store = try await Store(
            configuration, group: MultiThreadedEventLoopGroup.singleton, clock: SystemWallClock(), logger: logger)
        let held: Result<Bool, SecretError>
        do throws(SecretError) {
            held = .success(try await store.backend.holdsDomainKeys(deadline: .after(.seconds(30))))
        } catch {
            held = .failure(error)
        }
        await store.close(logger: logger)
        return try held.get()
    }
}

extension PKCS11KeyKind {
    /// For people.
    fileprivate var text: String {
        switch self {
        case .aes256: "AES with 256 bits, for AES-GCM"
        case .aes256ForKeyWrap: "AES with 256 bits, for AES key wrap"
        case .rsa3072ForWrapping: "RSA with 3072 bits, for OAEP"
        case .rsa3072ForSigning: "RSA with 3072 bits, to sign"
        case .p256ForSigning: "ECDSA P-256, to sign"
        case .p384ForSigning: "ECDSA P-384, to sign"
        }
    }
}
