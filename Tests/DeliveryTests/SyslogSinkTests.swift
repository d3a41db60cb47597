// Delivery to a real syslog server.

import Foundation
import NIOCore
import PosternDelivery
import SyslogServers
import TestPrograms
import Testing

@Suite(
    .enabled(if: FileManager.default.fileExists(atPath: RsyslogServer.program), "rsyslog is not installed"),
    .timeLimit(.minutes(8)))
struct SyslogSinkTests {
    private static func sink(
        _ server: RsyslogServer, host: String = "127.0.0.1", format: RecordFormat = .json,
        settling: Duration = .seconds(10), authority: String = "ca.pem", withIdentity: Bool = true
    ) -> SinkOptions {
        var tls: SinkTLS?
        if server.transport != .tcp { tls = SinkTLS(authorities: server.file(authority)) }
        if server.transport == .mutualTLS, withIdentity {
            tls?.identity = (certificate: server.file("client.pem"), key: server.file("client.key"))
        }
        var options = SyslogOptions(host: host, port: server.port, tls: tls, hostname: "gateway-1.example.com")
        options.settling = settling
        options.farewell = .seconds(120)
        return SinkOptions(name: "sink", kind: .syslog(options), format: format)
    }

    private static func arrived(_ count: Int, at server: RsyslogServer) async throws {
        try await eventually("rsyslog has written \(count) records", within: .seconds(240)) {
            Set(server.arrival.indexes).count >= count
        }
    }

    @Test(arguments: RsyslogServer.Transport.allCases)
    func `rsyslog receives every record exactly and in order`(transport: RsyslogServer.Transport) async throws {
        let server = try RsyslogServer(transport)
        let process = try await server.start()
        let log = try LogUnderDelivery()
        try log.start([Self.sink(server, host: transport == .tls ? "localhost" : "127.0.0.1")])
        try await log.append(3_000)
        try await log.append(20, padding: 64_000)
        try await log.append(100)
        try await Self.arrived(3_120, at: server)
        await log.stop()
        process.stop()
        #expect(server.arrival.problem(upTo: 3_120, breaks: 0) == nil)
        #expect(server.arrival.indexes.count == 3_120)
        // Rsyslog took each apart as RFC 5424 has it.
        for (index, parts) in server.messages.enumerated() {
            try #require(parts.count == 6)
            #expect(parts[1] == "110")
            #expect(parts[2] == "gateway-1.example.com")
            #expect(parts[3...4] == ["postern", "secret.read"])
            #expect(parts[5].hasPrefix("[postern@32473 index=\"\(index)\" origin=\""))
        }
    }

    @Test(arguments: [RecordFormat.cef, .ocsf])
    func `CEF and OCSF arrive in one piece, whatever is in the records`(format: RecordFormat) async throws {
        let server = try RsyslogServer(.tcp)
        let process = try await server.start()
        let log = try LogUnderDelivery()
        try log.start([Self.sink(server, format: format)])
        try await log.append(500)
        try await eventually("all are there") { server.messages.count >= 500 }
        await log.stop()
        process.stop()
        #expect(server.messages.count == 500)
        for (index, parts) in server.messages.enumerated() {
            let text = String(parts[0].drop { $0 == " " })
            if format == .cef {
                let event = try #require(CEFReader.read(text))
                #expect(event.values["externalId"] == String(index))
                let reason = Records.hostile[index % Records.hostile.count]
                #expect(event.values["reason"] == CEFReader.flattened(reason, breaks: true))
            } else {
                let event = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
                #expect((event?["metadata"] as? [String: Any])?["sequence"] as? Int == index)
            }
        }
    }

