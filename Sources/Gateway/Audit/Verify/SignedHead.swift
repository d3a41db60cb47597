// What is signed about a log: its checkpoint, the keys from the first to the last, and every other checkpoint that the
// tree must agree with.

import TransparencyLog

/// A log's checkpoint, opened with a key that is trusted or was handed over to by one.
struct SignedHead {
    /// A tree that must be the beginning of this one.
    struct Earlier {
        let name: String
        let checkpoint: Checkpoint
        /// What it means if it is not.
        let kind: LogProblem.Kind
    }

    let checkpoint: Checkpoint
    let note: SignedNote
    /// The trusted keys, the current one last.
    private(set) var keys: [VerifierKey]
    /// What the tree must agree with, by size.
    private(set) var earlier: [Earlier] = []
    private(set) var minimumIndex: UInt64 = 0

    /// - Parameters:
    ///   - log: the published log.
    ///   - given: the keys that the auditor brings; none for the first one beside the log.
    ///   - kept: the checkpoints that the auditor kept.
    /// - Throws: ``LogProblem``, `AuditLogError`.
    init(_ log: LogDirectory, keys given: [VerifierKey], kept: [LogVerifier.Kept] = []) throws {
        let path = log.file(LogDirectory.checkpointName)
        guard let bytes = try FileList.contents(path, limit: SignedNote.maximumBytes) else {
            throw LogProblem(.checkpoint, file: path, "There is no checkpoint.")
        }
        do throws(TransparencyLogError) {
            note = try SignedNote(parsing: bytes)
            checkpoint = try Checkpoint(text: note.text)
        } catch {
            throw LogProblem(.checkpoint, file: path, "This is not a checkpoint: \(error.message).")
        }
        keys = try given.isEmpty ? [Self.firstKey(log)] : given
        try followHandovers(log, isLenient: !given.isEmpty)
        try openCheckpoint(path)
        try openPruned(log)
        for kept in kept { try open(kept) }
        earlier.sort { $0.checkpoint.size < $1.checkpoint.size }
    }

    private static func firstKey(_ log: LogDirectory) throws -> VerifierKey {
        let path = log.file(LogDirectory.firstKeyName)
        guard let bytes = try FileList.contents(path, limit: 4_096) else {
            throw LogProblem(.key, file: path, "There is no key beside the log; bring one with --key.")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        do throws(TransparencyLogError) {
            guard text.hasSuffix("\n") else { throw TransparencyLogError(.malformed, "it does not end in a newline") }
            return try VerifierKey(text.dropLast())
        } catch {
            throw LogProblem(.key, file: path, "This is not a verifier key: \(error.message).")
        }
    }

    /// Opens a receipt that lies beside the log: its record is in this log, and it is signed by a trusted key.
    /// - Returns: its record, and the checkpoint that covers it; nil if it is signed by nobody who is trusted.
    private func open(_ path: String) throws -> (index: UInt64, record: [UInt8], checkpoint: Checkpoint)? {
        let bytes = try FileList.contents(path, limit: Receipt.maximumBytes) ?? []
        do throws(TransparencyLogError) {
            let receipt = try Receipt(parsing: bytes)
            guard let record = receipt.extra else {
                throw TransparencyLogError(.malformed, "the receipt has no record")
            }
            let checkpoint = try receipt.verify(entry: record, origin: self.checkpoint.origin, keys: keys)
            return (receipt.proof.index, record, checkpoint)
        } catch {
            guard error.code != .unknownKey else { return nil }
            throw LogProblem(.receipt, file: path, "This receipt does not hold: \(error.message).")
        }
    }

    /// Follows the keys from the trusted one to the current one.
    /// - Parameter isLenient: whether a handover by an unknown key is passed over: the auditor may have come later.
    private mutating func followHandovers(_ log: LogDirectory, isLenient: Bool) throws {
        for index in try log.handovers() {
            let path = log.file(LogDirectory.handoverName(index))
            guard let handover = try open(path) else {
                if isLenient { continue }
                throw LogProblem(.key, index: index, file: path, "This handover is not signed by the key before it.")
            }
            guard handover.index == index,
                let text = LogRecord.detail(LogRecord.newKey, of: LogRecord.rotation, in: handover.record),
                let key = try? VerifierKey(text)
            else { throw LogProblem(.receipt, index: index, file: path, "This record names no new key.") }
            earlier.append(Earlier(name: path, checkpoint: handover.checkpoint, kind: .receipt))
            keys.removeAll { $0 == key }
            keys.append(key)
        }
    }

    private func openCheckpoint(_ path: String) throws {
        let signers: [VerifierKey]
        do throws(TransparencyLogError) {
            signers = try note.verify(with: keys)
        } catch {
            let isUnknown = error.code == .unknownKey
            let names = keys.map(\.description).joined(separator: ", ")
            throw LogProblem(
                isUnknown ? .key : .checkpoint, file: path,
                isUnknown
                    ? "The checkpoint is not signed by a trusted key (\(names)); the signing key was exchanged without "
                        + "being handed over, or this is another log."
                    : "The checkpoint's signature does not hold.")
        }
        // The holder of the key could pass this log off as another one.
        guard keys.contains(where: { $0.name == checkpoint.origin }) else {
            throw LogProblem(
                .checkpoint, file: path,
                "The checkpoint is of a log called \(checkpoint.origin), which no trusted key is called.")
        }
        // Between a handover and the new key's first signature, the old key's last checkpoint is there.
        let handover = earlier.last.map(\.checkpoint.size) ?? 0
        guard let current = keys.last, earlier.isEmpty || signers.contains(current) || checkpoint.size <= handover
        else {
            throw LogProblem(.key, file: path, "The checkpoint is signed by a key that had handed over to another.")
        }
    }

    private mutating func openPruned(_ log: LogDirectory) throws {
        let path = log.file(LogDirectory.prunedName)
        guard FileList.exists(path) else { return }
        guard let pruned = try open(path),
            let text = LogRecord.detail(LogRecord.minimum, of: LogRecord.pruning, in: pruned.record),
            let minimum = UInt64(text), minimum <= pruned.index
        else {
            throw LogProblem(
                .receipt, file: path, "This is not the receipt of a record of this log that allows pruning.")
        }
        earlier.append(Earlier(name: path, checkpoint: pruned.checkpoint, kind: .receipt))
        minimumIndex = minimum
    }

    private mutating func open(_ kept: LogVerifier.Kept) throws {
        let earlier: Checkpoint
        do throws(TransparencyLogError) {
            // What an auditor kept is trusted for having been kept; whose signature is on it is checked all the same.
            earlier = try Checkpoint(SignedNote(parsing: kept.bytes), origin: checkpoint.origin, keys: keys)
        } catch {
            throw LogProblem(
                error.code == .unknownKey ? .key : .checkpoint, file: kept.name,
                "This kept checkpoint cannot be used: \(error.message).")
        }
        guard earlier.size <= checkpoint.size else {
            throw LogProblem(
                .rollback, index: checkpoint.size, file: kept.name,
                "This kept checkpoint covers \(earlier.size) records, but the log only \(checkpoint.size): "
                    + "it was rolled back.")
        }
        self.earlier.append(Earlier(name: kept.name, checkpoint: earlier, kind: .fork))
    }
}
