// One HTTP/2 connection and its calls: what the peer's frames do to them. It does no input or output of its own;
// HTTP2Handler moves its bytes. How calls run and answer is in HTTP2Connection+Calls.swift.

import CNGHTTP2
import NIOCore
import Synchronization

/// What a connection needs of whoever moves its bytes.
protocol HTTP2ConnectionOwner: AnyObject {
    /// There is output to send soon.
    func connectionHasOutput()
    /// `expire` is to be called at this time.
    func connectionHasDeadline(_ deadline: ContinuousClock.Instant)
    /// The last call has ended.
    func connectionBecameIdle()
    /// The peer has answered the PING of a shutdown.
    func connectionMayGoAway()
}

/// A connection.
///
/// `@unchecked Sendable`: confined to its event loop like the session it owns; tasks of its calls run there too.
final class HTTP2Connection: @unchecked Sendable {
    /// What every connection of a server shares.
    struct Shared: Sendable {
        let configuration: GRPCServer.Configuration
        let methods: MethodTable
        let observer: (any RPCObserver)?
        let live: LiveCount
    }

    static let keepalivePing = UInt64(littleEndian: 0x1)
    static let shutdownPing = UInt64(littleEndian: 0x2)

    let shared: Shared
    let peer: RPCConnection
    let executor: LoopExecutor
    /// Nil once the connection is lost.
    private(set) var session: HTTP2Session?
    /// Set while the connection is open.
    var owner: (any HTTP2ConnectionOwner)?
    /// The time of the burst of frames being handled.
    private(set) var now = ContinuousClock.now
    /// Every open stream; a stream knows its place here.
    private(set) var streams: [RPCStream] = []
    /// How many tasks run, those of lost streams included.
    var runningTasks = 0
    private var ready: [RPCStream] = []
    /// The stream whose headers come in.
    private var incoming: RPCStream?
    private var continuations = 0
    private var bufferedBytes = 0
    private var resets: ResetMeter
    private var hasMisbehaved = false

    init(peer: RPCConnection, executor: LoopExecutor, shared: Shared) throws(HTTP2Session.Failure) {
        self.peer = peer
        self.executor = executor
        self.shared = shared
        resets = ResetMeter(
            burst: shared.configuration.resetBurst, perSecond: shared.configuration.resetsPerSecond, now: now)
        shared.live.add(1)
        session = try HTTP2Session(connection: self, configuration: shared.configuration)
    }

    deinit {
        shared.live.add(-1)
    }

    // MARK: - Bytes

    /// Takes bytes from the peer and starts the calls they complete.
    func receive(_ bytes: Span<UInt8>) throws(HTTP2Session.Failure) {
        now = .now
        try session?.receive(bytes)
        if let headersDue { owner?.connectionHasDeadline(headersDue) }
        // Not from within the callbacks: a call's task may answer at once, and user code may do anything.
        while !ready.isEmpty {
            let starting = ready
            ready.removeAll(keepingCapacity: true)
            for stream in starting { start(stream) }
        }
    }

    /// Appends the next piece for the peer.
    ///
    /// It asks for the session each time: the streams that a session reads from are gone once the connection is lost.
    /// - Returns: false if there is none.
    func send(into output: inout ByteBuffer) throws(HTTP2Session.Failure) -> Bool {
        try session?.send(into: &output) ?? false
    }

    /// The connection is lost: every call is over. The session is freed.
    func tearDown() {
        session = nil
        owner = nil
        incoming = nil
        ready = []
        let lost = streams
        streams = []
        for stream in lost { finish(stream, isClean: false) }
    }

    /// Ends the connection because the peer floods us.
    func calmDown() { end(NGHTTP2_ENHANCE_YOUR_CALM) }

    /// Ends the connection because the session gave up on the peer's bytes: no HTTP/2, or a flood.
    func fail(_ failure: HTTP2Session.Failure) {
        let isFlood =
            failure.code == NGHTTP2_ERR_FLOODED.rawValue || failure.code == NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
        end(isFlood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR)
    }

    private func end(_ code: nghttp2_error_code) {
        guard !hasMisbehaved else { return }
        hasMisbehaved = true
        session?.terminate(code)
        shared.observer?.connectionMisbehaved(peer)
        owner?.connectionHasOutput()
    }

    /// When a header list that has begun must be complete: no peer gets to hold a stream by trickling one.
    private var headersDue: ContinuousClock.Instant? {
        incoming?.started.advanced(by: shared.configuration.handshakeTimeout)
    }

    /// Ends calls whose deadline has passed.
    /// - Returns: the earliest deadline of those left.
    func expire(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        var earliest = headersDue
        if let due = earliest, due <= now {
            calmDown()
            earliest = nil
        }
        for stream in streams {
            guard let deadline = stream.deadline else { continue }
            if deadline <= now {
                stream.deadline = nil
                deadlinePassed(stream)
            } else {
                earliest = min(earliest ?? deadline, deadline)
            }
        }
        return earliest
    }

    // MARK: - Callbacks

