// What is done to a log while it is open, besides appending: a new signing key, and removing what is too old.

public import PosternProtocol
public import TransparencyLog

extension AuditLog {
    /// The published log: the last checkpoint, and how far it is behind.
    public struct Publication: Sendable {
        /// How many records the checkpoint covers.
        public let size: UInt64
        /// How long the oldest record that it does not cover has waited; zero if it covers all.
        public let age: Duration
        /// Why it cannot be published at present.
        public let problem: String?
    }

    /// How the published log is.
    public var publication: Publication {
        let status = sequencer.current
        return Publication(
            size: status.size, age: status.behindSince?.duration(to: .now) ?? .zero, problem: status.problem)
    }

    /// Waits until a checkpoint covers a record.
    /// - Parameters:
    ///   - index: the record's index.
    ///   - deadline: how long to wait.
    /// - Throws: `deadline_exceeded`, `cancelled`.
    public func published(covering index: UInt64, deadline: Deadline) async throws(SecretError) {
        while sequencer.current.size <= index {
            try deadline.check("record \(index) of the audit log was published")
            do {
                try await Task.sleep(for: .milliseconds(5))
            } catch {
                throw SecretError(.cancelled, "Waiting for record \(index) of the audit log was cancelled.")
            }
        }
    }

    /// Lets a new key sign checkpoints. The change is a record in the log, and the old key's last checkpoint covers it.
    /// - Parameters:
    ///   - time: the record's time.
    ///   - deadline: how long it may take; afterwards the old key still signs.
    /// - Returns: the new key's verifier key.
    /// - Throws: `invalid_argument` if the key is not in a file; `audit_unavailable`, `deadline_exceeded`, `cancelled`.
    public func rotateKey(at time: Timestamp, deadline: Deadline) async throws(SecretError) -> VerifierKey {
        guard let keyFile else {
            throw SecretError(.invalidArgument, "The audit log's signing key is not in a file; rotate it where it is.")
        }
        let files = files
        let new: Ed25519Signer
        do {
            let old = try await sequencer.perform { $0.signer.verifierKey }.get()
            new = try Ed25519Signer(name: old.name)
            try SigningKeyFile.write(new, to: keyFile.nextPath, files: files)
            let record = LogRecord.make(
                LogRecord.rotation, at: time,
                detail: [LogRecord.oldKey: old.description, LogRecord.newKey: new.verifierKey.description])
            let index = try await append(record)
            try await published(covering: index, deadline: deadline)
            let key = new
            try await sequencer.perform { publisher in
                var json: [UInt8] = []
                record.appendCanonicalJSON(to: &json)
                try publisher.handOver(to: key, index: index, record: json)
                try files.rename(keyFile.nextPath, to: keyFile.path)
                try files.synchronizeDirectory(SigningKeyFile.parent(keyFile.path))
            }.get()
        } catch let error as SecretError {
            throw error
        } catch {
            throw SecretError(.auditUnavailable, "The audit log's signing key could not be replaced. \(error)")
        }
        return new.verifierKey
    }

    /// Removes the oldest records: entry bundles whose last record is older than a time. Hashes stay, so that all
    /// checkpoints and proofs keep their meaning. What is removed is a record in the log first.
    /// - Parameters:
    ///   - cutoff: records from before this time are removed, as far as whole bundles go.
    ///   - now: the time of the record.
    ///   - deadline: how long it may take to record.
    /// - Returns: the index of the oldest record that is left, if anything was removed.
    /// - Throws: `audit_unavailable`, `integrity_failure`, `deadline_exceeded`, `cancelled`.
    public func prune(
        before cutoff: Timestamp, at now: Timestamp, deadline: Deadline
    ) async throws(SecretError) -> UInt64? {
        do {
            guard let minimum = try await sequencer.perform({ try Pruning.minimum(of: $0, before: cutoff) }).get()
            else {
                return nil
            }
            let record = LogRecord.make(LogRecord.pruning, at: now, detail: [LogRecord.minimum: String(minimum)])
            let index = try await append(record)
            try await published(covering: index, deadline: deadline)
            try await sequencer.perform { publisher in
                var json: [UInt8] = []
                record.appendCanonicalJSON(to: &json)
                try publisher.prune(below: minimum, index: index, record: json)
            }.get()
            return minimum
        } catch let error as SecretError {
            throw error
        } catch {
            throw SecretError(.auditUnavailable, "Old audit records could not be removed. \(error)")
        }
    }
}

/// What may be removed.
private enum Pruning {
    /// The index that the log can begin at so that all before it is older than a time; nil if nothing more can go.
    static func minimum(of publisher: Publisher, before cutoff: Timestamp) throws -> UInt64? {
        var text: [UInt8] = []
        cutoff.appendRFC3339(to: &text)
        let limit = String(decoding: text, as: UTF8.self)
        let earlier = try LogRecord.minimumIndex(in: publisher.log) ?? 0
        let full = (publisher.published?.size ?? 0) / 256
        // Only what the segments no longer have: they are read first.
        let segment = try AuditDirectory.segments(in: publisher.auditDirectory).first ?? 0
        var bundle = earlier / 256
        while bundle < min(full, segment / 256) {
            let tile = Tile(.entries, index: bundle)
            let bytes = try LogTiles(publisher.log).fetch(tile)
            guard let last = try EntryBundle.entries(in: bytes, width: 256).last,
                let time = LogRecord.time(of: Array(bytes[last])), time < limit
            else { break }
            bundle += 1
        }
        return bundle > earlier / 256 ? bundle * 256 : nil
    }
}
