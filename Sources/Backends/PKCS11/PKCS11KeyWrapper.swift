// A key-encryption key (KEK) that never leaves an HSM.

import CP11Kit
public import PosternProtocol
import Synchronization

/// Wraps keys under a key of a PKCS#11 token, which stays there.
///
/// How is decided at the first wrap by what the token offers and what works when it is tried (AES-GCM before AES-KW;
/// RSA-OAEP for RSA keys), or pinned. Every blob says how it was made, and opens whatever is preferred now.
/// docs/key-wrapping.md describes the blobs.
public final class PKCS11KeyWrapper: KeyWrapper {
    /// Which key this is. The id is fixed; the algorithm is known after the first contact, unless it is pinned.
    public var descriptor: KeyDescriptor {
        let mechanism = pinned ?? choice.withLock { $0?.mechanism }
        return KeyDescriptor(id: id, algorithm: mechanism?.algorithm ?? "PKCS#11", origin: "pkcs11")
    }

    private let id: String
    private let token: PKCS11Token
    private let key: PKCS11URI
    private let pinned: PKCS11WrapMechanism?
    private let choice = Mutex<MechanismChoice?>(nil)

    /// Makes a wrapper without contact to the token, which may be away.
    /// - Parameters:
    ///   - token: where the key is.
    ///   - key: the key's `object` or `id` or both, and `type` (`secret-key` or `private`) where both kinds have the
    ///     same label; also the token's `serial`, unless there is an `id`.
    ///   - id: the name stored with what is wrapped; nil for `pkcs11:serial=…;object=…`, or `id=…` without a label.
    ///     It must never change: what was wrapped under another name is not opened.
    ///   - mechanism: how to wrap; nil to choose by what works.
    /// - Throws: `invalid_argument` if the key is not named, or there is no name to store.
    public init(
        token: PKCS11Token, key: PKCS11URI, id: String? = nil, mechanism: PKCS11WrapMechanism? = nil
    ) throws(SecretError) {
        guard key.object != nil || key.id != nil else {
            throw SecretError(.invalidArgument, "\(key) names no key: add `object=` with its label, or `id=`.")
        }
        guard [nil, .secretKey, .privateKey].contains(key.type) else {
            throw SecretError(
                .invalidArgument, "\(key) is not a key that can wrap: its `type` is secret-key or private.")
        }
        guard let id = id ?? Self.id(of: key) else {
            throw SecretError(
                .invalidArgument,
                "\(key) does not say the token's `serial`, without which the key cannot be told from others while the "
                    + "token is away. Add it to the URI, or give the key a name.")
        }
        guard (1...WrappedKeyHeader.maximumIDBytes).contains(id.utf8.count) else {
            throw SecretError(.invalidArgument, "The name of a key has 1 to 255 bytes, unlike \(id).")
        }
        self.id = id
        self.token = token
        self.key = key
        self.pinned = mechanism
    }

    /// Makes a wrapper for a token that is there now, whose serial number need not be in the URI.
    /// - Throws: as the initializer does; `key_unavailable` if the token or the key is not there or not alone;
    ///   `deadline_exceeded`, `cancelled`.
    public static func open(
        token: PKCS11Token, key: PKCS11URI, id: String? = nil, mechanism: PKCS11WrapMechanism? = nil,
        deadline: Deadline
    ) async throws(SecretError) -> PKCS11KeyWrapper {
        var key = key
        let about = try await token.describe(deadline: deadline)
        key.attributes[.serial] = about.serial
        let wrapper = try PKCS11KeyWrapper(token: token, key: key, id: id, mechanism: mechanism)
        _ = try await wrapper.chosen(deadline: deadline)
        return wrapper
    }

    /// Encrypts a key.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`; `internal` for a key of no bytes or more than 64.
    public func wrap(
        _ key: SecretBytes, associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> [UInt8] {
        guard (1...64).contains(key.count) else {
            throw SecretError(.internalError, "A key to wrap has 1 to 64 bytes, not \(key.count).")
        }
        let choice = try await chosen(deadline: deadline)
        return try await token.perform("wrapping under \(id)", deadline: deadline) {
            [self] (session, connection) throws(TokenFailure) in
            try tokenKey(choice, session, connection).wrap(key, associatedData: associatedData)
        }
    }

    /// Decrypts a key.
    /// - Throws: `integrity_failure` if the blob was wrapped under another key, bound to other data or changed;
    ///   `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        try deadline.check("unwrapping with \(id)")
        let (mechanism, body) = try WrappedKeyHeader.read(blob, id: id)
        guard Self.class(of: key).map({ $0 == mechanism.keyClass }) ?? true else { throw WrappedKeyHeader.damaged(id) }
        let how = MechanismChoice(mechanism: mechanism)
        switch try await attempt(body, associatedData, how, deadline) {
        case .opened(let key): return key
        case .bad: throw WrappedKeyHeader.damaged(id)
        case .unclear: break
        }
        // The blob or the token: if the token can do it with another blob, it is the blob.
        try await prove(how, deadline)
        guard case .opened(let key) = try await attempt(body, associatedData, how, deadline) else {
            throw WrappedKeyHeader.damaged(id)
        }
        return key
    }

