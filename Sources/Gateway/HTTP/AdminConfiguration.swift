// How the admin API listens and what it allows.

public import PosternProtocol

/// How the admin API listens and what it allows.
public struct AdminConfiguration: Sendable {
    /// The address to listen on, an IP address or a host name.
    public var host: String
    /// The port to listen on; 0 takes a free one.
    public var port: Int
    /// The keys that callers may present.
    public var keys: AdminKeys
    /// The origins whose pages may call the API from a browser, as in `https://console.example.com`.
    public var allowedOrigins: Set<String> = []
    /// The largest request body, in bytes.
    public var maximumBodyBytes = 2 << 20
    /// The largest payload that can be written, in bytes: names and values together.
    public var maximumPayloadBytes = Payload.defaultMaximumBytes
    /// The most bytes of header in one request.
    public var maximumHeaderBytes = 16 << 10
    /// How long a request may take from its first byte; a client may ask for less by `X-Postern-Timeout-Ms`.
    public var requestTimeout: Duration = .seconds(30)
    /// How long a connection may do nothing, or take to send a request's header.
    public var idleTimeout: Duration = .seconds(60)
    /// The most connections; more wait until one is closed.
    public var maximumConnections = 256
    /// How many failed authentications an address may have in a minute.
    public var failuresPerMinute = 10
    /// For how many addresses failures are counted one by one.
    public var maximumTrackedAddresses = 1_024

    /// Makes a configuration with the defaults.
    /// - Parameters:
    ///   - host: the address to listen on.
    ///   - port: the port to listen on; 0 takes a free one.
    ///   - keys: the keys that callers may present.
    public init(host: String = "127.0.0.1", port: Int = 8443, keys: AdminKeys) {
        self.host = host
        self.port = port
        self.keys = keys
    }

    /// Refuses what cannot work.
    /// - Throws: `invalid_argument` naming the setting.
    public func check() throws(SecretError) {
        for origin in allowedOrigins {
            let isOrigin =
                (origin.hasPrefix("https://") || origin.hasPrefix("http://")) && !origin.hasSuffix("/")
                && !origin.contains("*") && origin.split(separator: "/").count == 2
            guard isOrigin else {
                throw SecretError(
                    .invalidArgument,
                    "The allowed origin \"\(origin)\" is not one: write scheme and host, as in https://console.example.com."
                )
            }
        }
        let limits = [
            ("maximum body bytes", maximumBodyBytes), ("maximum header bytes", maximumHeaderBytes),
            ("maximum connections", maximumConnections), ("failures per minute", failuresPerMinute),
            ("maximum tracked addresses", maximumTrackedAddresses),
        ]
        for (name, limit) in limits where limit < 1 {
            throw SecretError(.invalidArgument, "The admin API's \(name) must be at least 1, not \(limit).")
        }
        guard requestTimeout > .zero, idleTimeout > .zero else {
            throw SecretError(.invalidArgument, "The admin API's timeouts must be longer than nothing.")
        }
    }
}