    /// - Returns: false if there are too many for one header list (CVE-2024-28182).
    func receivedContinuation() -> Bool {
        continuations += 1
        return continuations <= 8
    }

    func beginHeaders(_ id: Int32, isRequest: Bool) {
        continuations = 0
        guard isRequest else {
            incoming = nil
            return
        }
        let stream = RPCStream(
            id: id, slot: streams.count, started: now, responseLimit: shared.configuration.responseBufferBytes)
        streams.append(stream)
        session?.attach(stream)
        incoming = stream
    }

    /// - Returns: false to have the stream reset.
    func receivedHeader(name: Span<UInt8>, value: Span<UInt8>) -> Bool {
        guard let incoming else { return true }
        let size = incoming.head.add(
            name: name, value: value, limit: shared.configuration.maximumHeaderListBytes, methods: shared.methods)
        if case .absurd = size { return false }
        return true
    }

    func receivedRequestHead(_ id: Int32) {
        guard let stream = incoming, stream.id == id else { return }
        incoming = nil
        let configuration = shared.configuration
        if let rejection = stream.head.rejection(limit: configuration.maximumHeaderListBytes) {
            return reject(stream, rejection)
        }
        guard let method = stream.head.method else { return }
        let isUnary = if case .unary = method.method { true } else { false }
        stream.request = RequestState(
            isUnary: isUnary, isCompressed: stream.head.isCompressed, limit: configuration.maximumMessageBytes)
        setDeadline(stream, isUnary: isUnary)
        if !isUnary { ready.append(stream) }
    }

    func receivedData(_ id: Int32, _ bytes: Span<UInt8>) {
        // The connection's window is always given back: calls that wait must not block others.
        session?.consumeConnection(bytes.count)
        guard let stream = session?.stream(id), !stream.isAnswered else { return }
        stream.heldWindow += bytes.count
        perform(stream.request.receive(bytes), on: stream)
        guard !stream.isAnswered else { return }
        // What waits complete in a streaming call is bounded by its window, so only the message under way counts.
        let isUnary = stream.request.isUnary
        account(stream, isUnary ? stream.bufferedBytes + bytes.count : stream.request.partialBytes)
        guard bufferedBytes <= shared.configuration.maximumBufferedRequestBytes else {
            return reject(stream, Self.tooMuchBuffered)
        }
        deliver(stream)
    }

    func receivedEnd(_ id: Int32) {
        guard let stream = session?.stream(id), !stream.isAnswered else { return }
        perform(stream.request.end(), on: stream)
        deliver(stream)
    }

    func receivedPingAnswer(_ payload: UInt64) {
        if payload == Self.shutdownPing { owner?.connectionMayGoAway() }
    }

    /// A response has been sent whole. If the request has not, the rest of it is of no use (RFC 9113 §8.1).
    func sentEnd(_ id: Int32) {
        guard let session, !session.isRemoteClosed(id) else { return }
        session.reset(id, NGHTTP2_NO_ERROR)
    }

    func countReset() {
        if !resets.take(now: now) { calmDown() }
    }

    func streamClosed(_ id: Int32, isClean: Bool) {
        guard let stream = session?.stream(id) else { return }
        if incoming === stream { incoming = nil }
        let last = streams.removeLast()
        if last !== stream {
            last.slot = stream.slot
            streams[stream.slot] = last
        }
        finish(stream, isClean: isClean)
        if streams.isEmpty { owner?.connectionBecameIdle() }
    }

    // MARK: - Private

    private func perform(_ action: RequestState.Action, on stream: RPCStream) {
        switch action {
        case .none: break
        case .call(let message):
            stream.message = message
            ready.append(stream)
        case .reject(let rejection): reject(stream, rejection)
        }
    }

    private func reject(_ stream: RPCStream, _ rejection: Rejection) {
        answer(stream, failure: rejection.status, httpStatus: rejection.httpStatus)
        stream.abandon(rejection.status)
        account(stream, 0)
    }

    /// Notes how many request bytes a stream makes us hold.
    private func account(_ stream: RPCStream, _ bytes: Int) {
        bufferedBytes += bytes - stream.bufferedBytes
        stream.bufferedBytes = bytes
    }

    private func finish(_ stream: RPCStream, isClean: Bool) {
        stream.isClosed = true
        account(stream, 0)
        stream.response.discard()
        stream.abandon(stream.failure ?? .callCancelled)
        guard let observer = shared.observer else { return }
        let code =
            isClean && stream.isAnswered
            ? stream.failure?.code ?? RPCCode.ok : stream.failure?.code ?? RPCCode.cancelled
        observer.callFinished(
            method: stream.head.method?.path, code: code, duration: stream.started.duration(to: .now))
    }

    private static let tooMuchBuffered = Rejection(
        code: RPCCode.resourceExhausted,
        "The connection's unfinished requests are larger than allowed together; send fewer at once.")
}

/// Counts connections in memory, so that tests can see that none leaks.
final class LiveCount: Sendable {
    private let value = Atomic(0)

    func add(_ count: Int) { value.add(count, ordering: .relaxed) }
    var current: Int { value.load(ordering: .relaxed) }
}
