// A small client of Redis (RESP version 2, https://redis.io/docs/latest/develop/reference/protocol-spec/): one connection,
// commands in order, answers in order. Only reads.

import NIOCore
import NIOPosix
import NIOSSL
import PosternProtocol

/// An answer of Redis.
enum RedisValue: Sendable, Equatable {
    case simple(String)
    case failure(String)
    case integer(Int)
    case bulk([UInt8]?)
    case array([RedisValue])
}

/// Where a Redis is, and as whom to log in.
struct RedisAddress {
    let host: String
    let port: Int
    let usesTLS: Bool
    let database: Int
    let user: String?

    /// Reads `redis://[user@]host[:port][/database]` or `rediss://…`.
    /// - Throws: `invalid_argument`; also for a password, which everybody could see who lists processes.
    init(_ url: String) throws(SecretError) {
        func wrong(_ why: String) -> SecretError {
            SecretError(.invalidArgument, "The address of Redis \(why); write redis://[user@]host[:port][/database].")
        }
        let parts = url.split(separator: "://", maxSplits: 1)
        guard parts.count == 2, parts[0] == "redis" || parts[0] == "rediss" else { throw wrong("is no URL of Redis") }
        usesTLS = parts[0] == "rediss"
        var rest = parts[1]
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at]
            guard !user.contains(":") else {
                throw wrong(
                    "has a password in it, which others on this machine can see: use --password-file or REDIS_PASSWORD")
            }
            self.user = user.isEmpty ? nil : String(user)
            rest = rest[rest.index(after: at)...]
        } else {
            user = nil
        }
        let path = rest.split(separator: "/", maxSplits: 1)
        guard let authority = path.first, !authority.isEmpty else { throw wrong("has no host") }
        guard let database = path.count > 1 ? Int(path[1]) : 0, database >= 0 else {
            throw wrong("has no good database")
        }
        self.database = database
        let colon = authority.lastIndex(of: ":").flatMap { authority.last == "]" ? nil : $0 }
        guard let port = colon.map({ Int(authority[authority.index(after: $0)...]) }) ?? 6_379,
            (1...65_535).contains(port)
        else { throw wrong("has no good port") }
        self.port = port
        host = colon.map { String(authority[..<$0]) } ?? String(authority)
    }
}

/// One connection.
struct RedisClient {
    private static let patience: TimeAmount = .seconds(30)

    private let channel: any Channel
    private var answers: AsyncThrowingStream<RedisValue, any Error>.AsyncIterator

    /// Connects, logs in, and lends a client.
    /// - Parameters:
    ///   - password: nil to not log in.
    ///   - authorities: PEM file of the authorities to trust; nil for the system's.
    /// - Throws: `backend_unavailable`, `unauthenticated`.
    static func with<Value>(
        _ address: RedisAddress, password: SecretBytes?, authorities: String?,
        _ body: (inout RedisClient) async throws -> Value
    ) async throws -> Value {
        let tls = address.usesTLS ? try tlsContext(authorities) : nil
        let (answers, continuation) = AsyncThrowingStream<RedisValue, any Error>.makeStream()
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(10))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            let name = Self.isAddress(address.host) ? nil : address.host
                            try channel.pipeline.syncOperations.addHandler(
                                NIOSSLClientHandler(context: tls, serverHostname: name))
                        }
                        try channel.pipeline.syncOperations.addHandlers(
                            ByteToMessageHandler(RedisDecoder()), RedisAnswers(continuation))
                    }
                }
                .connect(host: address.host, port: address.port).get()
        } catch {
            throw SecretError(
                .backendUnavailable, "Redis at \(address.host):\(address.port) cannot be reached: \(error)")
        }
        let result: Result<Value, any Error>
        do {
            var client = RedisClient(channel: channel, answers: answers.makeAsyncIterator())
            try await client.logIn(address, password)
            result = .success(try await body(&client))
        } catch {
            result = .failure(error)
        }
        // One that is closed already is as good.
        try? await channel.close()
        return try result.get()
    }

    private static func isAddress(_ host: String) -> Bool {
        host.contains(":") || host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
    }

    private static func tlsContext(_ authorities: String?) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authorities { configuration.trustRoots = .file(authorities) }
        return try NIOSSLContext(configuration: configuration)
    }

    private mutating func logIn(_ address: RedisAddress, _ password: SecretBytes?) async throws {
        if let password {
            let name = address.user.map { [Array($0.utf8)] } ?? []
            let answer = try await ask([Array("AUTH".utf8)] + name + [password.withUnsafeBytes { Array($0) }])
            guard answer == .simple("OK") else {
                throw SecretError(.unauthenticated, "Redis does not accept the user and password: \(Self.text(answer))")
            }
        }
        if address.database != 0 {
            let answer = try await ask("SELECT", String(address.database))
            guard answer == .simple("OK") else {
                throw SecretError(.invalidArgument, "Redis has no database \(address.database): \(Self.text(answer))")
            }
        }
    }

    private static func text(_ answer: RedisValue) -> String {
        if case .failure(let text) = answer { text } else { "it answers with something else." }
    }

    /// The names of all keys that match a pattern, each once.
    mutating func keys(matching pattern: String?) async throws -> [String] {
        var cursor = "0"
        var names = Set<String>()
        repeat {
            let options = pattern.map { ["MATCH", $0] } ?? []
            let answer = try await ask((["SCAN", cursor] + options + ["COUNT", "1000"]).map { Array($0.utf8) })
            guard case .array(let parts) = answer, parts.count == 2, case .bulk(let next?) = parts[0],
                case .array(let keys) = parts[1]
            else {
                throw SecretError(.backendUnavailable, "Redis does not list its keys: \(Self.text(answer))")
            }
            for case .bulk(let name?) in keys { names.insert(String(decoding: name, as: UTF8.self)) }
            cursor = String(decoding: next, as: UTF8.self)
        } while cursor != "0"
        return names.sorted()
    }

    /// The values of keys, in order.
    mutating func values(_ names: [String]) async throws -> [RedisValue] {
        try await exchange(names.map { [Array("GET".utf8), Array($0.utf8)] })
    }

    private mutating func ask(_ words: String...) async throws -> RedisValue {
        try await ask(words.map { Array($0.utf8) })
    }

    private mutating func ask(_ words: [[UInt8]]) async throws -> RedisValue {
        guard let answer = try await exchange([words]).first else { throw Self.gone("it said nothing") }
        return answer
    }

    /// Sends commands together, and waits for all answers.
    private mutating func exchange(_ commands: [[[UInt8]]]) async throws -> [RedisValue] {
        var buffer = ByteBuffer()
        for words in commands {
            buffer.writeString("*\(words.count)\r\n")
            for word in words {
                buffer.writeString("$\(word.count)\r\n")
                buffer.writeBytes(word)
                buffer.writeString("\r\n")
            }
        }
        // A Redis that says nothing any more is hung up on, which ends the waiting.
        let channel = channel
        let alarm = channel.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        defer { alarm.cancel() }
        do {
            try await channel.writeAndFlush(buffer)
            var values: [RedisValue] = []
            while values.count < commands.count {
                guard let value = try await answers.next(isolation: #isolation) else {
                    throw Self.gone("it closed the connection")
                }
                values.append(value)
            }
            return values
        } catch let error as SecretError {
            throw error
        } catch {
            throw Self.gone("\(error)")
        }
    }

    private static func gone(_ why: String) -> SecretError {
        SecretError(.backendUnavailable, "Redis does not answer: \(why). Run the import again; it goes on.")
    }
}

