// Starts RPCEcho with a throwaway CA, and runs the Python clients against it.

import Foundation
import Synchronization

/// What went wrong around a test.
struct HarnessError: Error, CustomStringConvertible {
    let description: String
}

/// Runs a program to its end.
func run(_ program: String, _ arguments: [String], in directory: URL? = nil) async throws -> (
    code: Int32, output: String
) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = directory
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    return try await withCheckedThrowingContinuation { continuation in
        let thread = Thread {
            do {
                try process.run()
                let output = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                let text = String(decoding: output, as: UTF8.self)
                continuation.resume(returning: (process.terminationStatus, text))
            } catch {
                continuation.resume(throwing: error)
            }
        }
        thread.start()
    }
}

/// A directory with a CA, a server certificate, a client certificate and one that the CA has not signed, removed when
/// released.
final class Certificates: Sendable {
    let directory: URL

    init() async throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("rpc-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try await openssl("ecparam -name prime256v1 -genkey -noout -out ca.key")
        try await openssl("req -x509 -new -key ca.key -subj /CN=ca -days 2 -out ca.pem")
        for name in ["server", "client"] {
            try Data("subjectAltName=DNS:localhost,IP:127.0.0.1\n".utf8)
                .write(to: directory.appendingPathComponent("\(name).ext"))
            try await openssl("ecparam -name prime256v1 -genkey -noout -out \(name).key")
            try await openssl("req -new -key \(name).key -subj /CN=\(name) -out \(name).csr")
            try await openssl(
                "x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile \(name).ext "
                    + "-out \(name).pem")
        }
        try await openssl("req -x509 -new -key client.key -subj /CN=stranger -days 2 -out stranger.pem")
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    private func openssl(_ arguments: String) async throws {
        let result = try await run(
            "/usr/bin/env", ["openssl"] + arguments.split(separator: " ").map(String.init), in: directory)
        guard result.code == 0 else { throw HarnessError(description: "openssl \(arguments): \(result.output)") }
    }
}

/// One RPCEcho process, ended when released.
final class EchoProcess {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let certificates: Certificates
    let port: String

    init(certificates: Certificates, settings: [String]) throws {
        self.certificates = certificates
        let products = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let fallback = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let directories = [URL(fileURLWithPath: products).deletingLastPathComponent(), fallback]
        let candidates = directories.map { $0.appendingPathComponent("RPCEcho") }
        guard let program = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
            throw HarnessError(description: "RPCEcho is not built; looked for \(candidates.map(\.path))")
        }
        process.executableURL = program
        process.arguments = [certificates.directory.path] + settings
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line: [UInt8] = []
        while line.last != UInt8(ascii: "\n") {
            guard let byte = try output.fileHandleForReading.read(upToCount: 1)?.first else {
                throw HarnessError(description: "RPCEcho ended before it listened")
            }
            line.append(byte)
        }
        port = String(decoding: line.dropLast(), as: UTF8.self)
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
    }

    var isRunning: Bool { process.isRunning }

    /// What it prints until it ends.
    func outputToEnd() -> String {
        String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }

    /// Runs a case of a Python client, which then makes one more call unless the server has stopped.
    func check(_ script: String, _ name: String, isLast: Bool = false) async throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let root = tests.deletingLastPathComponent().deletingLastPathComponent()
        let given = ProcessInfo.processInfo.environment["POSTERN_TEST_PYTHON"]
        let pythons = [given, root.path + "/.venv/bin/python", root.path + "/../../.venv/bin/python"].compactMap { $0 }
        guard let python = pythons.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw HarnessError(
                description: "No Python with grpcio and h2: set POSTERN_TEST_PYTHON, or make one by "
                    + "`python3 -m venv .venv && .venv/bin/pip install grpcio h2`. Looked for \(pythons).")
        }
        let path = tests.appendingPathComponent("python/\(script).py").path
        let result = try await run(
            python, ["-B", path, port, certificates.directory.path, name] + (isLast ? ["last"] : []))
        guard result.code == 0 else { throw HarnessError(description: "\(script) \(name): \(result.output)") }
    }
}
