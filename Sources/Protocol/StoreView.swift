// A store as one of its own users sees it: how a caller's credential for the store reaches it through whatever
// stands in front.

/// A store with the access that a credential of its own gives, instead of the gateway's.
///
/// Made by ``SecretBackend/view(for:deadline:)``, for as long as one request lasts: it may hold the credential.
public struct StoreView: Sendable {
    /// The store. What the credential has no right to throws `permission_denied`; once the store no longer knows
    /// the credential, everything throws `unauthenticated`, or `permission_denied` where it does not tell them apart.
    public let backend: any SecretBackend
    /// Who that is, as the store says, for audit records: a few short texts under names that start with the kind of
    /// store, and never the credential.
    public let identity: [String: String]

    /// Makes a view.
    /// - Parameters:
    ///   - backend: the store with the credential's access.
    ///   - identity: who that is, as the store says; never the credential.
    public init(backend: any SecretBackend, identity: [String: String]) {
        self.backend = backend
        self.identity = identity
    }
}

extension SecretBackend {
    /// Refuses: a store without users of its own has no view for them, and a decorator that forgets to ask the
    /// store behind it must not serve everybody with the gateway's access.
    /// - Throws: `invalid_argument`, always.
    public func view(for credential: SecretBytes, deadline: Deadline) async throws(SecretError) -> StoreView {
        throw SecretError(.invalidArgument, "The store \(name) takes no credentials of its callers; do not send one.")
    }
}
