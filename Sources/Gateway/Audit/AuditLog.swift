// The audit log as the gateway uses it: append, and know when it is durable.

import Foundation
public import PosternProtocol
import Synchronization
public import TransparencyLog

/// An append-only log of ``AuditRecord``, durable before anybody is answered.
///
/// Appends from any number of tasks are gathered: one writer thread takes all that wait, writes them in
/// one go and syncs once (group commit). A record's index is its place in the log, counted from 0.
public final class AuditLog: Sendable {
    /// How a log is kept.
    public struct Options: Sendable {
        /// The smallest ``segmentBytes``.
        public static let minimumSegmentBytes = 256 << 10
        /// The largest ``segmentBytes``.
        public static let maximumSegmentBytes = 1 << 30

        /// The size of a segment file in bytes; as much again is always set aside.
        public var segmentBytes: Int
        /// The mode of the files.
        public var fileMode: UInt32
        /// How long to wait between attempts to set room aside or to get over a failed write: 1 ms to 1 hour.
        public var retryInterval: Duration
        /// Which log this is, as its checkpoints say; cannot change. Nil for one made of the host's name.
        public var origin: String?
        /// The file of the key that signs checkpoints, made if it is not there; nil for one in the directory.
        public var signingKeyFile: String?
        /// What signs checkpoints instead of a key in a file.
        public var signer: (any NoteSigner)?
        /// How often what has become durable is published.
        public var publicationInterval: Duration = .milliseconds(400)
        /// Whether the log is published at all; measurements turn it off.
        package var isPublished = true
        /// How long files that publishing leaves wait before they become others; tests do not wait.
        package var spareRest: Duration = .seconds(60)
        /// The file operations; tests make them fail.
        package var files: any AuditFiles = SystemAuditFiles()

        /// Makes options.
        public init(
            segmentBytes: Int = 32 << 20, fileMode: UInt32 = 0o600, retryInterval: Duration = .milliseconds(100)
        ) {
            self.segmentBytes = segmentBytes
            self.fileMode = fileMode
            self.retryInterval = retryInterval
        }
    }

    /// What opening cut off the end of the log: bytes of a write that a crash left unfinished, and that
    /// nobody was told of. Zero after an orderly stop. Worth a line in the gateway's log.
    public let recoveredTornBytes: Int
    /// Which log it is: the name in its checkpoints.
    public let origin: String

    private let writer: AuditWriter
    let sequencer: Sequencer
    let keyFile: SigningKeyFile?
    let files: any AuditFiles
    private let batchLimit: Int
    private let isPublished: Bool
    // The lock on the directory, until the log is closed.
    private let lock: Mutex<Int32?>

    private init(_ segments: SegmentWriter, lock: Int32, opening: LogOpening, options: Options) {
        self.lock = Mutex(lock)
        keyFile = opening.keyFile
        origin = opening.origin
        files = options.files
        isPublished = options.isPublished
        batchLimit = SegmentFormat.batchLimit(segmentBytes: options.segmentBytes)
        recoveredTornBytes = segments.tornBytes
        writer = AuditWriter(
            queue: AuditQueue(batchLimit: batchLimit, durable: segments.nextIndex), retry: options.retryInterval)
        let writer = writer
        sequencer = Sequencer(
            published: opening.published?.checkpoint.size ?? 0, interval: options.publicationInterval,
            retry: options.retryInterval, durable: { writer.queue.withLock { $0.durable } })
    }

    /// Opens a log, or makes a new one, and takes it for this process.
    /// - Parameters:
    ///   - directory: the log's directory; made with mode 0700 if it is not there.
    ///   - options: how it is kept.
    /// - Throws: `invalid_option`, `directory_too_open`, `in_use`, `corrupt`, `signing_key`, `file_system`.
    public static func open(
        directory: String, options: Options = Options()
    ) throws(AuditLogError) -> AuditLog {
        guard (Options.minimumSegmentBytes...Options.maximumSegmentBytes).contains(options.segmentBytes) else {
            throw AuditLogError(
                .invalidOption,
                "Audit segments of \(options.segmentBytes) bytes: choose \(Options.minimumSegmentBytes) to "
                    + "\(Options.maximumSegmentBytes).")
        }
        guard options.retryInterval >= .milliseconds(1), options.retryInterval <= .seconds(3_600) else {
            throw AuditLogError(.invalidOption, "The audit log's retry interval: choose 1 ms to 1 hour.")
        }
        guard options.publicationInterval >= .milliseconds(1), options.publicationInterval <= .seconds(3_600) else {
            throw AuditLogError(.invalidOption, "The audit log's publication interval: choose 1 ms to 1 hour.")
        }
        try AuditDirectory.prepare(directory)
        let lock = try AuditDirectory.lock(directory)
        do throws(AuditLogError) {
            let opening = try LogOpening(directory: directory, options: options)
            if try AuditDirectory.segments(in: directory).isEmpty { try opening.check(directory, nextIndex: 0) }
            let segments = try SegmentWriter(
                directory: directory, files: options.files, segmentBytes: options.segmentBytes,
                fileMode: options.fileMode)
            do throws(AuditLogError) {
                try opening.check(directory, nextIndex: segments.nextIndex)
                let publisher = Publisher(directory, opening, options)
                let log = AuditLog(segments, lock: lock, opening: opening, options: options)
                log.start(segments, publisher)
                return log
            } catch {
                var segments = segments
                segments.close()
                throw error
            }
        } catch {
            AuditDirectory.unlock(lock)
            throw error
        }
    }

