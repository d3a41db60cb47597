// How a connection's calls start, run and are answered.

import CNGHTTP2
import NIOCore
import PosternProtocol

extension HTTP2Connection {
    func setDeadline(_ stream: RPCStream, isUnary: Bool) {
        let configuration = shared.configuration
        var timeout = stream.head.timeout ?? (isUnary ? configuration.defaultDeadline : nil)
        if let given = timeout, let longest = configuration.maximumDeadline { timeout = min(given, longest) }
        guard let timeout else { return }
        let deadline = now.advanced(by: timeout)
        stream.deadline = deadline
        owner?.connectionHasDeadline(deadline)
    }

    /// Starts the call's task. It runs on this event loop, at once until it first waits.
    func start(_ stream: RPCStream) {
        guard let entry = stream.head.method, !stream.isClosed, !stream.isAnswered else { return }
        if let deadline = stream.deadline, deadline <= now { return deadlinePassed(stream) }
        // Tasks that do not heed cancellation outlive their streams; a peer must not pile them up.
        guard runningTasks < 2 * shared.configuration.maximumConcurrentStreams else {
            return answer(
                stream,
                failure: RPCStatus(
                    code: RPCCode.resourceExhausted,
                    message: "Too many cancelled calls of this connection are still running."))
        }
        runningTasks += 1
        let task = Task.immediate(executorPreference: executor) { await self.run(entry, stream) }
        if !stream.isTaskDone {
            stream.task = task
            if stream.isClosed || stream.isAnswered { task.cancel() }
        }
    }

    private func run(_ entry: MethodTable.Entry, _ stream: RPCStream) async {
        let context = RPCContext(
            method: entry.path, connection: peer, metadata: stream.head.metadata,
            deadline: stream.deadline.map(Deadline.init))
        let outcome: Outcome
        do throws(RPCStatus) {
            switch entry.method {
            case .unary(let body):
                let message = stream.message ?? []
                stream.message = nil
                outcome = .message(try await body(context, message))
            case .streaming(let body):
                try await body(
                    context, RPCRequestStream(stream: stream, connection: self),
                    RPCResponseStream(stream: stream, connection: self))
                outcome = .ok
            }
        } catch {
            outcome = .failure(error)
        }
        // A task that prefers our executor is back on the loop here, unless its function ran it elsewhere.
        if executor.loop.inEventLoop {
            ended(stream, outcome)
        } else {
            executor.loop.execute { self.ended(stream, outcome) }
        }
    }

    private enum Outcome: Sendable {
        case message([UInt8])
        case ok
        case failure(RPCStatus)
    }

    private func ended(_ stream: RPCStream, _ outcome: consuming Outcome) {
        runningTasks -= 1
        stream.isTaskDone = true
        stream.task = nil
        switch consume outcome {
        case .message(let message): answer(stream, message: message)
        case .ok: answerOK(stream)
        case .failure(let status): answer(stream, failure: status)
        }
    }

    // MARK: - Answers

    private func answer(_ stream: RPCStream, message: [UInt8]) {
        guard !stream.isAnswered, !stream.isClosed else {
            // Nobody will get it; the queue wipes it.
            var unsent = ResponseQueue()
            unsent.append(message)
            return unsent.discard()
        }
        stream.isAnswered = true
        stream.response.append(message)
        stream.response.isFinished = true
        stream.hasResponded = true
        session?.respond(stream)
        owner?.connectionHasOutput()
    }

    private func answerOK(_ stream: RPCStream) {
        guard !stream.isAnswered, !stream.isClosed else { return }
        stream.isAnswered = true
        end(stream, RPCStatus(code: RPCCode.ok, message: ""), httpStatus: 200)
    }

    func answer(_ stream: RPCStream, failure: RPCStatus, httpStatus: Int = 200) {
        guard !stream.isAnswered, !stream.isClosed else { return }
        stream.isAnswered = true
        stream.failure = failure
        end(stream, failure, httpStatus: httpStatus)
    }

    /// Trailers after what waits to be sent, or alone if nothing was ever sent.
    private func end(_ stream: RPCStream, _ status: RPCStatus, httpStatus: Int) {
        stream.response.isFinished = true
        stream.resumeWriter(.failure(.streamEnded))
        if stream.hasResponded {
            resume(stream)
        } else {
            stream.hasResponded = true
            session?.respond(stream.id, headers: HeaderBlock(trailersOnly: status, httpStatus: httpStatus))
        }
        owner?.connectionHasOutput()
    }

    func deadlinePassed(_ stream: RPCStream) {
        if stream.isAnswered || !stream.response.isEmpty {
            // The peer does not take what we send: trailers would wait behind it.
            stream.failure = .deadlineExceeded
            stream.isAnswered = true
            session?.reset(stream.id, NGHTTP2_CANCEL)
            owner?.connectionHasOutput()
        } else {
            answer(stream, failure: .deadlineExceeded)
        }
        stream.abandon(.deadlineExceeded)
    }

    private func resume(_ stream: RPCStream) {
        guard stream.isDeferred else { return }
        stream.isDeferred = false
        session?.resume(stream.id)
    }

    // MARK: - Streaming

    /// Hands a waiting task what has come, and opens the window if nobody is behind.
    func deliver(_ stream: RPCStream) {
        if stream.reader != nil {
            if let message = stream.request.takeMessage() {
                stream.resumeReader(.success(message))
            } else if stream.request.isClosed {
                stream.resumeReader(.success(nil))
            }
        }
        // A message that has not wholly come needs the window to come; complete ones that wait do not.
        guard stream.heldWindow > 0, !stream.request.hasMessages || stream.request.isUnary else { return }
        session?.consumeStream(stream.id, stream.heldWindow)
        stream.heldWindow = 0
        owner?.connectionHasOutput()
    }

    /// Takes the next request message, or leaves the reader waiting.
    func read(_ stream: RPCStream, _ reader: RPCStream.Reader) {
        guard !stream.isClosed, !stream.isAnswered else {
            return reader.resume(returning: .failure(stream.failure ?? .callCancelled))
        }
        guard stream.reader == nil else {
            return reader.resume(returning: .failure(.streamEnded))
        }
        stream.reader = reader
        deliver(stream)
    }

    /// Queues a response message.
    /// - Returns: whether the queue is full, so that the writer should wait.
    func write(_ stream: RPCStream, _ message: [UInt8]) throws(RPCStatus) -> Bool {
        guard !stream.isClosed, !stream.isAnswered else { throw stream.failure ?? .callCancelled }
        stream.response.append(message)
        if stream.hasResponded {
            resume(stream)
        } else {
            stream.hasResponded = true
            session?.respond(stream)
        }
        owner?.connectionHasOutput()
        return stream.response.count > stream.responseLimit
    }

    /// Waits for room in the queue.
    func waitToWrite(_ stream: RPCStream, _ writer: RPCStream.Writer) {
        guard !stream.isClosed, !stream.isAnswered else {
            return writer.resume(returning: .failure(stream.failure ?? .callCancelled))
        }
        guard stream.writer == nil else {
            return writer.resume(returning: .failure(.streamEnded))
        }
        stream.writer = writer
        stream.resumeWriterIfRoom()
    }
}
