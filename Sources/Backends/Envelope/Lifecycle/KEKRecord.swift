// When each key-encryption key came, was used anew, and went: what the key records of domains do not say.

import PosternCoding
import PosternProtocol

/// Stored as JSON under `.postern/register/keks`.
struct KEKRecord: Codable, Equatable {
    struct Entry: Codable, Equatable {
        let id: String
        var algorithm: String
        var origin: String
        var firstSeen: Timestamp
        var rotatedAt: Timestamp?
        var retiredAt: Timestamp?
    }

    var keks: [Entry] = []

    /// The entry of a key, made if there is none.
    mutating func change(_ about: KeyDescriptor, at now: Timestamp, _ change: (inout Entry) -> Void) {
        var entry =
            keks.first { $0.id == about.id }
            ?? Entry(id: about.id, algorithm: about.algorithm, origin: about.origin, firstSeen: now)
        change(&entry)
        keks.removeAll { $0.id == about.id }
        keks.append(entry)
        keks.sort { $0.id < $1.id }
    }
}

extension Keyring {
    /// The register of key-encryption keys as it is stored.
    func keks(deadline: Deadline) async throws(SecretError) -> KEKRecord {
        try await StoredJSON.read(KEKRecord.self, try Self.kekPath(), from: store, deadline: deadline)?.value
            ?? KEKRecord()
    }

    /// Changes the register by compare-and-set; the same is not written.
    func changeKEKs(
        deadline: Deadline, _ change: (inout KEKRecord, Timestamp) -> Void
    ) async throws(SecretError) {
        let path = try Self.kekPath()
        while true {
            let held = try await StoredJSON.read(KEKRecord.self, path, from: store, deadline: deadline)
            let before = held?.value ?? KEKRecord()
            var after = before
            change(&after, clock.now())
            guard after != before else { return }
            do throws(SecretError) {
                _ = try await StoredJSON.write(after, path, after: held?.version ?? 0, to: store, deadline: deadline)
                return
            } catch  where error.code == .conflict {
                try deadline.check("the register of key-encryption keys was changed: other gateways came first")
            }
        }
    }

    /// Notes the configured wrappers, as first seen now unless they are known; one that was retired is not any more.
    func noteWrappers(deadline: Deadline) async throws(SecretError) {
        try await changeKEKs(deadline: deadline) { record, now in
            for wrapper in wrappers { record.change(wrapper.descriptor, at: now) { $0.retiredAt = nil } }
        }
    }

    /// Notes what was wrapped anew and dropped.
    func note(_ done: Rewrapped, deadline: Deadline) async throws(SecretError) {
        guard done.isChange else { return }
        try await changeKEKs(deadline: deadline) { record, now in
            for wrapper in wrappers where done.made.contains(wrapper.descriptor.id) {
                record.change(wrapper.descriptor, at: now) { $0.rotatedAt = Self.noted($0.rotatedAt, now) }
            }
            for (about, wrappedAt) in done.dropped {
                record.change(about, at: wrappedAt) { $0.retiredAt = Self.noted($0.retiredAt, now) }
            }
        }
    }

    /// To the minute is enough for a register, and spares a write for each of a thousand domains.
    private static func noted(_ before: Timestamp?, _ now: Timestamp) -> Timestamp {
        guard let before, now.since(before) < .seconds(60) else { return now }
        return before
    }

    private static func kekPath() throws(SecretError) -> SecretPath { try .reserved("register/keks") }
}
