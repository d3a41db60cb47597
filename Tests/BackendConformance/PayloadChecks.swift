// Payloads come back byte for byte, field for field.

import PosternProtocol

let payloadChecks = [
    ConformanceCheck("fields keep their order") { subject in
        let orders = [["b", "a", "c"], ["c", "b", "a"], ["10", "9", "Z", "z"]]
        for order in orders {
            try await roundTrip(subject, order.map { Payload.Field(name: $0, value: SecretBytes("v" + $0)) })
        }
        for (index, order) in orders.enumerated() {
            let read = try await subject.read("p", index + 1)
            try expectEqual(read.payload.fields.map(\.name), order, "version \(index + 1)'s fields")
        }
    },
    ConformanceCheck("values are arbitrary bytes: empty, NUL, invalid UTF-8, all 256") { subject in
        let values: [[UInt8]] = [
            [], [0], [0, 0, 0], [0x61, 0, 0x62], [0xFF], [0xC3, 0x28], [0xED, 0xA0, 0x80], Array(0...255),
            [0xEF, 0xBB, 0xBF],
            Array("{\"value\":\"x\"}".utf8), Array("\r\n\t\\\"'%00".utf8), Array("AAEC".utf8),
            Array("base64:AAEC".utf8),
            Array("vault:v1:AAEC".utf8), Array("null".utf8), Array("1e400".utf8), Array("e\u{301}é🔑".utf8),
            Array(" x ".utf8),
        ]
        for value in values {
            try await roundTrip(subject, [Payload.Field(name: "value", value: SecretBytes(copying: value))])
        }
        let fields = values.enumerated().map { Payload.Field(name: "f\($0)", value: SecretBytes(copying: $1)) }
        try await roundTrip(subject, fields)
    },
    ConformanceCheck("field names are any text without control characters, kept as their exact bytes") { subject in
        let names = [
            "value", "VALUE", "with space", "e\u{301}", "ключ", "🔑", "a\"b", "a\\b", "a/b", "$ref", "data", "metadata",
            "options", "cas", String(repeating: "n", count: Payload.maximumNameBytes),
        ]
        try await roundTrip(subject, names.map { Payload.Field(name: $0, value: SecretBytes("of " + $0)) })
    },
    ConformanceCheck("a payload of 1 MiB and one of 256 fields fit") { subject in
        var bytes = [UInt8](repeating: 0, count: Payload.defaultMaximumBytes - Payload.valueField.utf8.count)
        var random = SeededGenerator(seed: 7)
        for index in bytes.indices { bytes[index] = UInt8.random(in: 0...255, using: &random) }
        try await roundTrip(subject, [Payload.Field(name: "value", value: SecretBytes(copying: bytes))])
        let fields = (0..<Payload.maximumFields).map { Payload.Field(name: "f\($0)", value: SecretBytes("\($0)")) }
        try await roundTrip(subject, fields)
    },
]

/// Writes fields, reads them back, and compares without putting a value into a message.
private func roundTrip(_ subject: Subject, _ fields: [Payload.Field]) async throws {
    let path = try SecretPath("p")
    let written = try await subject.backend.write(
        path, Payload(fields), expecting: nil, deadline: subject.deadline)
    let read = try await subject.read("p")
    try expectEqual(read.info, written, "the version read")
    // Two texts are equal in Swift even if they are normalised differently, so names are compared as bytes.
    try expectEqual(
        read.payload.fields.map { Array($0.name.utf8) }, fields.map { Array($0.name.utf8) }, "the names of the fields")
    for (there, here) in zip(read.payload.fields, fields) {
        try expect(
            there.value == here.value,
            "the field \"\(here.name)\" of \(here.value.count) bytes came back otherwise, as \(there.value.count) bytes"
        )
    }
}
