// One server process: OpenBao's `bao`, or the HashiCorp Vault that VAULT_BIN names. It ends with the test process.

import Dispatch
public import Foundation
import Synchronization
import TestPrograms

/// A `bao server` or `vault server`.
public final class VaultProcess: Sendable {
    private let shell: Child
    private let keepAlive: FileHandle
    private let isStopped = Mutex(false)
    /// Its process id.
    public let pid: Int32
    /// What it logged.
    public let log: URL

    /// The program: VAULT_BIN, else `bao` in the virtual environment.
    public static func binary() throws -> String {
        let given = ProcessInfo.processInfo.environment["VAULT_BIN"]
        let candidates = [given, Places.package.path + "/.venv/bin/bao"].compactMap { $0 }
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw HarnessError(description: "None of \(candidates) is there; let make fill .venv, or set VAULT_BIN.")
        }
        return found
    }

    /// Whether the server is HashiCorp's, which cannot page lists.
    public static var isHashiCorp: Bool { ProcessInfo.processInfo.environment["VAULT_BIN"] != nil }

    /// Starts it.
    public init(_ arguments: [String], log: URL) throws {
        self.log = log
        if !FileManager.default.fileExists(atPath: log.path) { try Data().write(to: log) }
        let sink = try FileHandle(forWritingTo: log)
        try sink.seekToEnd()
        // The shell outlives neither the server's owner nor its wish: at the end of its input it kills the server.
        let script = #""$@" </dev/null >&2 & server=$!; echo $server; cat >/dev/null; kill -KILL $server"#
        var environment = ProcessInfo.processInfo.environment.filter { name, _ in
            !["POSTERN_", "VAULT_", "BAO_", "ADMIN_KEY"].contains { name.hasPrefix($0) }
        }
        environment["HOME"] = log.deletingLastPathComponent().path
        let (input, output) = (Pipe(), Pipe())
        keepAlive = input.fileHandleForWriting
        shell = try Child(
            "/bin/sh", ["-c", script, "sh", try Self.binary()] + arguments, environment: environment, directory: nil,
            descriptors: [
                input.fileHandleForReading.fileDescriptor, output.fileHandleForWriting.fileDescriptor,
                sink.fileDescriptor,
            ])
        for handle in [input.fileHandleForReading, output.fileHandleForWriting, sink] { try handle.close() }
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw HarnessError(description: "The server's shell said nothing.") }
            line += more
        }
        guard let pid = Int32(String(decoding: line.dropLast(), as: UTF8.self)) else {
            throw HarnessError(description: "The server's shell did not say its process id.")
        }
        self.pid = pid
    }

    /// Sends a signal.
    public func signal(_ number: Int32) { kill(pid, number) }

    /// Kills it, and waits until it is gone.
    public func stop() {
        let isFirst = isStopped.withLock { stopped in
            defer { stopped = true }
            return !stopped
        }
        guard isFirst else { return }
        kill(pid, SIGKILL)
        try? keepAlive.close()
        let ended = DispatchSemaphore(value: 0)
        Task { [shell] in
            _ = await shell.wait()
            ended.signal()
        }
        _ = ended.wait(timeout: .now() + .seconds(30))
    }

    deinit { stop() }
}

/// Ports that were given out: each once.
private let givenPorts = Mutex<Set<UInt16>>([])

/// A TCP port of the loopback that nobody uses now. It is below those that the system gives to outgoing connections, of
/// which some would otherwise take it before the server does.
public func freePort() throws -> Int {
    for _ in 0..<1_000 {
        let port = UInt16.random(in: 12_000..<32_000)
        guard givenPorts.withLock({ $0.insert(port).inserted }) else { continue }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw HarnessError(description: "No socket: \(errno)") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let isFree = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isFree { return Int(port) }
    }
    throw HarnessError(description: "No free port was found.")
}
