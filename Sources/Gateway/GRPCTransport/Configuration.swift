// Every limit and time of the server in one place.

extension GRPCServer {
    /// The limits and times of a server.
    public struct Configuration: Sendable {
        /// The address to listen on: an IP address or a host name.
        public var host = "127.0.0.1"
        /// The TCP port; 0 for any free one.
        public var port = 0
        /// How many connections may wait to be accepted.
        public var backlog = 1_024

        /// The longest request message, in bytes.
        public var maximumMessageBytes = 1_280 * 1_024
        /// The most request bytes held for one connection's unfinished calls, in bytes. A call that exceeds it
        /// fails with RESOURCE_EXHAUSTED.
        public var maximumBufferedRequestBytes = 16 * 1_024 * 1_024
        /// The largest header list of a request, in bytes as RFC 9113 §6.5.2 counts them.
        public var maximumHeaderListBytes = 16 * 1_024
        /// How many calls one connection may have open.
        public var maximumConcurrentStreams = 256
        /// How many connections may be open, handshaking ones included. Further ones are closed at once.
        public var maximumConnections = 4_096
        /// The flow-control window of a request stream, in bytes.
        public var streamWindowBytes = 256 * 1_024
        /// The flow-control window of all request streams of a connection together, in bytes.
        public var connectionWindowBytes = 1_024 * 1_024
        /// How many response bytes of a streaming call may wait to be sent before a write waits, in bytes.
        public var responseBufferBytes = 64 * 1_024

        /// How long a new connection has for the TLS handshake and its admission, and a request for its headers.
        public var handshakeTimeout: Duration = .seconds(10)
        /// How long a connection may be without calls before it is closed.
        public var idleTimeout: Duration = .seconds(30 * 60)
        /// After how long without a byte from the peer it is pinged.
        public var keepaliveInterval: Duration = .seconds(120)
        /// How long it then has to say something.
        public var keepaliveTimeout: Duration = .seconds(20)
        /// After how long a connection is told to go away, give or take a tenth; nil for never.
        public var maximumConnectionAge: Duration?
        /// How long its calls then have to finish.
        public var connectionAgeGrace: Duration = .seconds(60)
        /// The deadline of a unary call that brought none; nil for none. Streaming calls then have none.
        public var defaultDeadline: Duration? = .seconds(30)
        /// The longest deadline a caller can ask for; longer ones are shortened. Nil for any.
        public var maximumDeadline: Duration?

        /// How many reset streams a connection may have in a burst before it is told to calm down and closed.
        public var resetBurst = 1_000
        /// How many of these come back each second.
        public var resetsPerSecond = 33.0
        /// How many answers to the peer's PING and SETTINGS frames may wait to be sent.
        public var maximumPendingAcknowledgements = 1_000

        /// Makes the defaults.
        public init() {}
    }
}
