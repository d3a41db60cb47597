import Foundation
import PosternClient
import PosternProtocol
import TestPrograms
import Testing

/// A value that must be found nowhere but in answers to those who may have it.
private struct Canary {
    /// Random letters and digits: what is searched for.
    let needle: String
    /// The needle among characters that URLs and JSON escape.
    let value: String

    init() {
        let letters = Array("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        needle = String((0..<40).map { _ in letters[Int.random(in: letters.indices)] })
        value = "+/ \"%\(needle)\\&="
    }

    /// What the needle looks like, also where it was encoded: raw, hex, percent, and base64 at each alignment.
    var disguises: [(name: String, bytes: Data)] {
        let bytes = Data(needle.utf8)
        let hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
        var disguises: [(String, Data)] = [
            ("raw", bytes), ("hex", Data(hex.joined().utf8)), ("HEX", Data(hex.joined().uppercased().utf8)),
            ("percent", Data(hex.map { "%" + $0 }.joined().utf8)),
            ("UTF-16", Data(needle.utf8.flatMap { [$0, 0] })),
        ]
        for shift in 0..<3 {
            // Without the characters that also depend on what comes before and after.
            let encoded = (Data(count: shift) + bytes).base64EncodedString().dropFirst(4).dropLast(4)
            disguises.append(("base64 shifted by \(shift)", Data(encoded.utf8)))
        }
        return disguises
    }

    /// Every file below a directory that has the canary in any disguise.
    func finds(below directory: URL) throws -> [String] {
        var finds: [String] = []
        let files = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: [.isRegularFileKey])
        while let file = files?.nextObject() as? URL {
            guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
            finds += Self.search(try Data(contentsOf: file), disguises).map { "\(file.path): \($0)" }
        }
        return finds
    }

    func finds(in text: String) -> [String] { Self.search(Data(text.utf8), disguises) }

    private static func search(_ data: Data, _ disguises: [(name: String, bytes: Data)]) -> [String] {
        disguises.filter { data.range(of: $0.bytes) != nil }.map(\.name)
    }
}

@Suite(.timeLimit(.minutes(3))) struct CanaryTests {
    @Test func `the search finds a canary in every disguise`() throws {
        let canary = Canary()
        let directory = try makeTemporaryDirectory("canary")
        defer { try? FileManager.default.removeItem(at: directory) }
        for (name, text) in [
            ("raw", "x\(canary.value)y"), ("base64", Data("y\(canary.value)".utf8).base64EncodedString()),
            ("hex", Data(canary.value.utf8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()),
        ] {
            try text.write(to: directory.appending(path: name), atomically: true, encoding: .utf8)
        }
        #expect(try canary.finds(below: directory).count == 3)
    }

    /// How a gateway ends.
    enum Ending: String, CaseIterable, CustomTestStringConvertible {
        case killed, aborted, crashed, reported

        var testDescription: String { rawValue }
        var signal: Int32 {
            switch self {
            case .killed: SIGKILL
            case .aborted: SIGABRT
            case .crashed, .reported: SIGSEGV
            }
        }
        /// Without Swift's crash reporter a signal has the system's effect at once, which is to dump core.
        var environment: [String: String] {
            self == .aborted || self == .crashed ? ["SWIFT_BACKTRACE": "enable=no"] : [:]
        }
    }

    @Test(arguments: Ending.allCases)
    func `a secret is in no file, log line, metric, crash report or core`(ending: Ending) async throws {
        let canary = Canary()
        let settings = GatewaySettings(
            overrides: ["log.level=trace"], allowsCores: true, environment: ending.environment)
        try await withGateway(settings) { gateway in
            try await Self.spread(canary, gateway)
            let metrics = try await gateway.admin("GET", "/metrics", key: "").text
            #expect(metrics.contains("secret.read"))
            #expect(canary.finds(in: metrics).isEmpty)
            #expect(!gateway.log.isEmpty)

            let limits = try String(contentsOfFile: "/proc/\(gateway.pid)/limits", encoding: .utf8)
            let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
            #expect(core?.split(whereSeparator: \.isWhitespace).dropFirst(4).prefix(2) == ["0", "0"], "\(limits)")

            try await Self.end(gateway, ending)
            #expect(try canary.finds(below: gateway.directory) == [])
            let report = gateway.log
            #expect(!report.contains("Registers:") && !report.contains("rax 0x"), "\(report.suffix(3_000))")
            let left = try FileManager.default.contentsOfDirectory(atPath: gateway.directory.path)
            #expect(!left.contains { $0.hasPrefix("core") }, "\(left)")
        }
    }

    private static func end(_ gateway: GatewayUnderTest, _ ending: Ending) async throws {
        if ending == .reported {
            // A signal from outside is reported, and has no other effect.
            gateway.signal(ending.signal)
            try await eventually("the crash is reported") { gateway.log.contains("Backtrace took") }
            #expect(gateway.log.contains("Program crashed"))
            _ = try await gateway.end(by: SIGKILL)
        } else {
            let end = try await gateway.end(by: ending.signal)
            #expect(end.wasSignalled && end.code == ending.signal)
        }
    }

    /// Puts the canary through everything that takes or gives a value, and provokes errors around it.
    private static func spread(_ canary: Canary, _ gateway: GatewayUnderTest) async throws {
        let value = Data(canary.value.utf8)
        let secrets = "/admin/api/secrets"
        let body = try JSONEncoder().encode(["name": "llm/http", "value": canary.value])
        #expect(try await gateway.admin("POST", secrets, body: body).status == 201)
        let encoded = try JSONEncoder().encode(["name": "llm/base64", "value_base64": value.base64EncodedString()])
        #expect(try await gateway.admin("POST", secrets, body: encoded).status == 201)
        #expect(try await gateway.command(["put", "llm/cli"], as: "operator", input: value).code == 0)
        try await gateway.client { try await $0.put("llm/grpc", value) }

        for name in ["http", "base64", "cli", "grpc"] {
            #expect(try await gateway.client(as: "gateway") { try await $0.value("llm/\(name)") } == canary.value)
            let shown = try await gateway.admin("POST", "\(secrets)/llm/\(name):reveal", json: #"{"reason":"canary"}"#)
            #expect(try shown.json()["fields"]?["value"]?.text == canary.value)
            let printed = try await gateway.command(["get", "llm/\(name)"], as: "gateway")
            #expect(printed.output == value)
        }

        // Errors with the canary at hand must not show it either.
        var answers: [String] = []
        for broken in [
            body + Data("}".utf8), body.dropLast(2), try JSONEncoder().encode(["name": "../x", "value": canary.value]),
            try JSONEncoder().encode(["name": "llm/x", "value_base64": "!" + canary.value]),
            try JSONEncoder().encode(["name": "llm/x", "value": canary.value, "extra": canary.value]),
        ] {
            answers.append(try await gateway.admin("POST", secrets, body: Data(broken)).text)
        }
        let conflict = try await gateway.refusal(as: "operator") {
            _ = try await $0.put("llm/grpc", value, expecting: 9)
        }
        let denied = try await gateway.refusal(as: "billing") { _ = try await $0.put("llm/grpc", value) }
        answers += [conflict.description, denied.description]
        for answer in answers { #expect(canary.finds(in: answer).isEmpty, "\(answer)") }
    }
}
