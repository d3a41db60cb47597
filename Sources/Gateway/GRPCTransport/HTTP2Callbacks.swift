// libnghttp2's callbacks, each a step into the connection whose pointer the session carries.
// That pointer is not owned here: the connection owns the session and frees it first.

import CNGHTTP2

/// Enters every callback we want.
func setHTTP2Callbacks(_ callbacks: OpaquePointer?) {
    unsafe nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks) { _, header, user in
        guard let header = unsafe header, unsafe header.pointee.type == continuation else { return 0 }
        let isFine = unsafe withConnection(user) { $0.receivedContinuation() }
        return isFine == true ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
    }
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
        guard let frame = unsafe frame else { return 0 }
        let id = unsafe frame.pointee.hd.stream_id
        let isRequest = unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
        unsafe withConnection(user) { $0.beginHeaders(id, isRequest: isRequest) }
        return 0
    }
    unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
        _, _, name, nameLength, value, valueLength, _, user in
        let name = unsafe UnsafeBufferPointer(start: name, count: nameLength)
        let value = unsafe UnsafeBufferPointer(start: value, count: valueLength)
        let isFine = unsafe withConnection(user) { unsafe $0.receivedHeader(name: name.span, value: value.span) }
        return isFine == true ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, bytes, count, user in
        let bytes = unsafe UnsafeBufferPointer(start: bytes, count: count)
        unsafe withConnection(user) { unsafe $0.receivedData(id, bytes.span) }
        return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
        if let frame = unsafe frame { unsafe withConnection(user) { unsafe received(frame, $0) } }
        return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
        if let frame = unsafe frame { unsafe withConnection(user) { unsafe sent(frame, $0) } }
        return 0
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, user in
        unsafe withConnection(user) { $0.streamClosed(id, isClean: code == NGHTTP2_NO_ERROR.rawValue) }
        return 0
    }
}

private func received(_ frame: UnsafePointer<nghttp2_frame>, _ connection: HTTP2Connection) {
    let header = unsafe frame.pointee.hd
    let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch header.type {
    case headers:
        if unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST { connection.receivedRequestHead(header.stream_id) }
        if endsStream { connection.receivedEnd(header.stream_id) }
    case data:
        if endsStream { connection.receivedEnd(header.stream_id) }
    case reset:
        connection.countReset()
    case ping where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0:
        let payload = unsafe withUnsafeBytes(of: frame.pointee.ping.opaque_data) {
            unsafe $0.loadUnaligned(as: UInt64.self)
        }
        connection.receivedPingAnswer(payload)
    default: break
    }
}

private func sent(_ frame: UnsafePointer<nghttp2_frame>, _ connection: HTTP2Connection) {
    let header = unsafe frame.pointee.hd
    switch header.type {
    case headers where header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0:
        connection.sentEnd(header.stream_id)
    case reset:
        let code = unsafe frame.pointee.rst_stream.error_code
        // A stream that the peer makes us reset costs as much as one it resets itself (CVE-2025-8671).
        if code != NGHTTP2_NO_ERROR.rawValue && code != NGHTTP2_CANCEL.rawValue { connection.countReset() }
    default: break
    }
}

/// The data provider of every response: moves bytes from the stream's queue into a DATA frame.
///
/// The source is an unowned pointer to the stream, which its connection keeps until the session has closed it.
let readResponse: nghttp2_data_source_read_callback = { session, id, buffer, capacity, flags, source, _ in
    guard let buffer = unsafe buffer, let flags = unsafe flags, let pointer = unsafe source?.pointee.ptr else {
        return 0
    }
    let stream = unsafe object(at: pointer, as: RPCStream.self)
    let count = unsafe stream.response.read(into: UnsafeMutableBufferPointer(start: buffer, count: capacity))
    stream.resumeWriterIfRoom()
    guard stream.response.isEmpty else { return count }
    if stream.response.isFinished {
        unsafe flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        if let status = stream.failure {
            unsafe HeaderBlock(trailers: status).withHeaders {
                _ = unsafe nghttp2_submit_trailer(session, id, $0.baseAddress, $0.count)
            }
        } else {
            unsafe withOKTrailers { _ = unsafe nghttp2_submit_trailer(session, id, $0.baseAddress, $0.count) }
        }
    } else if count == 0 {
        stream.isDeferred = true
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    return count
}

private let data = UInt8(NGHTTP2_DATA.rawValue)
private let headers = UInt8(NGHTTP2_HEADERS.rawValue)
private let reset = UInt8(NGHTTP2_RST_STREAM.rawValue)
private let ping = UInt8(NGHTTP2_PING.rawValue)
private let continuation = UInt8(NGHTTP2_CONTINUATION.rawValue)

/// Lends the connection without counting references, which is safe as it outlives the session that calls,
/// and saves two atomic operations on each of some twenty callbacks of a call.
@discardableResult
private func withConnection<Result>(
    _ user: UnsafeMutableRawPointer?, _ body: (HTTP2Connection) -> Result
) -> Result? {
    guard let user = unsafe user else { return nil }
    return unsafe withObject(at: user, as: HTTP2Connection.self, body)
}
