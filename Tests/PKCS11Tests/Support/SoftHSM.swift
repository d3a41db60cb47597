// SoftHSM's tokens. It learns from an environment variable where they are, so the process has one directory for all.

import Foundation
import Testing

struct SoftHSM: Sendable {
    private let root: URL
    private var tokens: URL { root.appendingPathComponent("tokens") }

    /// Prepared before the first module is loaded, and removed with the process.
    static let shared = Result { try SoftHSM() }

    private init() throws {
        root = FileManager.default.temporaryDirectory.appendingPathComponent(
            "postern-softhsm-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: tokens, withIntermediateDirectories: true)
        setenv("SOFTHSM2_CONF", try Self.configure(root, tokens: tokens), 1)
        atexit {
            // What cannot be removed fails no promise.
            if case .success(let shared) = SoftHSM.shared { try? FileManager.default.removeItem(at: shared.root) }
        }
    }

    /// Makes a token elsewhere, and moves it to the others when it is whole: modules that start meanwhile never see a
    /// part of one.
    func makeToken(label: String, pin: String) throws {
        let draft = root.appendingPathComponent("draft-\(UUID())")
        try FileManager.default.createDirectory(at: draft, withIntermediateDirectories: false)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/softhsm2-util")
        process.arguments = ["--init-token", "--free", "--label", label, "--so-pin", "officer-4711", "--pin", pin]
        process.environment = ["SOFTHSM2_CONF": try Self.configure(draft, tokens: draft)]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "softhsm2-util could not make a token")
        for name in try FileManager.default.contentsOfDirectory(atPath: draft.path) where name != "softhsm2.conf" {
            try FileManager.default.moveItem(
                at: draft.appendingPathComponent(name), to: tokens.appendingPathComponent(name))
        }
    }

    private static func configure(_ folder: URL, tokens: URL) throws -> String {
        let file = folder.appendingPathComponent("softhsm2.conf").path
        try "directories.tokendir = \(tokens.path)\nobjectstore.backend = file\nlog.level = ERROR\n".write(
            toFile: file, atomically: false, encoding: .utf8)
        return file
    }
}
