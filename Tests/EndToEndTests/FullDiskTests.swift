import Foundation
import PosternClient
import PosternProtocol
import PosternWire
import TestPrograms
import Testing

/// A small file system of a test's own.
private struct SmallDisk {
    let directory: URL

    /// - Returns: nil where mounting is not allowed.
    init?(megabytes: Int) async throws {
        directory = try makeTemporaryDirectory("disk")
        let result = try await run(
            "mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m,mode=0700", "tmpfs", directory.path])
        guard result.code == 0 else {
            try FileManager.default.removeItem(at: directory)
            return nil
        }
    }

    /// Takes all the room that is left.
    func fill() throws {
        try Data().write(to: URL(filePath: filler))
        let file = try FileHandle(forWritingTo: URL(filePath: filler))
        defer { try? file.close() }
        for size in [65_536, 4_096] {
            let zeros = Data(count: size)
            while (try? file.write(contentsOf: zeros)) != nil {}
        }
    }

    func makeRoom() throws { try FileManager.default.removeItem(atPath: filler) }

    func unmount() async {
        _ = try? await run("umount", ["--lazy", directory.path])
        try? FileManager.default.removeItem(at: directory)
    }

    private var filler: String { directory.appending(path: "filler").path }
}

@Suite(.timeLimit(.minutes(3))) struct FullDiskTests {
    private static let canMount = getuid() == 0

    @Test(.enabled(if: canMount, "mounting a small file system takes root"))
    func `a full disk under the audit log stops every answer, after a warning, until there is room`() async throws {
        guard let disk = try await SmallDisk(megabytes: 8) else {
            print("Skipped: this system does not let even root mount a tmpfs.")
            return
        }
        do {
            let settings = GatewaySettings(
                overrides: ["audit.segment_bytes=1048576"],
                auditDirectory: disk.directory.appending(path: "audit").path)
            try await withGateway(settings) { gateway in
                try await gateway.client { _ = try await $0.put("a", "canary-under-a-full-disk") }
                #expect(try await Self.readiness(gateway) == 200)
                try disk.fill()
                try await Self.useUp(gateway)
                #expect(try await Self.health(gateway) == "NOT_SERVING")
                let answer = try await gateway.admin("POST", "/admin/api/secrets/a:reveal", json: #"{"reason":"t"}"#)
                #expect(answer.status == 503)
                #expect(try answer.code() == "audit_unavailable")
                #expect(!answer.text.contains("canary"))
                let write = try await gateway.refusal(as: "operator") { _ = try await $0.put("b", "x") }
                #expect(write.error.code == .auditUnavailable)

                try disk.makeRoom()
                try await eventually("the gateway is ready again by itself") {
                    try await Self.readiness(gateway) == 200
                }
                #expect(try await gateway.client { try await $0.value("a") } == "canary-under-a-full-disk")
                let absent = try await gateway.refusal(as: "operator") { _ = try await $0.get("b") }
                #expect(absent.error.code == .notFound, "a refused write had no effect")
                let verified = try await gateway.command(
                    ["audit", "verify", "--directory", gateway.auditDirectory], as: "operator")
                #expect(verified.code == 0, "\(verified.summary)")
            }
        } catch {
            await disk.unmount()
            throw error
        }
        await disk.unmount()
    }

    /// Reads, a hundred at a time, until that is refused. Readiness must have turned red before.
    private static func useUp(_ gateway: GatewayUnderTest) async throws {
        var request = Postern_V1_BatchGetRequest()
        request.paths = Array(repeating: "a", count: 100)
        request.purpose.reason = String(repeating: "r", count: 400)
        try await gateway.client { client in
            var answeredWhileRed = 0
            for _ in 0..<1_000 {
                do {
                    let response = try await client.batchGet(request)
                    #expect(response.items.allSatisfy { $0.secret.fields.count == 1 })
                    if try await readiness(gateway) == 503 { answeredWhileRed += 1 }
                } catch let error as ClientError {
                    #expect(error.error.code == .auditUnavailable)
                    #expect(answeredWhileRed > 0, "readiness turns red while there is still room")
                    return
                }
            }
            Issue.record("The audit log never filled up.")
        }
    }

    private static func readiness(_ gateway: GatewayUnderTest) async throws -> Int {
        try await gateway.admin("GET", "/readyz", key: "").status
    }

    private static func health(_ gateway: GatewayUnderTest) async throws -> String {
        try await gateway.python("stock.py", ["health_status"]).text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
