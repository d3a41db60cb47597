// Runs the helper program SQLiteStorm, which writes until it is killed.

import Foundation
import Testing

/// A running SQLiteStorm.
final class Storm {
    /// What is left of one that has ended.
    struct Remains {
        let lines: [String]
        let errors: String
        let status: Int32
    }

    private let process = Process()
    private let output = Pipe()
    private let errors = Pipe()

    init(file: String) throws {
        // The build puts helpers beside the program that runs the tests.
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(fileURLWithPath: tests).deletingLastPathComponent().appending(path: "SQLiteStorm")
        process.arguments = [file]
        process.standardOutput = output
        process.standardError = errors
        try process.run()
    }

    /// Reads some acknowledgements, kills the program as the system would, and reads what else it had said.
    func kill(after count: Int) async throws -> Remains {
        var text = Data()
        var lines = 0
        while lines < count {
            let more = output.fileHandleForReading.availableData
            try #require(!more.isEmpty, "the storm ended by itself")
            lines += more.count { $0 == UInt8(ascii: "\n") }
            text += more
        }
        Foundation.kill(process.processIdentifier, SIGKILL)
        return try await remains(after: text)
    }

    /// Waits for it to end by itself.
    func waitForExit() async throws -> Remains { try await remains(after: Data()) }

    private func remains(after start: Data) async throws -> Remains {
        let text = try start + (output.fileHandleForReading.readToEnd() ?? Data())
        let said = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        // What comes behind the last line's end was not printed whole.
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return Remains(
            lines: lines.dropLast().map(String.init), errors: String(decoding: said, as: UTF8.self),
            status: process.terminationStatus)
    }
}
