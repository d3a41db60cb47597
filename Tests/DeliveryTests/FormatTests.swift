// What leaves the log says what the record says, in each form.

import Foundation
import NIOCore
import PosternAudit
import PosternDelivery
import PosternProtocol
import TestPrograms
import Testing
import TransparencyLog

@Suite struct FormatTests {
    @Test func `a record read back from its JSON is the same record`() throws {
        for record in Records.actions.flatMap(Records.kinds) { #expect(try Records.delivered(record).record == record) }
    }

    @Test(arguments: Records.hostile) func `a record read back is the same whatever is in its texts`(text: String)
        throws
    {
        var record = Records.kinds(of: "secret.read")[0]
        record.reason = text
        record.path = text
        record.detail = [text: text]
        record.fields = [text]
        #expect(try Records.delivered(record).record == record)
    }

    @Test func `members of a later version are passed over, and what is no record is refused`() throws {
        let json = """
            {"action":"x","actor":{"authentication":"none","new":1},"decision":"allow","later":{"a":[1]},\
            "phase":"outcome","request_id":"r","time":"2026-01-02T03:04:05.000006Z","v":2}
            """
        #expect(try AuditRecord(json: Array(json.utf8)).action == "x")
        for bad in [
            "", "{}", "[]", json + "x", json.replacing("allow", with: "maybe"), json.replacing("T03", with: " 03"),
        ] {
            #expect(throws: SecretError.self) { try AuditRecord(json: Array(bad.utf8)) }
        }
    }

    @Test func `JSON is the record's own bytes with its place and its leaf hash`() throws {
        let record = Records.kinds(of: "secret.read")[0]
        var json: [UInt8] = []
        record.appendCanonicalJSON(to: &json)
        let expected =
            "{\"index\":7,\"leaf_hash\":\"\(MerkleHash.leaf(json).base64)\",\"origin\":\"\(Records.origin)\","
            + "\"record\":\(String(decoding: json, as: UTF8.self))}"
        #expect(try Records.text(record, as: .json) == expected)
    }

    @Test func `every kind of record is a valid event of OCSF 1.8, and of 1.9 where its source is at hand`()
        async throws
    {
        let records =
            Records.actions.flatMap(Records.kinds)
            + Records.hostile.map { text in
                var record = Records.kinds(of: "secret.read")[0]
                (record.reason, record.path, record.detail) = (text, text, ["x": text])
                return record
            }
        let lines = try records.enumerated().map { try Records.text($1, as: .ocsf, at: UInt64($0)) }
        let program = Places.package.appending(path: "Tests/AuditPeers/ocsf.py").path
        var schemas = [["1.8.0", "--newer", "record_integrity", "--newer", "attestation_list"]]
        if let source = ProcessInfo.processInfo.environment["OCSF_SCHEMA"] { schemas.append([source]) }
        for schema in schemas {
            let result = try await run(
                try Places.python(), [program, "--schema"] + schema, input: Data(lines.joined(separator: "\n").utf8))
            #expect(result.code == 0, "\(result.summary)")
            #expect(result.text.contains("\(lines.count) events, 0 not valid"))
        }
    }

    @Test func `an event of OCSF carries what the log proves by, and the record itself`() throws {
        let record = Records.kinds(of: "policy.reload")[0]
        var json: [UInt8] = []
        record.appendCanonicalJSON(to: &json)
        let before = MerkleHash.leaf(Array("before".utf8))
        let delivered = try DeliveredRecord(index: 7, origin: Records.origin, json: json, previousHash: before)
        var buffer = Records.buffer
        RecordFormat.ocsf.append(delivered, from: Records.product, to: &buffer)
        let event = try #require(
            try JSONSerialization.jsonObject(with: Data(buffer.readableBytesView)) as? [String: Any])
        let metadata = try #require(event["metadata"] as? [String: Any])
        #expect(metadata["sequence"] as? Int == 7)
        #expect(metadata["correlation_uid"] as? String == record.requestID)
        #expect(event["class_uid"] as? Int == 3004)
        #expect(event["comment"] as? String == "on call")
        #expect(event["raw_data"] as? String == String(decoding: json, as: UTF8.self))
        let attestation = try #require((event["attestation_list"] as? [[String: Any]])?.first)
        #expect(attestation["chain_uid"] as? String == Records.origin)
        let hex = MerkleHash.leaf(json).bytes.map { String(format: "%02x", $0) }.joined()
        #expect((attestation["fingerprint"] as? [String: Any])?["value"] as? String == hex)
        let previous = try #require(attestation["prev_event"] as? [String: Any])
        #expect(previous["uid"] as? String == Records.origin + "#6")
        let previousHex = before.bytes.map { String(format: "%02x", $0) }.joined()
        #expect((previous["fingerprint"] as? [String: Any])?["value"] as? String == previousHex)
    }

    @Test func `every action has the class that is right for it`() throws {
        let expected = [
            "secret.read": 6003, "secret.write": 6003, "secret.destroy": 6003, "audit.read": 6003, "key.list": 6003,
            "policy.reload": 3004, "key.rotate": 3004, "key.destroyed": 3004, "audit.prune": 3004,
            "authenticate": 3002, "gateway.start": 6002, "gateway.stop": 6002, "tls.reload": 6002,
        ]
        for (action, uid) in expected {
            let text = try Records.text(Records.kinds(of: action)[0], as: .ocsf)
            #expect(text.contains("\"class_uid\":\(uid),"), "\(action)")
        }
    }

    @Test(arguments: Records.hostile) func `CEF reads back as what went in, in one line`(text: String) throws {
        var record = Records.kinds(of: "secret.read")[0]
        (record.reason, record.path, record.rule, record.ticket) = (text, text, text, text)
        record.action = text
        let line = try Records.text(record, as: .cef)
        #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control })
        #expect(!line.contains { $0.isNewline })
        let event = try #require(CEFReader.read(line))
        #expect(event.header[1...3] == ["Postern", "Postern", "1.2.3"])
        #expect(event.header.count == 7)
        #expect(event.header[4] == CEFReader.flattened(text, breaks: false))
        for key in ["reason", "filePath", "cs1", "cs4"] {
            #expect(event.values[key] == CEFReader.flattened(text, breaks: true), "\(key)")
        }
        #expect(event.values["suser"] == "billing")
        #expect(event.values["externalId"] == "7")
        #expect(event.values["act"] == "allow")
    }

    @Test(arguments: RecordFormat.allCases) func `the longest record comes out whole`(format: RecordFormat) throws {
        var record = Records.kinds(of: "secret.list")[0]
        record.detail = ["x": String(repeating: "é", count: 31_000)]
        let text = try Records.text(record, as: format)
        #expect(text.contains(String(repeating: "é", count: 31_000)))
    }
}
