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
    /// How many domains are looked at together: a key far away takes some tens of milliseconds for each.
    private static let verifiedTogether = 8

    /// Opens each version of every domain's key with each wrapper and compares.
    /// - Parameters:
    ///   - patience: how long one unwrapping may take.
    ///   - deadline: when the caller stops waiting.
    /// - Returns: how many domains there are, and a result for each wrapper, in the order of wrappers.
    func verifyAll(
        patience: Duration, deadline: Deadline
    ) async throws(SecretError) -> (domains: Int, results: [KeyVerification.Result]) {
        var (count, results, cursor) = (0, noResults, String?.none)
        repeat {
            let page = try await domains(after: cursor, limit: 100, deadline: deadline)
            for start in stride(from: 0, to: page.names.count, by: Self.verifiedTogether) {
                let some = page.names[start..<min(start + Self.verifiedTogether, page.names.count)]
                for result in try await verify(some, patience: patience, deadline: deadline) {
                    for index in results.indices { results[index].add(result[index]) }
                }
            }
            count += page.names.count
            cursor = page.next
        } while cursor != nil
        return (count, results)
    }

    /// Results in the order of the domains, so that of several problems the same one is told each time.
    private func verify(
        _ domains: ArraySlice<String>, patience: Duration, deadline: Deadline
    ) async throws(SecretError) -> [[KeyVerification.Result]] {
        typealias Outcome = Result<[KeyVerification.Result], SecretError>
        let outcomes = await withTaskGroup(of: (Int, Outcome).self) { group in
            for (index, domain) in zip(domains.indices, domains) {
                group.addTask {
                    do throws(SecretError) {
                        return (index, .success(try await verify(domain, patience: patience, deadline: deadline)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        var results: [[KeyVerification.Result]] = []
        for index in domains.indices {
            if let outcome = outcomes[index] { results.append(try outcome.get()) }
        }
        return results
    }

    /// Opens each version of a domain's key with each wrapper and compares.
    /// - Parameters:
    ///   - domain: the domain.
    ///   - patience: how long one unwrapping may take.
    ///   - deadline: when the caller stops waiting.
    /// - Returns: a result for each wrapper, in the order of wrappers.
    func verify(
        _ domain: String, patience: Duration, deadline: Deadline
    ) async throws(SecretError) -> [KeyVerification.Result] {
        var results = noResults
        let record = try await existing(domain, deadline: deadline).record
        guard !record.isDestroyed else {
            // Whoever destroyed it may have died before older versions of the record were gone.
            try await eraseOlderRecords(domain, deadline: deadline)
            return results
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
        return results
    }

    private var noResults: [KeyVerification.Result] {
        wrappers.map { KeyVerification.Result(kek: $0.descriptor.id) }
    }
}

extension KeyVerification.Result {
    fileprivate mutating func add(_ other: Self) {
        ok = ok && other.ok
        opened += other.opened
        failed += other.failed
        missing += other.missing
        problem = problem ?? other.problem
    }
}
