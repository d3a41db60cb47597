// Any bytes from a peer, after TLS: as single values, as the messages of a request, and as all that follows the
// HTTP/2 preface on a connection with its calls. Nothing traps, and nothing hangs.

@_spi(Fuzzing) import PosternGRPCTransport

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    GRPCTransportFuzzing.values(bytes)
    GRPCTransportFuzzing.request(bytes)
    do {
        try GRPCTransportFuzzing.connection(bytes)
    } catch {
        preconditionFailure("a connection could not be made: \(error)")
    }
    return 0
}
