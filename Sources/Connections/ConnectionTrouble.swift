// Errors of connections, in words: what a person can do about each is different.

import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

/// Says what is wrong with a connection.
public enum ConnectionTrouble {
    /// What an error below HTTP, or of the HTTP client, means; to follow the server's name.
    /// - Parameter error: what NIO, NIOSSL or AsyncHTTPClient threw.
    /// - Returns: part of a sentence, as in `it refuses connections`.
    public static func describe(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: describe(error)
        case let error as NIOConnectionError: describe(error)
        case let error as NIOSSLError: describe(error)
        case is NIOSSLExtraError: "its certificate is not for this name"
        case let error as IOError: describe(error)
        case ChannelError.connectTimeout: "no connection could be made in time"
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof: "the connection broke"
        default: "the connection broke (\(type(of: error)))"
        }
    }

    private static func describe(_ error: HTTPClientError) -> String {
        switch error {
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout: "no connection could be made in time"
        case .deadlineExceeded, .readTimeout, .writeTimeout: "it did not answer in time"
        default: "the connection broke (\(error.shortDescription))"
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
