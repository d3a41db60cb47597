// The audit log delivered by the real gateway to a real syslog server, and to one that hangs.

import CloudServers
import Foundation
import PosternClient
import SyslogServers
import TestPrograms
import Testing

@Suite(.timeLimit(.minutes(8))) struct SinkTests {
    private static let hasRsyslog = FileManager.default.fileExists(atPath: RsyslogServer.program)

    @Test(.enabled(if: hasRsyslog, "rsyslog is not installed"), arguments: [RsyslogServer.Transport.tcp, .mutualTLS])
    func `rsyslog misses nothing of a gateway that is killed again and again, and sees it in order`(
        transport: RsyslogServer.Transport
    ) async throws {
        let server = try RsyslogServer(transport)
        let process = try await server.start()
        var sink = "name=siem;kind=syslog;address=127.0.0.1:\(server.port)"
        switch transport {
        case .tcp: sink += ";transport=tcp"
        case .tls: sink += ";ca=\(server.file("ca.pem"))"
        case .mutualTLS:
            sink +=
                ";ca=\(server.file("ca.pem"));certificate=\(server.file("client.pem"));key=\(server.file("client.key"))"
        }
        try await withGateway(GatewaySettings(overrides: ["audit.sinks=\(sink)"])) { gateway in
            let kills = 5
            for round in 0..<kills {
                try await gateway.client { client in
                    for number in 0..<40 { try await client.put("sink/\(round)", "value \(number)") }
                }
                _ = try await gateway.end(by: SIGKILL)
                try await gateway.start()
            }
            try await gateway.client { try await $0.put("sink/last", "value") }
            _ = try await gateway.end(by: SIGTERM)
            try await gateway.start()
            let count = try gateway.auditRecords().count
            #expect(count >= kills * 80)
            try await eventually("all has arrived", within: .seconds(240)) {
                Set(server.arrival.indexes).count >= count
            }
            let records = try gateway.auditRecords().count
            #expect(server.arrival.problem(upTo: records, breaks: 2 * kills + 2) == nil)
            #expect(!server.messages.contains { $0.contains { $0.contains("value 1") } })
        }
        process.stop()
    }

    @Test
    func
        `while sinks hang, refuse and have no room, reads go on, the gateway is ready and says how far they are behind`()
        async throws
    {
        let silent = try await LoopbackHTTPServer { _ in .silence }
        let closed = try freePort()
        let sinks = [
            "name=silent;kind=webhook;url=\(silent.url)/in;body=splunk;format=ocsf",
            "name=hung;kind=syslog;address=127.0.0.1:\(silent.port);transport=tls",
            "name=closed;kind=syslog;address=127.0.0.1:\(closed);transport=tcp;format=cef",
            "name=full;kind=file;path=/dev/full", "name=file;kind=file;path=out.jsonl",
        ]
        try await withGateway(GatewaySettings(overrides: ["audit.sinks=\(sinks.joined(separator: ","))"])) { gateway in
            try await gateway.client { client in
                try await client.put("llm/a", "value")
                for _ in 0..<500 { _ = try await client.value("llm/a") }
            }
            try await eventually("the file has everything") {
                try gateway.auditRecords().count == Arrival(file: gateway.file("out.jsonl")).indexes.count
            }
            let ready = try await gateway.admin("GET", "/readyz", key: "")
            #expect(ready.status == 200)
            for name in ["silent", "hung", "closed", "full", "file"] {
                #expect(ready.text.contains("audit sink \(name)"))
            }
            #expect(ready.text.contains("records behind"))
            #expect(!ready.text.contains("127.0.0.1"))
            let metrics = try await gateway.admin("GET", "/metrics").text
            for name in ["silent", "hung", "closed", "full"] {
                let lag = metrics.split(separator: "\n").first {
                    $0.hasPrefix("postern_audit_sink_lag_records{sink=\"\(name)\"}")
                }
                #expect((lag?.split(separator: " ").last.flatMap { Int($0) } ?? 0) >= 500, "\(name)")
            }
            try await eventually("the log says why") {
                gateway.log.contains("refuses connections") && gateway.log.contains("/dev/full")
            }
            let end = try await gateway.end(by: SIGTERM)
            #expect(end.code == 0)
        }
        try await silent.stop()
    }
}