    @Test(arguments: [RsyslogServer.Transport.tcp, .tls])
    func `an orderly restart of delivery repeats nothing that rsyslog has read`(
        transport: RsyslogServer.Transport
    ) async throws {
        let server = try RsyslogServer(transport)
        let process = try await server.start()
        let log = try LogUnderDelivery()
        for _ in 0..<3 {
            try log.start([Self.sink(server)])
            try await log.append(400)
            try await log.caughtUp()
            await log.stop()
        }
        try await Self.arrived(1_200, at: server)
        process.stop()
        #expect(server.arrival.problem(upTo: 1_200, breaks: 0) == nil)
    }

    @Test(arguments: [RsyslogServer.Transport.tcp, .tls])
    func `rsyslog restarted, and killed, misses nothing and sees nothing out of order`(
        transport: RsyslogServer.Transport
    ) async throws {
        let server = try RsyslogServer(transport)
        var process = try await server.start()
        let log = try LogUnderDelivery()
        try log.start([Self.sink(server)])
        let writer = Task {
            for _ in 0..<60 {
                try await log.append(50)
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        for round in 0..<4 {
            let seen = Set(server.arrival.indexes).count
            try await eventually("more arrives") { Set(server.arrival.indexes).count > seen }
            if round.isMultiple(of: 2) {
                process.signal(SIGTERM)
                try await eventually("rsyslog ends") { kill(process.pid, 0) != 0 }
            }
            process.stop()
            process = try await server.start()
        }
        try await writer.value
        try await Self.arrived(3_000, at: server)
        try await log.caughtUp()
        await log.stop()
        process.stop()
        #expect(server.arrival.problem(upTo: 3_000, breaks: 8) == nil)
    }

    /// Stopped, it leaves what comes in the system's buffers, which are gone when it is killed.
    @Test(arguments: [RsyslogServer.Transport.tcp, .tls])
    func `what a server had not read when it was killed comes again`(transport: RsyslogServer.Transport) async throws {
        let server = try RsyslogServer(transport)
        var process = try await server.start()
        let log = try LogUnderDelivery()
        try log.start([Self.sink(server, settling: .seconds(3_600))])
        try await log.append(10)
        try await Self.arrived(10, at: server)
        process.signal(SIGSTOP)
        try await log.append(50)
        try await log.caughtUp()
        process.stop()
        process = try await server.start()
        // Nothing new is recorded: the break alone has them come again.
        try await Self.arrived(60, at: server)
        await log.stop()
        process.stop()
        #expect(server.arrival.problem(upTo: 60, breaks: 1) == nil)
    }

    @Test func `a server whose certificate nobody vouches for is sent nothing, and one that asks for ours gets it`()
        async throws
    {
        let server = try RsyslogServer(.mutualTLS)
        let process = try await server.start()
        let log = try LogUnderDelivery()
        try log.start([Self.sink(server, authority: "stranger.pem")])
        try await log.append(5)
        try await eventually("it is told") { log.statuses.contains { $0.problem?.contains("TLS") == true } }
        #expect(log.statuses.first?.delivered == 0)
        await log.stop()
        #expect(server.messages.isEmpty)
        try log.start([Self.sink(server)])
        try await Self.arrived(5, at: server)
        await log.stop()
        process.stop()
        #expect(server.arrival.problem(upTo: 5, breaks: 0) == nil)
    }

    /// Stopped with SIGSTOP it still accepts and never reads.
    @Test func `a server that hangs holds up neither the log nor other sinks, and gets everything when it goes on`()
        async throws
    {
        let server = try RsyslogServer(.tcp)
        let process = try await server.start()
        let log = try LogUnderDelivery()
        try log.start([Self.sink(server), SinkOptions(name: "other", kind: .file(path: log.file("other")))])
        try await log.append(10)
        try await Self.arrived(10, at: server)
        process.signal(SIGSTOP)
        try await log.append(300, padding: 60_000)
        try await log.caughtUp("other")
        #expect(log.statuses.first { $0.name == "sink" }.map { $0.lag > 0 } == true)
        process.signal(SIGCONT)
        try await Self.arrived(310, at: server)
        await log.stop()
        process.stop()
        #expect(server.arrival.problem(upTo: 310, breaks: 4) == nil)
    }
}
