// Ways in for fuzzers: whatever the bytes are, these must return.

import Foundation
import NIOCore
import NIOPosix

/// Entry points for fuzzing.
@_spi(Fuzzing) public enum GRPCTransportFuzzing {
    /// The parsers of single values: timeout, base64, percent encoding.
    public static func values(_ bytes: [UInt8]) {
        _ = GRPCTimeout.parse(bytes)
        if let decoded = BinaryHeader.decode(bytes) { _ = BinaryHeader.encode(decoded) }
        _ = PercentEncoding.encode(String(decoding: bytes, as: UTF8.self))
    }

    /// The messages of a request. The first byte says how the rest is cut into pieces.
    public static func request(_ bytes: [UInt8]) {
        guard let size = bytes.first.map({ Int($0) + 1 }) else { return }
        for isUnary in [true, false] {
            var state = RequestState(isUnary: isUnary, isCompressed: false, limit: 1_024)
            for start in stride(from: 1, to: bytes.count, by: size) {
                _ = state.receive(bytes[start..<min(start + size, bytes.count)].span)
                _ = state.takeMessage()
            }
            _ = state.end()
        }
    }

    /// What a peer sends after the connection preface, up to the answers.
    public static func connection(_ bytes: [UInt8]) throws {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        try loop.submit {
            let peer = RPCPeer(connectionID: 0, remoteAddress: "", remotePort: 0, certificateDER: nil)
            let echo = RPCMethod.unary { (_, message) async throws(RPCStatus) in message }
            let connection = try HTTP2Connection(
                peer: RPCConnection(peer: peer, attachment: nil), executor: LoopExecutor(loop: loop),
                shared: HTTP2Connection.Shared(
                    configuration: GRPCServer.Configuration(), methods: MethodTable(["/e/E": echo]), observer: nil,
                    live: LiveCount()))
            defer { connection.tearDown() }
            let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
            do {
                try connection.receive((preface + bytes).span)
                var output = ByteBuffer()
                while try connection.send(into: &output) { output.clear() }
            } catch {
                // The session gave up on the bytes, as it should on bad ones.
                return
            }
        }.wait()
    }
}
