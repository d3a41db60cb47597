// Runs other programs: the binary under test, curl, openssl, Python.

public import Foundation
import Synchronization

/// What went wrong around a test, as opposed to in what it tests.
public struct HarnessError: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) {
        self.description = description
    }
}

/// How a program ended, and what it said.
public struct Finished: Sendable {
    /// Its exit code, or the signal that ended it.
    public let code: Int32
    public let wasSignalled: Bool
    public let output: Data
    public let errors: String

    public var text: String { String(decoding: output, as: UTF8.self) }
    /// Everything, for a failed test's message.
    public var summary: String { "code \(code)\nstdout: \(text.prefix(2_000))\nstderr: \(errors.prefix(2_000))" }
}

/// Where things are.
public enum Places {
    public static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    public static let scripts = package.appending(path: "Tests/EndToEndTests/python")

    /// The binary under test: POSTERN_TEST_BINARY, else the one built beside this test.
    public static func postern() throws -> String {
        if let given = ProcessInfo.processInfo.environment["POSTERN_TEST_BINARY"] { return given }
        let runner = URL(filePath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let test = URL(filePath: CommandLine.arguments[0])
        let folders = [runner, test].map { $0.deletingLastPathComponent() } + [package.appending(path: ".build/debug")]
        return try firstExecutable(folders.map { $0.appending(path: "postern").path }, "set POSTERN_TEST_BINARY")
    }

    /// A Python that has what the two requirements files list.
    public static func python() throws -> String {
        let given = ProcessInfo.processInfo.environment["POSTERN_TEST_PYTHON"]
        return try firstExecutable(
            [given, package.path + "/.venv/bin/python"].compactMap { $0 },
            "set POSTERN_TEST_PYTHON, or let make fill .venv")
    }

    private static func firstExecutable(_ candidates: [String], _ advice: String) throws -> String {
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw HarnessError(description: "None of \(candidates) is there; \(advice).")
        }
        return found
    }
}

/// A new directory of a test's own.
public func makeTemporaryDirectory(_ purpose: String) throws -> URL {
    let url = FileManager.default.temporaryDirectory.appending(path: "postern-\(purpose)-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
        at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return url
}

/// Waits until something holds.
public func eventually(
    _ what: String, within limit: Duration = .seconds(120), _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw HarnessError(description: "It never happened that \(what).") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Runs a program to its end.
/// - Parameters:
///   - program: a path, or a name to look up.
///   - environment: goes over this process's, of which nothing that Postern reads is passed on.
@discardableResult
public func run(
    _ program: String, _ arguments: [String], input: Data = Data(), environment: [String: String] = [:],
    in directory: URL? = nil
) async throws -> Finished {
    let scratch = try makeTemporaryDirectory("run")
    defer { try? FileManager.default.removeItem(at: scratch) }
    let files = ["in", "out", "err"].map { scratch.appending(path: $0) }
    try input.write(to: files[0])
    for file in files.dropFirst() { try Data().write(to: file) }
    let handles = [
        try FileHandle(forReadingFrom: files[0]), try FileHandle(forWritingTo: files[1]),
        try FileHandle(forWritingTo: files[2]),
    ]
    let child = try Child(
        program, arguments, environment: clean(environment), directory: directory,
        descriptors: handles.map(\.fileDescriptor))
    let ending = await child.wait()
    for handle in handles { try handle.close() }
    return Finished(
        code: ending.code, wasSignalled: ending.wasSignalled, output: try Data(contentsOf: files[1]),
        errors: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
}

/// Runs a program that must succeed.
@discardableResult
public func mustRun(
    _ program: String, _ arguments: [String], input: Data = Data(), environment: [String: String] = [:],
    in directory: URL? = nil
) async throws -> Finished {
    let result = try await run(program, arguments, input: input, environment: environment, in: directory)
    guard result.code == 0, !result.wasSignalled else {
        throw HarnessError(description: "\(program) \(arguments.joined(separator: " ")): \(result.summary)")
    }
    return result
}

/// This process's environment without what Postern reads, and more over it.
private func clean(_ environment: [String: String]) -> [String: String] {
    ProcessInfo.processInfo.environment.filter { name, _ in
        !["POSTERN_", "VAULT_", "ADMIN_KEY", "AWS_", "GOOGLE_", "GCE_", "CLOUDSDK_"].contains { name.hasPrefix($0) }
    }.merging(environment) { _, new in new }
}

/// A program that runs until it is told to stop.
public final class LiveProcess: Sendable {
    private let child: Child
    private let errorFile: URL
    private let text = Mutex("")

    /// Starts it.
    /// - Parameter errorFile: where its standard error goes, after what is there already.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], in directory: URL? = nil,
        errorFile: URL
    ) throws {
        self.errorFile = errorFile
        if !FileManager.default.fileExists(atPath: errorFile.path) { try Data().write(to: errorFile) }
        let errors = try FileHandle(forWritingTo: errorFile)
        try errors.seekToEnd()
        let pipe = Pipe()
        guard let nothing = FileHandle(forReadingAtPath: "/dev/null") else {
            throw HarnessError(description: "/dev/null cannot be opened.")
        }
        child = try Child(
            program, arguments, environment: clean(environment), directory: directory,
            descriptors: [
                nothing.fileDescriptor, pipe.fileHandleForWriting.fileDescriptor, errors.fileDescriptor,
            ])
        try pipe.fileHandleForWriting.close()
        try errors.close()
        try nothing.close()
        let reader = pipe.fileHandleForReading
        Thread { [weak self] in
            while true {
                let data = reader.availableData
                guard !data.isEmpty else { return }
                self?.text.withLock { $0 += String(decoding: data, as: UTF8.self) }
            }
        }.start()
    }

    public var pid: Int32 { child.pid }
    public var output: String { text.withLock { $0 } }
    public var isRunning: Bool { child.isRunning }

    public func signal(_ number: Int32) { child.signal(number) }

    /// Waits until it has said something.
    public func wait(toSay text: String) async throws {
        try await eventually("\(text) was said") {
            if self.output.contains(text) { return true }
            guard self.isRunning else {
                let errors = try String(contentsOf: self.errorFile, encoding: .utf8)
                throw HarnessError(description: "It ended before it said \(text): \(self.output)\n\(errors)")
            }
            return false
        }
    }

    /// Waits until it has ended.
    public func ending(within limit: Duration = .seconds(60)) async throws -> (code: Int32, wasSignalled: Bool) {
        try await eventually("the process ended", within: limit) { !self.isRunning }
        guard let ending = child.ending else { throw HarnessError(description: "No ending.") }
        return (ending.code, ending.wasSignalled)
    }
}
