// Where a cloud's service listens, and over which connections secrets may go there.

import FoundationEssentials
import PosternProtocol

/// A URL of a service: https, or http where nobody can be in between.
struct ServiceURL: Sendable, Hashable, CustomStringConvertible {
    /// Scheme and authority: `https://kms.eu-west-1.amazonaws.com`.
    let origin: String
    /// Host and port as the `Host` header has them.
    let authority: String
    /// Path and query, at least `/`.
    let target: String

    var description: String { origin + target }

    /// Parses a URL.
    /// - Parameters:
    ///   - text: the URL, without user, password and fragment.
    ///   - setting: what gave it, for the message.
    ///   - plainHosts: hosts besides this machine that may be reached by http.
    /// - Throws: `invalid_argument` saying what is wrong with it.
    init(_ text: String, from setting: String, plainHosts: Set<String> = []) throws(SecretError) {
        func problem(_ why: String) -> SecretError {
            SecretError(.invalidArgument, "\(setting) is \"\(text.prefix(200))\": \(why).")
        }
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, let host = parts.encodedHost,
            !host.isEmpty, parts.user == nil, parts.password == nil, parts.fragment == nil,
            parts.port.map({ (1...65_535).contains($0) }) ?? true
        else { throw problem("write https://host:port") }
        let bareHost = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        switch scheme {
        case "https": break
        case "http" where Self.isThisMachine(bareHost) || plainHosts.contains(bareHost): break
        case "http": throw problem("keys and credentials go there, so that it must be https")
        default: throw problem("write https://host:port")
        }
        let port = parts.port.flatMap { $0 == (scheme == "https" ? 443 : 80) ? nil : $0 }
        authority = port.map { "\(host):\($0)" } ?? host
        origin = "\(scheme)://\(authority)"
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        target = parts.percentEncodedQuery.map { "\(path)?\($0)" } ?? path
    }

    /// The same origin with another path and query.
    func with(target: String) -> ServiceURL { ServiceURL(origin: origin, authority: authority, target: target) }

    private init(origin: String, authority: String, target: String) {
        self.origin = origin
        self.authority = authority
        self.target = target
    }

    private static func isThisMachine(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }
}
