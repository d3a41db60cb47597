// The arguments of RPCEcho.

import PosternGRPCTransport

/// What the arguments say.
struct Settings: Sendable {
    var configuration = GRPCServer.Configuration()
    var threads = 1
    var isVerbose = false
    var refusesAll = false
    var isCounting = true

    init(arguments: some Sequence<String>) {
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let number = Int(parts[1]) else { fail("not name=number: \(argument)") }
            let time = Duration.milliseconds(number)
            switch parts[0] {
            case "port": configuration.port = number
            case "threads": threads = number
            case "verbose": isVerbose = number != 0
            case "refuse": refusesAll = number != 0
            case "count": isCounting = number != 0
            case "message": configuration.maximumMessageBytes = number
            case "buffered": configuration.maximumBufferedRequestBytes = number
            case "headers": configuration.maximumHeaderListBytes = number
            case "streams": configuration.maximumConcurrentStreams = number
            case "connections": configuration.maximumConnections = number
            case "window": configuration.streamWindowBytes = number
            case "handshake": configuration.handshakeTimeout = time
            case "idle": configuration.idleTimeout = time
            case "keepalive": configuration.keepaliveInterval = time
            case "keepalive-timeout": configuration.keepaliveTimeout = time
            case "age": configuration.maximumConnectionAge = time
            case "age-grace": configuration.connectionAgeGrace = time
            case "deadline": configuration.defaultDeadline = time
            case "resets": configuration.resetBurst = number
            default: fail("unknown setting \(parts[0])")
            }
        }
    }
}
