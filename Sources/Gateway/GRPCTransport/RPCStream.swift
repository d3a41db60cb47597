// One call: the two halves of its HTTP/2 stream and the task that serves it.

import NIOCore
import PosternProtocol

/// A call in progress.
///
/// `@unchecked Sendable`: everything but the constants is touched only on the connection's event loop. The task that
/// serves the call runs there, and what may be called from elsewhere hops there first.
final class RPCStream: @unchecked Sendable {
    typealias Reader = CheckedContinuation<Result<[UInt8]?, RPCStatus>, Never>
    typealias Writer = CheckedContinuation<Result<Void, RPCStatus>, Never>

    let id: Int32
    let started: ContinuousClock.Instant
    /// Its place in the connection's list of streams.
    var slot: Int
    /// The HTTP/2 stream is gone.
    var isClosed = false

    // The request.
    var head = RequestHead()
    var request = RequestState(isUnary: true, isCompressed: false, limit: 0)
    /// The whole message of a unary call, until its task takes it.
    var message: [UInt8]?
    var deadline: ContinuousClock.Instant?
    /// Request bytes that count against the connection's limit.
    var bufferedBytes = 0
    /// Request bytes whose window has not been given back to the peer.
    var heldWindow = 0
    /// A task waiting for a message.
    var reader: Reader?

    // The response.
    var response = ResponseQueue()
    let responseLimit: Int
    /// The response's headers have been handed to the session.
    var hasResponded = false
    /// The outcome is decided; nothing the task does changes it.
    var isAnswered = false
    /// The outcome if it is a failure.
    var failure: RPCStatus?
    /// The session waits to be told that the queue has something.
    var isDeferred = false
    /// A task waiting for room in the queue.
    var writer: Writer?

    /// The task, while it runs.
    var task: Task<Void, Never>?
    var isTaskDone = false

    init(id: Int32, slot: Int, started: ContinuousClock.Instant, responseLimit: Int) {
        self.id = id
        self.slot = slot
        self.started = started
        self.responseLimit = responseLimit
    }

    /// The call is over: stop its task and whatever it waits for.
    func abandon(_ status: RPCStatus) {
        task?.cancel()
        request.discard()
        message = nil
        resumeReader(.failure(status))
        resumeWriter(.failure(status))
    }

    func resumeReader(_ result: Result<[UInt8]?, RPCStatus>) {
        reader?.resume(returning: result)
        reader = nil
    }

    func resumeWriter(_ result: Result<Void, RPCStatus>) {
        writer?.resume(returning: result)
        writer = nil
    }

    func resumeWriterIfRoom() {
        if writer != nil && response.count <= responseLimit / 2 { resumeWriter(.success(())) }
    }
}