    private func start(_ segments: SegmentWriter, _ publisher: Publisher) {
        var segments = segments
        writer.recover(&segments)
        let thread = Thread { [writer, segments] in writer.run(segments) }
        thread.name = "postern-audit"
        thread.start()
        guard isPublished else { return }
        let publishing = Thread { [sequencer] in sequencer.run(publisher) }
        publishing.name = "postern-log"
        publishing.start()
    }

    deinit {
        close()
    }

    /// Appends a record. Cancelling the task does not undo it.
    /// - Parameter record: the record.
    /// - Returns: its index, once it is durable.
    /// - Throws: `audit_unavailable` when it could not be made durable, `too_large` past
    ///   ``AuditRecord/maximumBytes``.
    public func append(_ record: AuditRecord) async throws(SecretError) -> UInt64 {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1_024)
        try Self.encode(record, to: &bytes)
        return try await append(bytes, count: 1)
    }

    /// Appends records together: at consecutive indexes, and all durable or none acknowledged.
    /// - Parameter records: at least one record.
    /// - Returns: the index of the first.
    /// - Throws: `audit_unavailable`, `too_large` also when they do not fit one batch, `invalid_argument`
    ///   if there are none.
    public func append(contentsOf records: [AuditRecord]) async throws(SecretError) -> UInt64 {
        guard !records.isEmpty else { throw SecretError(.invalidArgument, "There is no audit record to append.") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1_024 * records.count)
        for record in records { try Self.encode(record, to: &bytes) }
        guard bytes.count <= batchLimit - SegmentFormat.batchHeaderBytes else {
            throw SecretError(.tooLarge, "\(records.count) audit records do not fit one batch; append fewer at once.")
        }
        return try await append(bytes, count: records.count)
    }

    private static func encode(_ record: AuditRecord, to bytes: inout [UInt8]) throws(SecretError) {
        let start = bytes.count
        record.appendCanonicalJSON(to: &bytes)
        let length = bytes.count - start
        guard length <= AuditRecord.maximumBytes else {
            throw SecretError(
                .tooLarge,
                "The audit record of this request has \(length) bytes; at most \(AuditRecord.maximumBytes) are "
                    + "allowed. Send a shorter reason or fewer fields.")
        }
        bytes.append(SegmentFormat.newline)
    }

    private func append(_ bytes: [UInt8], count: Int) async throws(SecretError) -> UInt64 {
        // Encoded already, so that the lock is held only for a copy: encoding under it was measured slower.
        let result = await unsafe withUnsafeContinuation { continuation in
            let waiter = unsafe AuditBatch.Waiter(continuation)
            switch writer.queue.withLock({ $0.add(bytes, count: count, waiter) }) {
            case .success(let mustWake): if mustWake { writer.ring() }
            case .failure(let error): waiter.resume(.failure(error))
            }
        }
        return try result.get()
    }

    /// Whether records can be taken. It turns red while room for the next segment cannot be set aside, which
    /// is before the first append fails, and while the last write failed.
    ///
    /// Checkpoints that cannot be published are told of, but take no records away; it turns red for them only when what
    /// is on disk contradicts what was signed.
    public var health: BackendHealth {
        let health = writer.queue.withLock { $0.health }
        let status = sequencer.current
        guard health.isReady, let problem = status.problem else { return health }
        return BackendHealth(isReady: !status.isContradicted, detail: problem)
    }

    /// The index that the next record gets: how many are durable.
    public var nextIndex: UInt64 { writer.queue.withLock { $0.durable } }

    /// Writes what waits, refuses more, publishes the rest, and gives up the directory. Can be called again.
    public func close() {
        if writer.queue.withLock({ $0.close() }) { writer.ring() }
        writer.join()
        if isPublished { sequencer.stop() }
        lock.withLock { lock in
            if let file = lock { AuditDirectory.unlock(file) }
            lock = nil
        }
    }
}
