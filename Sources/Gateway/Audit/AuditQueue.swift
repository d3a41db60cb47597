// Records on their way to the writer: what is shared between those who append and the one who writes.

import PosternProtocol
import Synchronization

/// What an append ends with: the index of its first record, or why it is not durable.
typealias AppendResult = Result<UInt64, SecretError>

/// Records that are written and synced together.
struct AuditBatch: Sendable {
    /// One append that waits.
    ///
    /// An unsafe continuation must be resumed exactly once. It is: the queue either refuses it, or has it in
    /// one batch, which is resumed when it is written or when the log is blocked. A checked one costs 0.4 µs
    /// more a record, a fifth of an append.
    @safe
    struct Waiter: Sendable {
        private let continuation: UnsafeContinuation<AppendResult, Never>
        /// The place of its first record within the batch.
        var position = 0

        init(_ continuation: UnsafeContinuation<AppendResult, Never>) {
            unsafe self.continuation = continuation
        }

        /// Tells who waits how it ended.
        func resume(_ result: AppendResult) {
            unsafe continuation.resume(returning: result)
        }
    }

    /// Room for the batch's header, then the records with their newlines.
    var bytes = [UInt8](repeating: 0, count: SegmentFormat.batchHeaderBytes)
    /// How many records there are.
    var count = 0
    /// Who waits for them.
    var waiters: [Waiter] = []

    /// Empties the batch, and keeps its memory.
    mutating func reset() {
        bytes.removeSubrange(SegmentFormat.batchHeaderBytes...)
        waiters.removeAll(keepingCapacity: true)
        count = 0
    }

    /// Tells everybody how it ended.
    func resume(_ result: AppendResult) {
        switch result {
        case .success(let first):
            for waiter in waiters { waiter.resume(.success(first + UInt64(waiter.position))) }
        case .failure:
            for waiter in waiters { waiter.resume(result) }
        }
    }
}

/// The queue of batches, guarded by a lock that nobody holds for longer than it takes to copy a record.
struct AuditQueue: Sendable {
    /// What the writer should do next.
    enum Step: Sendable {
        /// Write the batch.
        case write
        /// Wait until woken.
        case wait
        /// Stop: the log is closed and everything is written.
        case stop
    }

    /// The most records that wait; past it an append fails rather than let memory grow.
    static let maximumWaiting = 65_536
    /// The most batches that wait: with large records the bound is bytes.
    static let maximumBatches = 16
    /// Empty batches that are kept for their memory.
    private static let maximumSpare = 3

    /// The largest batch, header included.
    let batchLimit: Int
    private var batches: [AuditBatch] = []
    private var spare: [AuditBatch] = []
    private var waiting = 0
    private var isWriterIdle = false
    private var isClosed = false
    /// Why nothing can be written at present.
    private(set) var blockage: String?
    /// Why there is no room for the next segment.
    private(set) var shortage: String?
    /// How many records are durable.
    private(set) var durable: UInt64

    init(batchLimit: Int, durable: UInt64) {
        self.batchLimit = batchLimit
        self.durable = durable
    }

    /// Puts records in the last batch, or in a new one if they do not fit.
    /// - Returns: whether the writer sleeps and must be woken; or why the records cannot be taken.
    mutating func add(
        _ records: [UInt8], count: Int, _ waiter: AuditBatch.Waiter
    ) -> Result<Bool, SecretError> {
        if isClosed {
            return .failure(SecretError(.auditUnavailable, "The audit log is closed: the gateway is shutting down."))
        }
        if let blockage {
            return .failure(SecretError(.auditUnavailable, "The audit log cannot be written. \(blockage)"))
        }
        guard waiting + count <= Self.maximumWaiting else { return .failure(Self.overload) }
        if batches.last.map({ $0.bytes.count + records.count > batchLimit }) ?? true {
            guard batches.count < Self.maximumBatches else { return .failure(Self.overload) }
            batches.append(spare.popLast() ?? AuditBatch())
        }
        let last = batches.count - 1
        var waiter = waiter
        waiter.position = batches[last].count
        batches[last].waiters.append(waiter)
        batches[last].bytes.append(contentsOf: records)
        batches[last].count += count
        waiting += count
        defer { isWriterIdle = false }
        return .success(isWriterIdle)
    }

    private static var overload: SecretError {
        SecretError(
            .auditUnavailable, "Too many records wait for the audit log's disk; try again.", retryAfterSeconds: 1)
    }

    /// Says what the writer should do.
    /// - Parameter batch: the last batch it has written, whose memory is used again; the next to write.
    mutating func next(_ batch: inout AuditBatch) -> Step {
        guard !batches.isEmpty else {
            isWriterIdle = !isClosed
            return isClosed ? .stop : .wait
        }
        // Swapped rather than copied, so that nobody shares the memory when it is written to.
        batch.reset()
        swap(&batch, &batches[0])
        let empty = batches.removeFirst()
        if spare.count < Self.maximumSpare { spare.append(empty) }
        waiting -= batch.count
        return .write
    }

    /// Records that everything before an index is durable.
    mutating func markDurable(_ next: UInt64) { durable = next }

    /// Refuses records from now on, or takes them again.
    /// - Returns: what waited; it must be told.
    mutating func setBlockage(_ reason: String?) -> [AuditBatch] {
        blockage = reason
        guard reason != nil else { return [] }
        waiting = 0
        defer { batches = [] }
        return batches
    }

    /// Notes whether there is room for the next segment.
    mutating func setShortage(_ reason: String?) { shortage = reason }

    /// Refuses records from now on.
    /// - Returns: whether the writer sleeps and must be woken.
    mutating func close() -> Bool {
        isClosed = true
        defer { isWriterIdle = false }
        return isWriterIdle
    }

    /// Whether records can be taken, and will be for as long as room is set aside.
    var health: BackendHealth {
        if isClosed { return BackendHealth(isReady: false, detail: "The audit log is closed.") }
        guard let problem = blockage ?? shortage else { return BackendHealth(isReady: true, detail: "ok") }
        return BackendHealth(isReady: false, detail: problem)
    }
}