    /// Whether a blob was made in another way than ``wrap(_:associatedData:deadline:)`` wraps now, or under another name
    /// of the key. A key on a token has no versions.
    /// - Throws: `key_unavailable`, `deadline_exceeded`, `cancelled`.
    public func needsRewrap(_ blob: [UInt8], deadline: Deadline) async throws(SecretError) -> Bool {
        let now = try await chosen(deadline: deadline).mechanism
        do throws(SecretError) {
            return try WrappedKeyHeader.read(blob, id: id).mechanism != now
        } catch {
            // It does not open as it is.
            return true
        }
    }

    /// Wraps and unwraps a random key.
    public func health(deadline: Deadline) async -> BackendHealth {
        do throws(SecretError) {
            let choice = try await chosen(deadline: deadline)
            try await prove(choice, deadline)
            return BackendHealth(isReady: true, detail: "ok")
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
    }
}

extension PKCS11KeyWrapper {
    private enum Attempt: Sendable {
        case opened(SecretBytes)
        case bad
        case unclear
    }

    private func attempt(
        _ body: ArraySlice<UInt8>, _ associatedData: [UInt8], _ how: MechanismChoice, _ deadline: Deadline
    ) async throws(SecretError) -> Attempt {
        try await token.perform("unwrapping with \(id)", deadline: deadline) {
            [self] (session, connection) throws(TokenFailure) in
            do throws(TokenFailure) {
                let key = try tokenKey(how, session, connection).unwrap(body, associatedData: associatedData)
                return key.map { .opened($0) } ?? .bad
            } catch {
                guard case .call(let refused) = error, refused.inputVerdict != .notAbout else { throw error }
                session.spoil()
                return refused.inputVerdict == .bad ? .bad : .unclear
            }
        }
    }

    private func prove(_ choice: MechanismChoice, _ deadline: Deadline) async throws(SecretError) {
        try await token.perform("trying \(id)", deadline: deadline) {
            [self] (session, connection) throws(TokenFailure) in
            try tokenKey(choice, session, connection).prove()
        }
    }

    /// The mechanism to wrap with; tries which one works the first time.
    private func chosen(deadline: Deadline) async throws(SecretError) -> MechanismChoice {
        if let known = choice.withLock({ $0 }) { return known }
        try deadline.check("wrapping under \(id)")
        let keyClass = try await keyClass(deadline)
        var reasons: [String] = []
        for candidate in MechanismChoice.preferred
        where candidate.mechanism.keyClass == keyClass && candidate.mechanism == pinned ?? candidate.mechanism {
            let verdict = try await token.perform("trying \(id)", deadline: deadline) {
                [self] (session, connection) throws(TokenFailure) in
                try tokenKey(candidate, session, connection).verdict()
            }
            switch verdict {
            case .works:
                choice.withLock { $0 = candidate }
                return candidate
            case .unsupported(let why): reasons.append("\(candidate.mechanism.algorithm): \(why)")
            }
        }
        throw SecretError(
            .keyUnavailable,
            "\(key) on \(token.settings.token) can wrap in no way that Postern knows (\(reasons.joined(separator: "; "))). "
                + "See the key's attributes and the token's mechanisms.")
    }

    /// Whether the key is a secret or a private one.
    private func keyClass(_ deadline: Deadline) async throws(SecretError) -> KeyQuery.Class {
        if let known = Self.class(of: key) ?? pinned?.keyClass { return known }
        return try await token.perform("looking for \(key)", deadline: deadline) {
            [self] (session, connection) throws(TokenFailure) in
            let hasSecret = try !connection.find(query(.secret), session).isEmpty
            let hasPrivate = try !connection.find(query(.private), session).isEmpty
            guard !(hasSecret && hasPrivate) else {
                throw .answer(
                    SecretError(
                        .keyUnavailable,
                        "The token \(connection.info.name) has both a secret and a private key that match \(key). Say "
                            + "which by adding `type=secret-key` or `type=private` to the URI."))
            }
            return hasPrivate ? .private : .secret
        }
    }

    private func tokenKey(_ how: MechanismChoice, _ session: Session, _ connection: Connection) -> TokenKey {
        TokenKey(
            id: id, query: query(how.mechanism.keyClass), mechanism: how.mechanism, tokenMakesIV: how.tokenMakesIV,
            session: session, connection: connection)
    }

    private func query(_ keyClass: KeyQuery.Class) -> KeyQuery {
        KeyQuery(label: key.object, id: key.id, keyClass: keyClass)
    }

    private static func `class`(of key: PKCS11URI) -> KeyQuery.Class? {
        switch key.type {
        case .secretKey: .secret
        case .privateKey: .private
        default: nil
        }
    }

    private static func id(of key: PKCS11URI) -> String? {
        guard let serial = key.attributes[.serial] else { return nil }
        var name = PKCS11URI()
        name.attributes[.serial] = serial
        name.object = key.object
        if key.object == nil { name.id = key.id }
        return name.description
    }
}
