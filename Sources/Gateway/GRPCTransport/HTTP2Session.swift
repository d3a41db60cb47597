// Owns one libnghttp2 server session: its options, its settings, and the calls the rest of this target makes on it.
// The callbacks are in HTTP2Callbacks.swift.

import CNGHTTP2
import NIOCore

/// A libnghttp2 session. Confined to its connection's event loop, never used from within two calls at once.
///
/// The session has an unowned pointer to its connection, which owns it and frees it before it dies.
///
/// `@safe`: the handle is freed with this object only, and the connection keeps the streams attached here until the
/// session has closed them or the connection makes no more calls on it.
@safe final class HTTP2Session {
    /// What libnghttp2 says when it cannot go on.
    struct Failure: Error {
        /// One of `NGHTTP2_ERR_…`.
        let code: Int32
    }

    private let handle: OpaquePointer

    /// - Parameters:
    ///   - connection: gets the callbacks; must outlive the session.
    ///   - configuration: limits to announce and keep.
    init(connection: HTTP2Connection, configuration: GRPCServer.Configuration) throws(Failure) {
        var options: OpaquePointer?
        try unsafe Self.check(nghttp2_option_new(&options))
        defer { unsafe nghttp2_option_del(options) }
        // Windows are opened as the request's bytes are consumed, so that a slow handler slows its caller.
        unsafe nghttp2_option_set_no_auto_window_update(options, 1)
        unsafe nghttp2_option_set_no_closed_streams(options, 1)
        unsafe nghttp2_option_set_max_outbound_ack(options, configuration.maximumPendingAcknowledgements)

        var callbacks: OpaquePointer?
        try unsafe Self.check(nghttp2_session_callbacks_new(&callbacks))
        defer { unsafe nghttp2_session_callbacks_del(callbacks) }
        unsafe setHTTP2Callbacks(callbacks)

        var session: OpaquePointer?
        let user = unsafe unownedPointer(to: connection)
        try unsafe Self.check(nghttp2_session_server_new2(&session, callbacks, user, options))
        guard let session = unsafe session else { throw Failure(code: NGHTTP2_ERR_NOMEM.rawValue) }
        unsafe handle = session

        let settings = [
            (NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, configuration.maximumConcurrentStreams),
            (NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, configuration.streamWindowBytes),
            (NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, configuration.maximumHeaderListBytes),
        ].map { nghttp2_settings_entry(settings_id: Int32($0.0.rawValue), value: UInt32(clamping: $0.1)) }
        try unsafe Self.check(nghttp2_submit_settings(handle, 0, settings, settings.count))
        let window = Int32(clamping: configuration.connectionWindowBytes)
        try unsafe Self.check(nghttp2_session_set_local_window_size(handle, 0, 0, window))
    }

    deinit {
        unsafe nghttp2_session_del(handle)
    }

    // MARK: - Bytes

    /// Takes bytes from the peer; the callbacks run within.
    func receive(_ bytes: Span<UInt8>) throws(Failure) {
        let result = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe nghttp2_session_mem_recv(handle, bytes.baseAddress, bytes.count)
        }
        if result < 0 { throw Failure(code: Int32(result)) }
    }

    /// Appends the next piece to send to the peer.
    /// - Returns: false if there is none.
    func send(into output: inout ByteBuffer) throws(Failure) -> Bool {
        var start: UnsafePointer<UInt8>?
        let count = unsafe nghttp2_session_mem_send(handle, &start)
        if count < 0 { throw Failure(code: Int32(count)) }
        guard count > 0 else { return false }
        // Copied at once, as the session reuses this memory at its next call.
        unsafe output.writeBytes(UnsafeRawBufferPointer(start: start, count: count))
        return true
    }

    /// Whether the connection is over: nothing more to read or write.
    var isFinished: Bool { unsafe nghttp2_session_want_read(handle) == 0 && nghttp2_session_want_write(handle) == 0 }

    // MARK: - Streams
    // A failure here means that the stream is gone or memory is out; the first is normal, as the peer may reset
    // a stream at any time, and the second ends the session at its next send.

    /// Lets callbacks find the stream's object. The pointer is not owned.
    func attach(_ stream: RPCStream) {
        unsafe nghttp2_session_set_stream_user_data(handle, stream.id, unownedPointer(to: stream))
    }

    func stream(_ id: Int32) -> RPCStream? {
        guard let pointer = unsafe nghttp2_session_get_stream_user_data(handle, id) else { return nil }
        return unsafe object(at: pointer, as: RPCStream.self)
    }

    /// Starts a response whose messages come from the stream's queue.
    func respond(_ stream: RPCStream) {
        var provider = unsafe nghttp2_data_provider()
        unsafe provider.source.ptr = unownedPointer(to: stream)
        unsafe provider.read_callback = readResponse
        unsafe withResponseHeaders { headers in
            _ = unsafe nghttp2_submit_response(handle, stream.id, headers.baseAddress, headers.count, &provider)
        }
    }

    /// Answers with headers alone (gRPC "Trailers-Only").
    func respond(_ id: Int32, headers: HeaderBlock) {
        unsafe headers.withHeaders { _ = unsafe nghttp2_submit_response(handle, id, $0.baseAddress, $0.count, nil) }
    }

    /// Tells the session that the stream's queue has something after it had nothing.
    func resume(_ id: Int32) { _ = unsafe nghttp2_session_resume_data(handle, id) }

    func reset(_ id: Int32, _ code: nghttp2_error_code) {
        _ = unsafe nghttp2_submit_rst_stream(handle, 0, id, code.rawValue)
    }

    /// Whether the peer has ended its half of a stream.
    func isRemoteClosed(_ id: Int32) -> Bool { unsafe nghttp2_session_get_stream_remote_close(handle, id) == 1 }

    func consumeConnection(_ count: Int) { _ = unsafe nghttp2_session_consume_connection(handle, count) }
    func consumeStream(_ id: Int32, _ count: Int) { _ = unsafe nghttp2_session_consume_stream(handle, id, count) }

    // MARK: - Connection

    /// Sends a PING with 8 bytes of our choice, which the answer will carry.
    func ping(_ payload: UInt64) {
        unsafe withUnsafeBytes(of: payload) { bytes in
            unsafe bytes.withMemoryRebound(to: UInt8.self) { bytes in
                _ = unsafe nghttp2_submit_ping(handle, 0, bytes.baseAddress)
            }
        }
    }

    /// First step of going away: no stream is refused yet (RFC 9113 §6.8).
    func announceShutdown() { _ = unsafe nghttp2_submit_shutdown_notice(handle) }

    /// Second step: streams newer than those seen are not served.
    func goAway() {
        let last = unsafe nghttp2_session_get_last_proc_stream_id(handle)
        _ = unsafe nghttp2_submit_goaway(handle, 0, last, NGHTTP2_NO_ERROR.rawValue, nil, 0)
    }

    /// Ends the session as soon as a GOAWAY with this code has been sent.
    func terminate(_ code: nghttp2_error_code) { _ = unsafe nghttp2_session_terminate_session(handle, code.rawValue) }

    private static func check(_ code: Int32) throws(Failure) {
        if code != 0 { throw Failure(code: code) }
    }
}
