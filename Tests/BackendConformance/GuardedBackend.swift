// A store with users of its own, as Vault is one: what a credential may do is for the store to say, at every call.

public import PosternProtocol
import Synchronization

/// A decorator that gives a backend users, whom it knows by their credentials. Its own access has all rights, unless a
/// test takes them away.
public final class GuardedBackend: SecretBackend {
    /// What a user may do: given the method's name and the path it is about, if it is about one.
    public typealias Rights = @Sendable (_ call: String, _ path: SecretPath?) -> Bool

    /// Whom the store knows by a credential.
    public struct User: Sendable {
        let name: String
        let may: Rights

        /// Describes a user.
        /// - Parameters:
        ///   - name: for ``GuardedBackend/asked``, and as accessor and entity.
        ///   - may: what it may do; everything by default.
        public init(_ name: String, may: @escaping Rights = { _, _ in true }) {
            self.name = name
            self.may = may
        }

        var identity: [String: String] { ["test_accessor": "accessor-\(name)", "test_entity": "entity-\(name)"] }
    }

    private struct State {
        var users: [String: User] = [:]
        var own: Rights = { _, _ in true }
        var asked: [String] = []
        var isDown = false
        var onAnswer: (@Sendable (String) async throws(SecretError) -> Void)?
    }

    private final class Guards: Sendable {
        let state = Mutex(State())
    }

    /// The name in logs: `guarded(…)`.
    public var name: String { "guarded(\(inner.name))" }

    private let inner: any SecretBackend
    private let guards: Guards
    /// Whose view this is; nil for the store with its own access.
    private let credential: SecretBytes?

    /// Puts guards in front of a backend. They know nobody yet.
    public init(_ inner: any SecretBackend) {
        self.inner = inner
        self.guards = Guards()
        self.credential = nil
    }

    private init(_ store: GuardedBackend, as credential: SecretBytes) {
        self.inner = store.inner
        self.guards = store.guards
        self.credential = credential
    }

    /// The calls so far that reached the store, answered or refused, as in `read a/b as alice`; without a name after
    /// `as`, by nobody that the store knows; without `as`, with its own access.
    public var asked: [String] { guards.state.withLock { $0.asked } }

    /// Makes the store know a credential.
    public func admit(_ token: String, as user: User) {
        guards.state.withLock { $0.users[token] = user }
    }

    /// Makes the store no longer know a credential.
    public func revoke(_ token: String) {
        guards.state.withLock { $0.users[token] = nil }
    }

    /// Says what the store's own access may do.
    public func restrictOwnAccess(_ may: @escaping Rights) {
        guards.state.withLock { $0.own = may }
    }

    /// From now on every call fails as if the store could not be reached, or no longer does.
    public func setDown(_ isDown: Bool) {
        guards.state.withLock { $0.isDown = isDown }
    }

    /// Runs when a call has been answered and the answer is on its way, which may fail there.
    /// - Parameter body: is given the call as in ``asked``.
    public func onAnswer(_ body: (@Sendable (String) async throws(SecretError) -> Void)?) {
        guards.state.withLock { $0.onAnswer = body }
    }

    /// The store as a user sees it.
    public func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        let view = GuardedBackend(self, as: credential)
        try deadline.check("the credential was looked up")
        // Who one is, everybody may ask.
        let user = try view.enter("view", nil, always: true)
        try await view.answer("view", nil, user)
        return StoreView(backend: view, identity: user?.identity ?? [:])
    }

    /// Reads, if the user may.
    public func read(
        _ path: SecretPath, version: Int?, deadline: Deadline
    ) async throws(SecretError) -> SecretVersion {
        try await call("read", path, deadline) { () async throws(SecretError) in
            try await inner.read(path, version: version, deadline: deadline)
        }
    }

    /// Writes, if the user may.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, deadline: Deadline
    ) async throws(SecretError) -> VersionInfo {
        try await call("write", path, deadline) { () async throws(SecretError) in
            try await inner.write(path, payload, expecting: expecting, deadline: deadline)
        }
    }

    /// Deletes, if the user may.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await call("delete", path, deadline) { () async throws(SecretError) in
            try await inner.delete(path, versions: versions, deadline: deadline)
        }
    }

    /// Undeletes, if the user may.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await call("undelete", path, deadline) { () async throws(SecretError) in
            try await inner.undelete(path, versions: versions, deadline: deadline)
        }
    }

    /// Destroys, if the user may.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try await call("destroy", path, deadline) { () async throws(SecretError) in
            try await inner.destroy(path, versions: versions, deadline: deadline)
        }
    }

    /// Removes, if the user may.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try await call("remove", path, deadline) { () async throws(SecretError) in
            try await inner.remove(path, deadline: deadline)
        }
    }

    /// Lists, if the user may.
    public func list(_ query: ListQuery, deadline: Deadline) async throws(SecretError) -> SecretList {
        try await call("list", nil, deadline) { () async throws(SecretError) in
            try await inner.list(query, deadline: deadline)
        }
    }

    /// Describes, if the user may.
    public func describe(_ path: SecretPath, deadline: Deadline) async throws(SecretError) -> SecretDescription {
        try await call("describe", path, deadline) { () async throws(SecretError) in
            try await inner.describe(path, deadline: deadline)
        }
    }

    /// Changes metadata, if the user may.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try await call("updateMetadata", path, deadline) { () async throws(SecretError) in
            try await inner.updateMetadata(path, change, deadline: deadline)
        }
    }

    /// Not ready during an outage.
    public func health(deadline: Deadline) async -> BackendHealth {
        guard !guards.state.withLock({ $0.isDown }) else { return BackendHealth(isReady: false, detail: "down") }
        return await inner.health(deadline: deadline)
    }

    private func call<Value>(
        _ call: String, _ path: SecretPath?, _ deadline: Deadline, _ act: () async throws(SecretError) -> Value
    ) async throws(SecretError) -> Value {
        try deadline.check("the store was asked")
        let user = try enter(call, path)
        let result = try await act()
        try await answer(call, path, user)
        return result
    }

    private func answer(_ call: String, _ path: SecretPath?, _ user: User?) async throws(SecretError) {
        guard let onAnswer = guards.state.withLock({ $0.onAnswer }) else { return }
        try await onAnswer(Self.text(call, path, user?.name))
    }

    /// Notes a call, and throws unless it may be made.
    /// - Returns: who makes it, or nil for the store's own access.
    private func enter(_ call: String, _ path: SecretPath?, always: Bool = false) throws(SecretError) -> User? {
        let token = credential?.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        let (user, isDown, own) = guards.state.withLock { state in
            let user = token.flatMap { state.users[$0] }
            state.asked.append(Self.text(call, path, token == nil ? nil : user?.name ?? ""))
            return (user, state.isDown, state.own)
        }
        guard !isDown else { throw SecretError(.backendUnavailable, "The store is down.") }
        guard token == nil || user != nil else {
            throw SecretError(.unauthenticated, "The store does not know the token.")
        }
        guard always || (user?.may ?? own)(call, path) else {
            throw SecretError(.permissionDenied, "The store does not let you \(call) \(path?.text ?? "here").")
        }
        return user
    }

    private static func text(_ call: String, _ path: SecretPath?, _ name: String?) -> String {
        [call, path?.text, name.map { "as \($0)" }].compactMap(\.self).joined(separator: " ")
    }
}
