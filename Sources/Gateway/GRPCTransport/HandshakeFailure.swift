// What an error before admission says about the peer, in few words.

import NIOCore
import NIOSSL

/// Tells a peer that hung up from one whose handshake went wrong, and says why.
struct HandshakeFailure {
    let refusal: RPCRefusal
    /// The TLS library's reason, such as `CERTIFICATE_VERIFY_FAILED`, or else the error in words.
    let detail: String

    init(_ error: any Error) {
        switch error {
        case NIOSSLError.handshakeFailed(let error): self.init(error)
        case NIOSSLError.uncleanShutdown: self = .closed
        // The socket failed, not TLS: port scanners like to end with a reset.
        case let error as IOError:
            self.init(
                refusal: .closedInHandshake,
                detail: "The connection broke during the handshake: errno \(error.errnoCode).")
        default: self.init(refusal: .handshakeFailed, detail: "\(error)")
        }
    }

    /// The peer closed the connection and gave no reason.
    static let closed = HandshakeFailure(
        refusal: .closedInHandshake, detail: "The peer closed the connection during the handshake.")

    private init(refusal: RPCRefusal, detail: String) {
        self.refusal = refusal
        self.detail = detail
    }

    private init(_ error: BoringSSLError) {
        switch error {
        case .sslError([.eofDuringHandshake]), .sslError([.eofDuringAdditionalCertficiateChainValidation]):
            self = .closed
        case .sslError(let stack), .unknownError(let stack):
            self.init(refusal: .handshakeFailed, detail: stack.map(Self.reason).joined(separator: ", "))
        default:
            self.init(refusal: .handshakeFailed, detail: "\(error)")
        }
    }

    /// Cuts the reason out of `Error: NUMBER error:CODE:LIBRARY:OPENSSL_internal:REASON at FILE:LINE`.
    private static func reason(_ error: BoringSSLInternalError) -> String {
        let message = "\(error)".split(separator: " at ").first ?? ""
        return String(message.split(separator: ":OPENSSL_internal:").last ?? "")
    }
}
