// Changing: each is recorded before it is attempted, and again with its outcome.

import PosternAudit
import PosternPolicy
public import PosternProtocol

extension Gateway {
    /// Writes a new version of a secret.
    /// - Parameters:
    ///   - path: the secret.
    ///   - payload: its new fields.
    ///   - expecting: the version that must be current, 0 for none, or nil to write in any case.
    ///   - caller: who asks.
    ///   - context: under what circumstances.
    /// - Throws: an error of the closed set with its place in the audit log.
    public func write(
        _ path: SecretPath, _ payload: Payload, expecting: Int?, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<VersionInfo> {
        try await performChange(
            .write, path, of: .write, by: caller, context,
            prepare: { record in
                record.fields = Self.bounded(payload.fields.map(\.name))
                if let expecting { record.detail["expecting"] = String(expecting) }
            },
            describe: { info, record in record.version = info.number }
        ) { (store) async throws(SecretError) in
            try await store.write(path, payload, expecting: expecting, deadline: context.deadline)
        }
    }

    /// Changes a secret's settings and labels.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<SecretDescription> {
        try await performChange(
            .updateMetadata, path, of: .updateMetadata, by: caller, context,
            prepare: { record in
                if let kept = change.maxVersions { record.detail["max_versions"] = String(kept) }
                if let seconds = change.deleteVersionAfterSeconds {
                    record.detail["delete_version_after_seconds"] = String(seconds)
                }
                if let required = change.casRequired { record.detail["cas_required"] = required ? "true" : "false" }
                if !change.labels.isEmpty {
                    record.detail["labels"] = Self.bounded(change.labels.keys.sorted()).joined(separator: ",")
                }
            }
        ) { (store) async throws(SecretError) in
            try await store.updateMetadata(path, change, deadline: context.deadline)
        }
    }

    /// Soft-deletes versions; with none named, the current one.
    public func delete(
        _ path: SecretPath, versions: [Int], by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<Void> {
        try await performChange(
            .delete, path, of: .delete, by: caller, context,
            prepare: { $0.detail["versions"] = Self.text(of: versions) }
        ) { (store) async throws(SecretError) in
            try await store.delete(path, versions: versions, deadline: context.deadline)
        }
    }

    /// Makes soft-deleted versions readable again.
    public func undelete(
        _ path: SecretPath, versions: [Int], by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<Void> {
        try await performChange(
            .undelete, path, of: .undelete, by: caller, context,
            prepare: { $0.detail["versions"] = Self.text(of: versions) }
        ) { (store) async throws(SecretError) in
            try await store.undelete(path, versions: versions, deadline: context.deadline)
        }
    }

    /// Removes the data of versions for good.
    public func destroy(
        _ path: SecretPath, versions: [Int], by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<Void> {
        try await performChange(
            .destroy, path, of: .destroy, by: caller, context,
            prepare: { $0.detail["versions"] = Self.text(of: versions) }
        ) { (store) async throws(SecretError) in
            try await store.destroy(path, versions: versions, deadline: context.deadline)
        }
    }

    /// Removes a secret with all its versions and metadata.
    public func remove(
        _ path: SecretPath, by caller: Caller, _ context: RequestContext
    ) async throws(AuditedError) -> Audited<Void> {
        try await performChange(.remove, path, of: .remove, by: caller, context) {
            (store) async throws(SecretError) in
            try await store.remove(path, deadline: context.deadline)
        }
    }

    /// At most 64 numbers, so that a record stays small.
    private static func text(of versions: [Int]) -> String {
        guard !versions.isEmpty else { return "current" }
        let shown = versions.prefix(64).map(String.init).joined(separator: ",")
        return versions.count > 64 ? "\(shown) and \(versions.count - 64) more" : shown
    }
}
