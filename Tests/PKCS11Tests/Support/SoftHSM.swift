// SoftHSM's tokens. It learns from an environment variable where they are, so the process has one directory for all.

import Foundation
import Testing

struct SoftHSM: Sendable {
    private let root: URL
    private let configuration: String

    /// Prepared before the first module is loaded, and removed with the process.
    static let shared = Result { try SoftHSM() }

    private init() throws {
        root = FileManager.default.temporaryDirectory.appendingPathComponent(
            "postern-softhsm-\(ProcessInfo.processInfo.processIdentifier)")
        let tokens = root.appendingPathComponent("tokens")
        try FileManager.default.createDirectory(at: tokens, withIntermediateDirectories: true)
        configuration = root.appendingPathComponent("softhsm2.conf").path
        try "directories.tokendir = \(tokens.path)\nobjectstore.backend = file\nlog.level = ERROR\n".write(
            toFile: configuration, atomically: false, encoding: .utf8)
        setenv("SOFTHSM2_CONF", configuration, 1)
        atexit {
            // What cannot be removed fails no promise.
            if case .success(let shared) = SoftHSM.shared { try? FileManager.default.removeItem(at: shared.root) }
        }
    }

    func makeToken(label: String, pin: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/softhsm2-util")
        process.arguments = ["--init-token", "--free", "--label", label, "--so-pin", "officer-4711", "--pin", pin]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "softhsm2-util could not make a token")
    }
}
