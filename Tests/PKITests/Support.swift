// A temporary directory and the openssl command, for tests that have other software judge ours.

import Foundation
import PosternProtocol

/// A directory that is removed when the test is over.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let name = "postern-pki-" + UUID().uuidString
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func file(_ name: String, _ content: String? = nil) throws -> String {
        let file = path + "/" + name
        if let content { try content.write(toFile: file, atomically: false, encoding: .utf8) }
        return file
    }
}

/// Runs the openssl command and gives what it printed, errors included.
func openssl(_ arguments: String...) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, output)
}

/// A clock that stands still.
struct FixedClock: WallClock {
    let time: Timestamp
    func now() -> Timestamp { time }
}

extension SecretBytes {
    var text: String { unsafe withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) } }
}
