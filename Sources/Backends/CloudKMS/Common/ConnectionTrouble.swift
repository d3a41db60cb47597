// Errors of connecting, in words: what a person can do about each is different.

import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

enum ConnectionTrouble {
    /// What an error below HTTP means.
    static func describe(_ error: any Error) -> CloudFailure {
        switch error {
        case is CancellationError: .cancelled
        case let error as HTTPClientError: describe(error)
        case is NIOTooManyBytesError: .noAnswer("it answered with more than \(CloudHTTP.maximumAnswerBytes) bytes")
        case let error as NIOConnectionError: .noAnswer(describe(error))
        case let error as NIOSSLError: .noAnswer(describe(error))
        case is NIOSSLExtraError: .noAnswer("its certificate is not for this name")
        case let error as IOError: .noAnswer(describe(error))
        case ChannelError.connectTimeout: .noAnswer("no connection could be made in time")
        default: .noAnswer("the connection broke (\(type(of: error)))")
        }
    }

    private static func describe(_ error: HTTPClientError) -> CloudFailure {
        switch error {
        case .cancelled: .cancelled
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
            .noAnswer("no connection could be made in time")
        case .deadlineExceeded, .readTimeout, .writeTimeout: .noAnswer("it did not answer in time")
        default: .noAnswer("the connection broke (\(error.shortDescription))")
        }
    }

    private static func describe(_ error: NIOSSLError) -> String {
        switch error {
        case .handshakeFailed(let cause): "the TLS handshake failed: \(cause)"
        case .uncleanShutdown: "the connection broke"
        default: "TLS: \(error)"
        }
    }

    private static func describe(_ error: NIOConnectionError) -> String {
        if let dns = error.dnsAError ?? error.dnsAAAAError, error.connectionErrors.isEmpty {
            return "its name cannot be resolved (\(dns))"
        }
        let reasons = error.connectionErrors.map { failure in
            (failure.error as? IOError).map { describe($0) } ?? "\(failure.error)"
        }
        return Set(reasons).sorted().joined(separator: "; ")
    }

    private static func describe(_ error: IOError) -> String {
        error.errnoCode == ECONNREFUSED ? "it refuses connections" : "the connection broke (\(error.description))"
    }
}
