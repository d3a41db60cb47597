// Errors of connecting, in words: what a person can do about each is different.

import NIOCore
import NIOPosix
import NIOSSL

enum ConnectionTrouble {
    /// What an error below HTTP means.
    static func describe(_ error: any Error) -> VaultNode.Failure {
        switch error {
        case let error as NIOConnectionError:
            return .notSent(describe(error))
        case let error as NIOSSLError:
            if case .handshakeFailed(let cause) = error { return .notSent("the TLS handshake failed: \(cause)") }
            if case .uncleanShutdown = error { return .brokenOff("the connection broke") }
            return .notSent("TLS: \(error)")
        case let error as NIOSSLExtraError:
            return .notSent("its certificate is not for this name: \(error)")
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            return .notSent("it refuses connections")
        case let error as IOError:
            return .brokenOff("the connection broke (\(error.localizedReason))")
        case let error as ChannelError:
            if case .connectTimeout = error { return .notSent("no connection could be made in time") }
            return .brokenOff("the connection broke (\(error))")
        default:
            return .brokenOff("the connection broke (\(error))")
        }
    }

    private static func describe(_ error: NIOConnectionError) -> String {
        if let dns = error.dnsAError ?? error.dnsAAAAError, error.connectionErrors.isEmpty {
            return "the name \(error.host) cannot be resolved (\(dns))"
        }
        let reasons = error.connectionErrors.map { failure in
            if let failure = failure.error as? IOError, failure.errnoCode == ECONNREFUSED {
                return "it refuses connections"
            }
            if let failure = failure.error as? IOError { return failure.localizedReason }
            return "\(failure.error)"
        }
        return Set(reasons).sorted().joined(separator: "; ")
    }
}

extension IOError {
    fileprivate var localizedReason: String { description }
}
