// Where a gateway is and who is calling it.

import GRPCCore
import GRPCNIOTransportHTTP2Posix
public import PosternProtocol

/// A gateway's address, and the client certificate to show it.
public struct Endpoint: Sendable {
    /// The host: a name or an IP address.
    public let host: String
    /// The TCP port.
    public let port: Int
    /// The name that the gateway's certificate must have; by default the host, or `localhost` for a loopback address.
    public let serverName: String
    /// PEM file of the client certificate with its chain.
    public let certificateFile: String
    /// PEM file of its private key.
    public let keyFile: String
    /// PEM file of the authorities that the gateway's certificate must come from.
    public let authoritiesFile: String

    /// Makes an endpoint.
    /// - Parameters:
    ///   - address: `host:port`; an IPv6 address goes in brackets.
    ///   - serverName: the name that the gateway's certificate must have, if not the host.
    ///   - certificateFile: PEM file of the client certificate with its chain.
    ///   - keyFile: PEM file of its private key.
    ///   - authoritiesFile: PEM file of the authorities that the gateway's certificate must come from.
    /// - Throws: `invalid_argument` if the address is not `host:port`.
    public init(
        address: String, serverName: String? = nil, certificateFile: String, keyFile: String, authoritiesFile: String
    ) throws(SecretError) {
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]),
            (1...65_535).contains(port), colon != address.startIndex
        else {
            throw SecretError(.invalidArgument, "\"\(address)\" is not an address; write host:port.")
        }
        var host = String(address[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.host = host
        self.port = port
        self.serverName = serverName ?? (host == "127.0.0.1" || host == "::1" ? "localhost" : host)
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.authoritiesFile = authoritiesFile
    }

    func transport() throws -> HTTP2ClientTransport.Posix {
        let security = HTTP2ClientTransport.Posix.TransportSecurity.mTLS(
            certificateChain: [.file(path: certificateFile, format: .pem)],
            privateKey: .file(path: keyFile, format: .pem)
        ) { tls in
            tls.trustRoots = .certificates([.file(path: authoritiesFile, format: .pem)])
        }
        var config = HTTP2ClientTransport.Posix.Config.defaults
        config.http2.authority = serverName
        if host.contains(":") {
            return try HTTP2ClientTransport.Posix(
                target: .ipv6(address: host, port: port), transportSecurity: security, config: config)
        }
        if host.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return try HTTP2ClientTransport.Posix(
                target: .ipv4(address: host, port: port), transportSecurity: security, config: config)
        }
        return try HTTP2ClientTransport.Posix(
            target: .dns(host: host, port: port), transportSecurity: security, config: config)
    }
}
