// What there is to say about a sink.

/// One destination of records.
public struct SinkOptions: Sendable {
    /// How records get there.
    public enum Kind: Sendable {
        /// RFC 5424 syslog over TCP or TLS.
        case syslog(SyslogOptions)
        /// POST requests.
        case webhook(WebhookOptions)
        /// A file of lines.
        case file(path: String)
    }

    /// Its name, in metrics, health and the name of its cursor's file: A-Z a-z 0-9 . _ -.
    public let name: String
    /// How records get there.
    public let kind: Kind
    /// What they look like there.
    public let format: RecordFormat
    /// Whether a sink that is new is given only what comes from now on, instead of the whole log.
    public let startsAtEnd: Bool

    /// Describes a sink.
    public init(name: String, kind: Kind, format: RecordFormat = .json, startsAtEnd: Bool = false) {
        self.name = name
        self.kind = kind
        self.format = format
        self.startsAtEnd = startsAtEnd
    }
}

/// Whom to trust and who we are, in TLS. Files are read at each connection, so that new ones are used when they come.
public struct SinkTLS: Sendable {
    /// A PEM file of the authorities to trust; nil for the system's.
    public var authorities: String?
    /// PEM files of the client's certificate and key, where the server asks for one.
    public var identity: (certificate: String, key: String)?

    /// Describes TLS.
    public init(authorities: String? = nil, identity: (certificate: String, key: String)? = nil) {
        self.authorities = authorities
        self.identity = identity
    }
}

/// A syslog server.
public struct SyslogOptions: Sendable {
    /// Its host name or IP address: with TLS, what its certificate is for.
    public var host: String
    /// Its port.
    public var port: Int
    /// TLS (RFC 5425); nil for plain TCP (RFC 6587).
    public var tls: SinkTLS?
    /// What messages say they come from.
    public var hostname: String
    /// The SD-ID of the element with the record's place in the log (RFC 5424 §6.3.2).
    public var structuredDataID = "postern@32473"
    /// How long a connection has to hold before what went over it counts as delivered: syslog has no acknowledgements.
    public var settling: Duration = .seconds(10)
    /// How long the server may take to read the rest and close in its turn, when delivery stops.
    public var farewell: Duration = .seconds(5)

    /// Describes a server.
    public init(host: String, port: Int, tls: SinkTLS?, hostname: String) {
        self.host = host
        self.port = port
        self.tls = tls
        self.hostname = hostname
    }
}

/// A server that takes POST requests.
public struct WebhookOptions: Sendable {
    /// How records are put together in a request's body.
    public enum Body: String, Sendable, CaseIterable {
        /// One a line.
        case lines
        /// A JSON array.
        case array
        /// Events for Splunk's HTTP Event Collector.
        case splunk
        /// Create actions for the bulk API of Elasticsearch and OpenSearch, whose answer is read.
        case bulk
    }

    /// Where to: https, or http on this machine.
    public var url: String
    /// How records are put together.
    public var body: Body
    /// Whom to trust and who we are.
    public var tls = SinkTLS()
    /// A file with the value of the header `Authorization`, in one line; read for each request.
    public var authorizationFile: String?
    /// A file with the key of the signature, in one line; read for each request.
    public var signingKeyFile: String?

    /// Describes a server.
    public init(url: String, body: Body = .lines) {
        self.url = url
        self.body = body
    }
}
