// The two ends of a streaming call that its function holds.

import NIOCore

/// The messages of a request, in order. One task reads at a time.
///
/// The caller's flow-control window opens as messages are taken: a slow reader slows the caller.
public struct RPCRequestStream: AsyncSequence, Sendable {
    /// A serialised message.
    public typealias Element = [UInt8]
    /// CANCELLED or DEADLINE_EXCEEDED when the call is over, or what is wrong with the request's bytes.
    public typealias Failure = RPCStatus

    let stream: RPCStream
    let connection: HTTP2Connection

    /// The next message; nil when the caller is done sending.
    public func next() async throws(RPCStatus) -> [UInt8]? {
        let loop = connection.executor.loop
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (reader: RPCStream.Reader) in
                loop.runHere { connection.read(stream, reader) }
            }
        } onCancel: {
            loop.execute { stream.resumeReader(.failure(.callCancelled)) }
        }
        return try result.get()
    }

    /// Reads the messages one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let requests: RPCRequestStream

        /// The next message; nil when the caller is done sending.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(RPCStatus) -> [UInt8]? {
            try await requests.next()
        }

        /// The next message; nil when the caller is done sending.
        public mutating func next() async throws(RPCStatus) -> [UInt8]? {
            try await requests.next()
        }
    }

    /// Starts reading.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(requests: self) }
}

/// Where a streaming call's response messages go. One task writes at a time.
public struct RPCResponseStream: Sendable {
    let stream: RPCStream
    let connection: HTTP2Connection

    /// Sends a message, waiting while the caller is behind.
    /// - Parameter message: its serialised bytes, overwritten with zeros once sent if nothing else holds them.
    /// - Throws: CANCELLED or DEADLINE_EXCEEDED when the call is over.
    public func write(_ message: [UInt8]) async throws(RPCStatus) {
        let loop = connection.executor.loop
        if loop.inEventLoop {
            guard try connection.write(stream, message) else { return }
        }
        let isQueued = loop.inEventLoop
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (writer: RPCStream.Writer) in
                loop.runHere {
                    do throws(RPCStatus) {
                        let mustWait = isQueued ? true : try connection.write(stream, message)
                        if mustWait {
                            connection.waitToWrite(stream, writer)
                        } else {
                            writer.resume(returning: .success(()))
                        }
                    } catch {
                        writer.resume(returning: .failure(error))
                    }
                }
            }
        } onCancel: {
            loop.execute { stream.resumeWriter(.failure(.callCancelled)) }
        }
        try result.get()
    }
}
