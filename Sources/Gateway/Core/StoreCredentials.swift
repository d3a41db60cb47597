// Callers' own credentials for the store, passed through to it, so that its rules decide as well as policy.

import PosternAudit
import PosternProtocol

/// Whether the gateway passes credentials of its callers through to the store.
public enum StoreCredentials: Sendable, Equatable {
    /// It uses its own access for everybody. A call that brings a credential is refused: its sender takes it for
    /// granted that the store decides.
    case refused
    /// A call that brings a credential is done with that, any other with the gateway's own access.
    case optional
    /// Callers that authenticate by client certificate must bring one. `header` is where, for the message to those
    /// that do not.
    case required(header: String)
}

extension Gateway {
    /// The store as a request may use it: with the gateway's own access, or as the bearer of the caller's credential
    /// sees it. Comes after policy, so that a denial by policy asks the store nothing.
    /// - Parameter record: is told who the store says that the bearer is.
    func store(
        for caller: Caller, _ context: RequestContext, _ record: inout AuditRecord
    ) async throws(SecretError) -> any SecretBackend {
        guard let credential = try storeCredential(of: caller, context) else { return backend }
        let view = try await backend.view(for: credential, deadline: context.deadline)
        Self.note(view, in: &record)
        return view.backend
    }

    /// The same, for what has many records.
    func view(
        for caller: Caller, _ context: RequestContext
    ) async -> Result<StoreView, SecretError> {
        do throws(SecretError) {
            guard let credential = try storeCredential(of: caller, context) else {
                return .success(StoreView(backend: backend, identity: [:]))
            }
            return .success(try await backend.view(for: credential, deadline: context.deadline))
        } catch {
            return .failure(error)
        }
    }

    /// Writes into a record who the store says that the bearer of the caller's credential is.
    static func note(_ view: StoreView, in record: inout AuditRecord) {
        record.detail.merge(view.identity) { ours, _ in ours }
    }

    /// The credential to ask the store with, or nil for the gateway's own access.
    private func storeCredential(
        of caller: Caller, _ context: RequestContext
    ) throws(SecretError) -> SecretBytes? {
        guard let credential = context.storeCredential else {
            if case .required(let header) = storeCredentials, caller.authentication == .mutualTLS {
                throw SecretError(
                    .unauthenticated,
                    "The store behind this gateway wants to know you too: send a token of its own in the header "
                        + "\(header).")
            }
            return nil
        }
        guard storeCredentials != .refused else {
            throw SecretError(
                .invalidArgument, "This gateway passes no tokens through to its store; do not send it one.")
        }
        return credential
    }
}
