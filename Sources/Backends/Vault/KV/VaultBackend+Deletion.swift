// Deleting, undeleting and destroying versions, and removing secrets.

import NIOCore
public import PosternProtocol

extension VaultBackend {
    /// Soft-deletes versions.
    public func delete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try deadline.check("deleting versions of \(path)")
        try await change(path, versions, by: "delete", deadline: deadline) { (_, info) throws(SecretError) in
            // Whether it is past its time is for Vault to say, and it leaves alone what is.
            info.state != .destroyed
        }
    }

    /// Makes soft-deleted versions readable again.
    public func undelete(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try deadline.check("undeleting versions of \(path)")
        try Self.needSome(versions)
        try await change(path, versions, by: "undelete", deadline: deadline) { (number, info) throws(SecretError) in
            if info.state == .destroyed { throw .versionDestroyed(path, version: number) }
            // Vault would also keep versions from deleting themselves that have not done so yet.
            return info.state == .deleted
        }
        try await forgetDeletions(path, of: versions, deadline: deadline)
    }

    /// Removes the data of versions for good.
    public func destroy(_ path: SecretPath, versions: [Int], deadline: Deadline) async throws(SecretError) {
        try deadline.check("destroying versions of \(path)")
        try Self.needSome(versions)
        try await change(path, versions, by: "destroy", deadline: deadline) { (_, info) throws(SecretError) in
            info.state != .destroyed
        }
    }

    /// Changes versions, all of which must be there: Vault passes over those that are not.
    /// - Parameters:
    ///   - versions: their numbers; empty for the current one.
    ///   - part: what is asked to change them.
    ///   - isNeeded: whether a version has to be changed.
    private func change(
        _ path: SecretPath, _ versions: [Int], by part: String, deadline: Deadline,
        isNeeded: @escaping @Sendable (Int, VersionInfo) throws(SecretError) -> Bool
    ) async throws(SecretError) {
        try await uninterrupted { [self] () throws(SecretError) in
            let secret = try await metadata(path, deadline: deadline)
            guard secret.current > 0 else { throw .notFound(path) }
            let chosen = Set(versions.isEmpty ? [secret.current] : versions).sorted()
            for number in chosen where secret.versions[number] == nil { throw .notFound(path, version: number) }
            var numbers: [String] = []
            for number in chosen {
                guard let version = secret.versions[number] else { continue }
                let info = try version.info(number: number, at: clock.now(), secret.history, clock)
                if part == "delete", info.state == .deleted, version.deletedAt == nil { continue }
                if try isNeeded(number, info) { numbers.append("\(number)") }
            }
            guard !numbers.isEmpty else { return }
            let body = ByteBuffer(string: "{\"versions\":[\(numbers.joined(separator: ","))]}")
            _ = try await mount.need(.post(mount.url(part, path), body, isRepeatable: true), deadline: deadline)
        }
    }

    private static func needSome(_ versions: [Int]) throws(SecretError) {
        guard !versions.isEmpty else { throw SecretError(.invalidArgument, "Say which versions; none was given.") }
    }

    /// Removes a secret with all its versions and metadata.
    public func remove(_ path: SecretPath, deadline: Deadline) async throws(SecretError) {
        try deadline.check("removing \(path)")
        try await uninterrupted { [self] () throws(SecretError) in
            let secret = try await metadata(path, deadline: deadline)
            // Not repeatable: a secret made anew under the same name is another one.
            var request = VaultRequest.delete(mount.url("metadata", path))
            request.isRepeatable = false
            while true {
                do throws(VaultFailure) {
                    _ = try await mount.send(request, deadline: deadline)
                    return
                } catch {
                    guard error.mayHaveHappened else { throw error.error }
                    guard try await isStillThere(path, secret, error.error, deadline: deadline) else { return }
                }
            }
        }
    }

    /// Whether a secret is there that may have been removed.
    /// - Parameter cause: why that is not known.
    private func isStillThere(
        _ path: SecretPath, _ secret: KVMetadata, _ cause: SecretError, deadline: Deadline
    ) async throws(SecretError) -> Bool {
        do throws(SecretError) {
            try deadline.check("Vault could be asked again for \(path)")
            return try await metadataIfThere(path, deadline: deadline)?.createdAt == secret.createdAt
        } catch {
            throw SecretError(
                error.code,
                "It is not known whether \(path) was removed: \(cause.message) Asked whether it is still there: "
                    + error.message, retryAfterSeconds: error.retryAfterSeconds)
        }
    }
}
