// Finds out whether a write happened whose answer was lost: by compare-and-set, which lets it happen once.

import PosternProtocol

extension VaultBackend {
    private static let firstPause: Duration = .milliseconds(10)
    private static let longestPause: Duration = .milliseconds(500)

    /// Sends a write again, over the same version, until there is an answer.
    ///
    /// - If it is written now, then the lost one was not, and will not be: the version that it was to be written over is
    ///   current no more.
    /// - If it mismatches, then either the lost one was written, and its version holds the same payload, or somebody else was
    ///   first, and it holds another. (If somebody wrote the very same payload over the same version, both have their wish.)
    /// - Parameter cause: why there is no answer.
    /// - Throws: an error that says that it is not known whether the version was written.
    func settle(
        _ write: KVWrite, _ cause: SecretError, deadline: Deadline
    ) async throws(SecretError) -> KVWrite.Outcome {
        var cause = cause
        var pause = Self.firstPause
        while true {
            do throws(SecretError) {
                try await wait(pause, write, deadline: deadline)
                switch try await attempt(write, deadline: deadline) {
                case .settled(.written(let info)): return .written(info)
                case .settled(.mismatch):
                    if let outcome = try await verdict(on: write, deadline: deadline) { return outcome }
                case .unclear(let another): cause = another
                }
            } catch {
                throw unknown(write, cause, error)
            }
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// Whose the version is that a write was to make, now that it is known to have been made, if not by this write.
    /// - Returns: nil if the secret is gone, so that the write can be made again.
    /// - Throws: what prevents the comparison.
    private func verdict(on write: KVWrite, deadline: Deadline) async throws(SecretError) -> KVWrite.Outcome? {
        let found: SecretVersion
        do throws(SecretError) {
            found = try await read(write.path, version: write.number, deadline: deadline)
        } catch {
            switch error.code {
            case .notFound: break
            // What is there is no payload at all, so it is not this one.
            case .integrityFailure: return .mismatch
            default: throw error
            }
            let current = try await metadataIfThere(write.path, deadline: deadline)?.current
            if let current, current < write.number { return .mismatch }
            if current == nil, write.cas == 0 { return nil }
            throw error
        }
        return found.payload == write.payload ? .written(found.info) : .mismatch
    }

    private func wait(_ pause: Duration, _ write: KVWrite, deadline: Deadline) async throws(SecretError) {
        do {
            try await Task.sleep(until: min(.now + pause, deadline.instant), clock: .continuous)
        } catch {
            // Cancelled: the check says so.
        }
        try deadline.check("Vault could be asked again for \(write.path)")
    }

    /// What to say where it stays unknown.
    /// - Parameters:
    ///   - cause: why the answer was lost.
    ///   - error: why it could not be made up for.
    private func unknown(_ write: KVWrite, _ cause: SecretError, _ error: SecretError) -> SecretError {
        let code: SecretError.Code =
            switch error.code {
            case .cancelled, .deadlineExceeded, .backendSealed: error.code
            default: .backendUnavailable
            }
        return SecretError(
            code,
            "It is not known whether \(write.path) was written: if it was, it is version \(write.number); read that before "
                + "writing again. The answer was lost: \(cause.message) Asked again: \(error.message)",
            retryAfterSeconds: error.retryAfterSeconds)
    }
}
