// A server for tests to talk to. It ends with the test process, however that ends.

import Dispatch
public import Foundation
import Synchronization

/// A server in a process of its own.
public final class ServerProcess: Sendable {
    private let shell: Child
    private let keepAlive: FileHandle
    private let isStopped = Mutex(false)
    /// Its process id.
    public let pid: Int32
    /// What it logged.
    public let log: URL

    /// Starts it.
    /// - Parameters:
    ///   - program: a path.
    ///   - environment: all that it gets, besides a home of its own.
    ///   - log: where its output goes, after what is there already. Its home is the same folder.
    public init(_ program: String, _ arguments: [String], environment: [String: String], log: URL) throws {
        self.log = log
        if !FileManager.default.fileExists(atPath: log.path) { try Data().write(to: log) }
        let sink = try FileHandle(forWritingTo: log)
        try sink.seekToEnd()
        // The shell outlives neither the server's owner nor its wish: at the end of its input it kills the server.
        let script = #""$@" </dev/null >&2 & server=$!; echo $server; cat >/dev/null; kill -KILL $server"#
        let (input, output) = (Pipe(), Pipe())
        keepAlive = input.fileHandleForWriting
        shell = try Child(
            "/bin/sh", ["-c", script, "sh", program] + arguments,
            environment: environment.merging(["HOME": log.deletingLastPathComponent().path]) { $1 }, directory: nil,
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
