import Foundation
import TestPrograms
import Testing

/// The audit log of a real gateway, in the hands of an auditor.
@Suite(.timeLimit(.minutes(5))) struct AuditVerificationTests {
    @Test func `an auditor verifies a log while it is written, keeps what there is to keep, and comes again`()
        async throws
    {
        try await withGateway { gateway in
            func audit(_ arguments: String..., code: Int32 = 0) async throws -> Finished {
                let result = try await gateway.command(["audit"] + arguments, as: "operator")
                #expect(result.code == code, "\(arguments): \(result.summary)")
                return result
            }
            _ = try await gateway.command(["put", "llm/a"], as: "operator", input: Data("x".utf8))
            let directory = gateway.auditDirectory
            let keys = try await audit("keys", "--directory", directory)
            try gateway.write(keys.text, to: "log.vkey")
            let key = gateway.file("log.vkey")
            // A record is published within a second or so.
            try await eventually("the start was published") {
                try await gateway.command(["audit", "prove", "0", "--directory", directory], as: "operator").code == 0
            }
            let receipt = try await audit("prove", "0", "--directory", directory)
            #expect(receipt.text.hasPrefix("c2sp.org/tlog-proof@v1\n"))
            try gateway.write(receipt.text, to: "good.tlog-proof")
            let record = try await audit("check", gateway.file("good.tlog-proof"), "--key", key)
            #expect(record.text.contains("gateway.start"))
            let shown = try await audit("show", "0", "--directory", directory, "--output", "json")
            #expect(shown.text == "{\"index\":0,\"record\":\(record.text.dropLast())}\n")
            try gateway.write(receipt.text.replacing("index 0", with: "index 1"), to: "bad.tlog-proof")
            _ = try await audit("check", gateway.file("bad.tlog-proof"), "--key", key, code: 8)

            let checkpoint = gateway.file("visit")
            try FileManager.default.copyItem(atPath: directory + "/log/checkpoint", toPath: checkpoint)
            for count in 0..<40 {
                _ = try await gateway.command(["get", "llm/a"], as: count.isMultiple(of: 2) ? "gateway" : "billing")
                guard count.isMultiple(of: 10) else { continue }
                _ = try await audit("verify", directory, "--key", key, "--checkpoint", checkpoint)
            }
            _ = try await audit("rotate-key", "--directory", directory, code: 1)
            _ = try await gateway.end(by: SIGTERM)
            let rotated = try await audit("rotate-key", "--directory", directory)
            let report = try await audit(
                "verify", directory, "--key", key, "--checkpoint", checkpoint, "--output", "json")
            #expect(report.text.contains("\"uncovered_records\":0"), "\(report.text)")
            #expect(report.text.contains("\"earlier_checkpoints\":1"))
            let now = try await audit("keys", "--directory", directory, "--key", key)
            #expect(now.text == keys.text + rotated.text)
            try await gateway.start()
            _ = try await audit("verify", directory, "--key", key, "--checkpoint", checkpoint)
            _ = try await audit("verify", directory, "--key", "no-key", code: 64)

            _ = try await gateway.end(by: SIGTERM)

            // The log alone, as it would be handed over.
            let copy = gateway.file("handed-over")
            try FileManager.default.copyItem(atPath: directory + "/log", toPath: copy)
            _ = try await audit("verify", copy, "--key", key)
            let size = try String(contentsOfFile: copy + "/checkpoint", encoding: .utf8).split(separator: "\n")[1]
            let bundle = copy + "/tile/entries/000.p/\(size)"
            var bytes = try Data(contentsOf: URL(filePath: bundle))
            bytes[700] ^= 1
            try bytes.write(to: URL(filePath: bundle))
            let damaged = try await audit("verify", copy, "--key", key, code: 8)
            #expect(damaged.errors.contains("record: record"), "\(damaged.summary)")
            _ = try await audit("verify", gateway.file("nowhere"), code: 1)
        }
    }
}
