// Reads the log as it grows, a batch of records at a time, and never past what is durable.

import PosternAudit
import PosternProtocol
import Synchronization
import TransparencyLog

/// A place in the log, and what comes after it. Blocks.
final class LogFollower: Sendable {
    /// Records that follow one another.
    struct Batch: Sendable {
        var records: [DeliveredRecord] = []
        /// How many were no longer there, removed as too old.
        var missing: UInt64 = 0
        /// The index after the last record that was looked for.
        var end: UInt64
    }

    /// How much a batch has at most, but for a single record.
    struct Limits: Sendable {
        var records = 1_000
        var bytes = 512 << 10
    }

    private struct State {
        var cursor: AuditLogReader.Cursor
        /// What comes next, as far as the cursor goes.
        var next: UInt64
        /// What was read and had no room in the last batch.
        var held: AuditLogReader.Entry?
        /// The record before ``next`` and its hash.
        var previous: (index: UInt64, hash: MerkleHash)?
    }

    private let reader: AuditLogReader
    private let origin: String
    private let state: Mutex<State?>

    /// - Parameters:
    ///   - directory: the log's.
    ///   - origin: the log's name.
    init(directory: String, origin: String) {
        reader = AuditLogReader(directory: directory)
        self.origin = origin
        state = Mutex(nil)
    }

    /// Reads on.
    /// - Parameters:
    ///   - start: the index of the first record wanted.
    ///   - end: how many records are durable.
    ///   - limits: how much at most.
    func batch(from start: UInt64, below end: UInt64, limits: Limits) throws(SinkFailure) -> Batch {
        let known = self.state.withLock { $0 }
        var state: State
        if let known, known.next == start { state = known } else { state = try seek(to: start, below: end) }
        var batch = Batch(end: start)
        var bytes = 0
        do {
            // What was read ahead may not have been durable then, and replaced since.
            state.cursor.refresh()
            while state.next < end, batch.records.count < limits.records {
                guard let entry = try state.held ?? state.cursor.next() else { break }
                state.held = nil
                if !batch.records.isEmpty, bytes + entry.json.count > limits.bytes {
                    state.held = entry
                    break
                }
                let previous = state.previous.flatMap { $0.index + 1 == entry.index ? $0.hash : nil }
                let record = try DeliveredRecord(
                    index: entry.index, origin: origin, json: entry.json, previousHash: previous)
                batch.missing += entry.index - state.next
                batch.records.append(record)
                bytes += entry.json.count
                state.next = entry.index + 1
                state.previous = (entry.index, record.leafHash)
            }
            batch.end = state.next
        } catch {
            self.state.withLock { $0 = nil }
            throw SinkFailure(message: Self.text(error))
        }
        self.state.withLock { $0 = state }
        return batch
    }

    /// A place in the log, with the record before it for its hash.
    private func seek(to start: UInt64, below end: UInt64) throws(SinkFailure) -> State {
        let from = start == 0 ? 0 : start - 1
        var state = State(cursor: reader.entries(from: from), next: start)
        guard start > 0, from < end else { return state }
        do {
            guard let entry = try state.cursor.next() else { return state }
            if entry.index == from { state.previous = (from, MerkleHash.leaf(entry.json)) } else { state.held = entry }
        } catch {
            throw SinkFailure(message: Self.text(error))
        }
        return state
    }

    private static func text(_ error: any Error) -> String {
        switch error {
        case let error as AuditLogError: error.message
        case let error as SecretError: error.message
        default: "the audit log cannot be read"
        }
    }
}
