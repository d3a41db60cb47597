// Key-encryption keys in each of their homes, real ones all: what the stacks are tried under.

import CloudServers
import Envelope
import Foundation
import Logging
import NIOPosix
import PosternPKCS11
import PosternProtocol
import SoftTokens
import Testing
import VaultServers

@testable import CloudKMS
@testable import Vault

/// Late enough for a machine that runs much else.
var soon: Deadline { .after(.seconds(240)) }

/// Where the key-encryption key lives.
enum KeyHome: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case transit, awsKMS, softHSM

    var testDescription: String { rawValue }

    /// A wrapper of a test's own under a key that the tests share.
    func wrapper() async throws -> any KeyWrapper {
        switch self {
        case .transit:
            let place = try await Self.transitKey.value
            return try await TransitKeyWrapper.open(
                try await vault(), key: place.key, mount: place.mount, deadline: soon)
        case .awsKMS:
            return try AWSKMSKeyWrapper(
                AWSKMSKeyName(try await Self.awsKey.value),
                environment: [
                    "AWS_ENDPOINT_URL_KMS": try await MotoServer.shared.url, "AWS_ACCESS_KEY_ID": "AKIATEST",
                    "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent",
                ], group: MultiThreadedEventLoopGroup.singleton, clock: SystemWallClock(),
                attempts: Attempts(patience: .seconds(200), each: .seconds(100)), label: DomainKeyBinding.domain(of:))
        case .softHSM:
            let (hsm, token) = try await Self.hsmKey.value
            let uri = try PKCS11URI(hsm.uri("kek"))
            return try PKCS11KeyWrapper(token: token, key: uri, id: uri.description)
        }
    }

    private static let hsmKey = Task { () throws -> (hsm: SoftToken, token: PKCS11Token) in
        let hsm = try SoftToken()
        let token = try PKCS11Token(PKCS11TokenSettings(PKCS11URI(hsm.uri("kek"))), modules: PKCS11Modules())
        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        return (hsm, token)
    }

    private static let transitKey = Task {
        let api = try await DevServer.shared.api
        let place = (mount: "transit-\(UUID().uuidString.lowercased())", key: "postern-kek")
        try await api.must("POST", "sys/mounts/\(place.mount)", #"{"type":"transit"}"#)
        try await api.must("POST", "\(place.mount)/keys/\(place.key)", "{}")
        return place
    }

    private static let awsKey = Task { try await MotoServer.shared.makeKey() }
}

/// A session at the shared development server, which the tests of this process share too.
func vault() async throws -> VaultSession { try await session.value }

private let session = Task {
    let api = try await DevServer.shared.api
    return try VaultSession(
        VaultOptions(addresses: [VaultAddress(api.address)]),
        authentication: .token(.value(SecretBytes(api.token))), group: MultiThreadedEventLoopGroup.singleton,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
}
