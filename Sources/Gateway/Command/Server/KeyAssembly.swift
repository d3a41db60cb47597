// Key-encryption keys, as a configuration names them.

import CloudKMS
import Envelope
import Foundation
import LocalKey
import Logging
import NIOCore
import PosternConfiguration
import PosternPKCS11
import PosternProtocol
import Vault

/// Makes the wrappers of configured keys. A key whose home is away is made all the same, and used when it is there.
struct KeyAssembly {
    let store: Store
    let tokens: Tokens
    let group: any EventLoopGroup
    let clock: any WallClock
    let logger: Logger

    /// How long a key's home has to answer at start; after that the gateway goes on without, and tries again when it needs it.
    private static let patience: Duration = .seconds(5)

    /// The wrapper of a key.
    func wrapper(_ key: KeySetting) async throws -> any KeyWrapper {
        switch key.origin {
        case .file: try await fileKey(key.value)
        case .transit: try await transitKey(key.value)
        case .awsKMS: try await awsKey(key.value)
        case .gcpKMS:
            try GCPKMSKeyWrapper(
                try GCPKMSKeyName(key.value), environment: ProcessInfo.processInfo.environment, group: group,
                clock: clock)
        case .pkcs11: try await hsmKey(key.value)
        }
    }

    /// Opens a key file. One that is missing is made only where the store holds no domain key: beside one it is lost or
    /// misplaced, and a new key would split the store between two.
    private func fileKey(_ path: String) async throws(SecretError) -> LocalFileKeyWrapper {
        if FileManager.default.fileExists(atPath: path) { return try LocalFileKeyWrapper(path: path) }
        guard try await !store.backend.holdsDomainKeys(deadline: .after(.seconds(10))) else {
            throw SecretError(
                .keyUnavailable,
                "The key file \(path) is missing, but the store holds what was encrypted under it; put it back.")
        }
        return try LocalFileKeyWrapper(path: path, createIfMissing: true)
    }

    private func transitKey(_ value: String) async throws(SecretError) -> DeferredKeyWrapper {
        guard let vault = store.vault else { throw SecretError(.internalError, "There is no Vault for Transit.") }
        let slash = value.lastIndex(of: "/") ?? value.startIndex
        let (mount, name) = (String(value[..<slash]), String(value[value.index(after: slash)...]))
        let wrapper = DeferredKeyWrapper(id: "transit:\(value)", origin: "transit") { (deadline) throws(SecretError) in
            try await TransitKeyWrapper.open(vault, key: name, mount: mount, deadline: deadline)
        }
        await prepare(wrapper) { (deadline) throws(SecretError) in try await wrapper.prepare(deadline: deadline) }
        return wrapper
    }

    /// A key of AWS KMS, with the domain as what CloudTrail shows of it.
    private func awsKey(_ name: String) async throws(SecretError) -> AWSKMSKeyWrapper {
        let wrapper = try AWSKMSKeyWrapper(
            try AWSKMSKeyName(name), environment: ProcessInfo.processInfo.environment, group: group, clock: clock,
            label: DomainKeyBinding.domain(of:))
        await prepare(wrapper) { (deadline) throws(SecretError) in try await wrapper.resolve(deadline: deadline) }
        return wrapper
    }

    private func hsmKey(_ uri: String) async throws(SecretError) -> PKCS11KeyWrapper {
        let wrapper = try tokens.wrapper(uri)
        await prepare(wrapper) { (deadline) throws(SecretError) in
            let health = await wrapper.health(deadline: deadline)
            guard health.isReady else { throw SecretError(.keyUnavailable, health.detail) }
        }
        return wrapper
    }

    private func prepare(
        _ wrapper: any KeyWrapper, _ reach: (Deadline) async throws(SecretError) -> Void
    ) async {
        do throws(SecretError) {
            try await reach(.after(Self.patience))
        } catch {
            logger.error(
                "a key-encryption key cannot be used now; the gateway starts without, and tries again when it is needed",
                metadata: ["key": "\(wrapper.descriptor.id)", "error": "\(error)"])
        }
    }
}