/// Hands answers to whoever waits for them; ends with the connection.
private final class RedisAnswers: ChannelInboundHandler {
    typealias InboundIn = RedisValue

    private let continuation: AsyncThrowingStream<RedisValue, any Error>.Continuation

    init(_ continuation: AsyncThrowingStream<RedisValue, any Error>.Continuation) { self.continuation = continuation }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) {
        continuation.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        continuation.finish(throwing: error)
        context.close(promise: nil)
    }
}

/// Cuts the bytes of the connection into answers.
private struct RedisDecoder: ByteToMessageDecoder {
    typealias InboundOut = RedisValue

    /// The largest value: more than any secret takes as base64.
    private static let maximumBulk = 16 << 20
    private static let maximumElements = 1 << 20

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        var ahead = buffer
        guard let value = try Self.value(&ahead, depth: 0) else { return .needMoreData }
        buffer = ahead
        context.fireChannelRead(wrapInboundOut(value))
        return .continue
    }

    mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        try decode(context: context, buffer: &buffer)
    }

    /// One value, or nil if it is not all there yet.
    private static func value(_ buffer: inout ByteBuffer, depth: Int) throws -> RedisValue? {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else {
            guard buffer.readableBytes < 65_536 else { throw strange }
            return nil
        }
        guard var line = buffer.readString(length: end - buffer.readerIndex + 1), line.hasSuffix("\r\n") else {
            throw strange
        }
        line.removeLast()
        let rest = String(line.dropFirst())
        switch line.first {
        case "+": return .simple(rest)
        case "-": return .failure(rest)
        case ":": return .integer(try number(rest, atMost: Int.max))
        case "$":
            let count = try number(rest, atMost: maximumBulk)
            if count < 0 { return .bulk(nil) }
            guard buffer.readableBytes >= count + 2 else { return nil }
            guard let bytes = buffer.readBytes(length: count), buffer.readString(length: 2) == "\r\n" else {
                throw strange
            }
            return .bulk(bytes)
        case "*":
            let count = try number(rest, atMost: maximumElements)
            guard depth < 4 else { throw strange }
            var values: [RedisValue] = []
            for _ in 0..<max(count, 0) {
                guard let value = try value(&buffer, depth: depth + 1) else { return nil }
                values.append(value)
            }
            return .array(values)
        default: throw strange
        }
    }

    private static func number(_ text: String, atMost maximum: Int) throws -> Int {
        guard let number = Int(text), number <= maximum else { throw strange }
        return number
    }

    private static var strange: SecretError {
        SecretError(.backendUnavailable, "What answers does not speak Redis's protocol, or a value is over 16 MiB.")
    }
}
