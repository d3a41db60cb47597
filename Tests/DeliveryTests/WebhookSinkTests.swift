// Delivery to web servers, good and bad.

import CloudServers
import Crypto
import Foundation
import PosternDelivery
import Synchronization
import SyslogServers
import TestPrograms
import Testing

@Suite(.timeLimit(.minutes(5))) struct WebhookSinkTests {
    private static func sink(
        _ url: String, _ body: WebhookOptions.Body = .lines, format: RecordFormat = .json,
        change: (inout WebhookOptions) -> Void = { _ in }
    ) -> SinkOptions {
        var options = WebhookOptions(url: url, body: body)
        change(&options)
        return SinkOptions(name: "sink", kind: .webhook(options), format: format)
    }

    /// What a server has taken.
    private final class Taken: Sendable {
        let lines = Mutex<[String]>([])
        func take(_ request: ServerRequest) {
            lines.withLock { $0 += request.text.split(separator: "\n").map(String.init) }
        }
        var arrival: Arrival { Arrival(lines: lines.withLock { $0 }) }
    }

    @Test func `every record comes in order, and through restarts once`() async throws {
        let taken = Taken()
        let server = try await LoopbackHTTPServer { request in
            taken.take(request)
            return .text(204, "")
        }
        let log = try LogUnderDelivery()
        for _ in 0..<3 {
            try log.start([Self.sink(server.url + "/in")])
            try await log.append(1_500)
            try await log.caughtUp()
            await log.stop()
        }
        try await server.stop()
        #expect(taken.arrival.problem(upTo: 4_500, breaks: 0) == nil)
        #expect(taken.arrival.indexes.count == 4_500)
        let first = try #require(server.requests.first)
        #expect(first.header("content-type") == "application/x-ndjson")
        #expect(first.target == "/in")
    }

    /// Every bad answer in turn, then a good one, and so on: nothing is missing at the end.
    @Test func `errors, cuts, lies and silence change nothing but the lag`() async throws {
        let taken = Taken()
        let turn = Atomic<Int>(0)
        let bad: [ServerAnswer] = [
            .text(500, "no"), .hangUp, .raw("garbage\r\n\r\n"), .text(302, "", [("Location", "http://127.0.0.1:1/")]),
            .text(429, "", [("Retry-After", "1")]), .text(503, "", [("Retry-After", "soon")]), .text(404, ""),
            .raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"), .text(413, ""),
        ]
        let server = try await LoopbackHTTPServer { request in
            let number = turn.add(1, ordering: .relaxed).oldValue
            if number.isMultiple(of: 2), number / 2 < bad.count { return bad[number / 2] }
            taken.take(request)
            return .text(200, "")
        }
        let log = try LogUnderDelivery()
        try log.start([Self.sink(server.url)])
        for _ in bad {
            try await log.append(20)
            try await log.caughtUp()
        }
        #expect(log.statuses.first?.failures == UInt64(bad.count))
        await log.stop()
        try await server.stop()
        #expect(taken.arrival.problem(upTo: 20 * bad.count, breaks: 0) == nil)
    }

    @Test func `a server that is not there, or comes and goes, gets everything in the end`() async throws {
        let taken = Taken()
        let handler: LoopbackHTTPServer.Handler = { request in
            taken.take(request)
            return .text(200, "")
        }
        let port = try freePort()
        let log = try LogUnderDelivery()
        try log.start([Self.sink("http://127.0.0.1:\(port)/")])
        for _ in 0..<3 {
            try await log.append(500)
            try await eventually("it is told") { log.statuses.contains { $0.problem?.contains("refuses") == true } }
            #expect(log.statuses.first.map { $0.lag > 0 } == true)
            let server = try await LoopbackHTTPServer(port: port, handler)
            try await log.caughtUp()
            try await server.stop()
        }
        await log.stop()
        #expect(taken.arrival.problem(upTo: 1_500, breaks: 0) == nil)
    }

    @Test func `a server that never answers holds up neither the log nor the end of delivery`() async throws {
        let server = try await LoopbackHTTPServer { _ in .silence }
        let log = try LogUnderDelivery()
        try log.start([
            Self.sink(server.url), SinkOptions(name: "other", kind: .file(path: log.file("other"))),
        ])
        try await log.append(20_000)
        try await log.caughtUp("other")
        #expect(log.statuses.first { $0.name == "sink" }?.lag == 20_000)
        await log.stop()
        try await server.stop()
        #expect(Arrival(file: log.file("other")).problem(upTo: 20_000, breaks: 0) == nil)
    }

    @Test func `a body that is too large is halved until it is taken`() async throws {
        let taken = Taken()
        let server = try await LoopbackHTTPServer { request in
            guard request.body.count < 20_000 else { return .text(413, "") }
            taken.take(request)
            return .text(200, "")
        }
        let log = try LogUnderDelivery()
        try log.start([])
        try await log.append(200)
        await log.stop()
        try log.start([Self.sink(server.url)])
        try await log.caughtUp()
        await log.stop()
        try await server.stop()
        #expect(taken.arrival.problem(upTo: 200, breaks: 0) == nil)
    }

    @Test func `requests are signed so that Standard Webhooks verify them, and a retry has the id of the first`()
        async throws
    {
        let key = "0123456789abcdef0123456789abcdef"
        let turn = Atomic<Int>(0)
        let server = try await LoopbackHTTPServer { _ in
            turn.add(1, ordering: .relaxed).oldValue == 0 ? .text(500, "") : .text(200, "")
        }
        let log = try LogUnderDelivery()
        try (key + "\n").write(toFile: log.file("key"), atomically: true, encoding: .utf8)
        try "Bearer abc\n".write(toFile: log.file("token"), atomically: true, encoding: .utf8)
        try log.start([])
        try await log.append(5)
        await log.stop()
        let (keyFile, tokenFile) = (log.file("key"), log.file("token"))
        try log.start([
            Self.sink(server.url) {
                $0.signingKeyFile = keyFile
                $0.authorizationFile = tokenFile
            }
        ])
        try await log.caughtUp()
        await log.stop()
        try await server.stop()
        #expect(server.requests.count == 2)
        #expect(Set(server.requests.map { $0.header("idempotency-key") }).count == 1)
        for request in server.requests {
            let id = try #require(request.header("webhook-id"))
            let time = try #require(request.header("webhook-timestamp"))
            var code = HMAC<SHA256>(key: SymmetricKey(data: Data(key.utf8)))
            code.update(data: Data("\(id).\(time).".utf8) + Data(request.body))
            #expect(request.header("webhook-signature") == "v1," + Data(code.finalize()).base64EncodedString())
            #expect(request.header("authorization") == "Bearer abc")
            #expect(id == request.header("idempotency-key"))
        }
    }

    @Test func `an array is JSON, and Splunk gets events with their time`() async throws {
        for format in RecordFormat.allCases {
            let server = try await LoopbackHTTPServer { _ in .text(200, "") }
            let log = try LogUnderDelivery()
            try log.start([])
            try await log.append(9)
            await log.stop()
            var array = Self.sink(server.url, .array, format: format)
            array = SinkOptions(name: "array", kind: array.kind, format: format)
            try log.start([array, Self.sink(server.url + "/services/collector/event", .splunk, format: format)])
            try await log.caughtUp("array")
            try await log.caughtUp()
            await log.stop()
            try await server.stop()
            for request in server.requests {
                if request.target == "/" {
                    let events = try JSONSerialization.jsonObject(with: Data(request.body)) as? [Any]
                    #expect(events?.count == 9)
                } else {
                    for line in request.text.split(separator: "\n") {
                        let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                        #expect((event?["time"] as? NSNumber)?.doubleValue == 1_790_000_000.123)
                        #expect(event?["event"] != nil)
                    }
                }
            }
        }
    }

    @Test func `a bulk API that says 200 and refuses a record is not believed, and one that has it already is`()
        async throws
    {
        let turn = Atomic<Int>(0)
        let server = try await LoopbackHTTPServer { request in
            let count = request.text.split(separator: "\n").count / 2
            let status = [429, 409, 201][min(turn.add(1, ordering: .relaxed).oldValue, 2)]
            let items = Array(repeating: #"{"create":{"_id":"x","status":\#(status),"error":{"a":[1]}}}"#, count: count)
            return .json(200, #"{"took":1,"errors":true,"items":[\#(items.joined(separator: ","))]}"#)
        }
        let log = try LogUnderDelivery()
        try log.start([])
        try await log.append(7)
        await log.stop()
        try log.start([Self.sink(server.url + "/_bulk", .bulk, format: .ocsf)])
        try await log.caughtUp()
        #expect(log.statuses.first?.failures == 1)
        await log.stop()
        try await server.stop()
        #expect(server.requests.count == 2)
        let lines = server.requests.first?.text.split(separator: "\n") ?? []
        try #require(lines.count == 14)
        #expect(lines[0].contains(##"{"create":{"_id":"##) && lines[0].contains("#0\""))
    }

    @Test(arguments: ["http://siem.example.com/", "ftp://127.0.0.1/", "https://a:b@c/", "x", "https://"])
    func `a URL over which others could listen is refused`(url: String) throws {
        let log = try LogUnderDelivery()
        #expect(throws: (any Error).self) { try log.start([Self.sink(url)]) }
    }
}
