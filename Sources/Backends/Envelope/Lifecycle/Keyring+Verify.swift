// Whether every key-encryption key still opens what is wrapped under it.

import PosternProtocol
import Synchronization

/// The last report of a check, for health and metrics.
final class VerificationState: Sendable {
    private let last = Mutex<KeyVerification?>(nil)

    var report: KeyVerification? { last.withLock { $0 } }

    func note(_ report: KeyVerification) { last.withLock { $0 = report } }
}

extension Keyring {
    /// Opens each version of a domain's key with each wrapper and compares.
    /// - Parameters:
    ///   - results: one for each wrapper, in the order of wrappers; counts are added.
    ///   - patience: how long one unwrapping may take.
    func verify(
        _ domain: String, _ results: inout [KeyVerification.Result], patience: Duration, deadline: Deadline
    ) async throws(SecretError) {
        let record = try await existing(domain, deadline: deadline).record
        guard !record.isDestroyed else {
            // Whoever destroyed it may have died before older versions of the record were gone.
            try await eraseOlderRecords(domain, deadline: deadline)
            return
        }
        for key in record.keys where key.destroyedAt == nil {
            guard let name = key.name else { continue }
            let binding = KeyringRecord.associatedData(domain: domain, key: name)
            var opened: SecretBytes?
            for (index, wrapper) in wrappers.enumerated() {
                guard let wrap = key.wraps.first(where: { $0.kek == wrapper.descriptor.id }) else {
                    results[index].missing += 1
                    continue
                }
                do throws(SecretError) {
                    let bytes = try await wrapper.unwrap(
                        Array(wrap.blob), associatedData: binding, deadline: min(deadline, .after(patience)))
                    guard bytes.count == DomainKey.byteCount, opened == nil || opened == bytes else {
                        throw SecretError(.integrityFailure, "It opens to other bytes than the other keys say.")
                    }
                    opened = bytes
                    results[index].opened += 1
                } catch {
                    // A caller who gave up has found nothing out.
                    if error.code == .cancelled { throw error }
                    results[index].ok = false
                    results[index].failed += 1
                    results[index].problem =
                        results[index].problem ?? "domain \(domain), version \(key.version): \(error.message)"
                }
            }
        }
    }
}
