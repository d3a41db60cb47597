// SoftHSM's tokens: a directory for each, since copies of SoftHSM in one process do not keep out of each other's way.

import Foundation
import Testing

/// A directory with one token.
struct SoftHSM {
    /// The configuration file, of which SoftHSM learns from an environment variable.
    let configuration: String
    static let variable = "SOFTHSM2_CONF"

    /// Sets the variable once, early, so that setting it again changes nothing but its value.
    private static let prepared: Void = {
        setenv(variable, "/nonexistent", 1)
        // The lock under which copies of the faulty module set it.
        atexit { unlink("/tmp/postern-environment-\(getpid())") }
    }()

    init(in folder: TemporaryFolder, label: String, pin: String) throws {
        Self.prepared
        let tokens = folder.path("tokens")
        try FileManager.default.createDirectory(atPath: tokens, withIntermediateDirectories: false)
        configuration = try folder.file(
            "softhsm2.conf", "directories.tokendir = \(tokens)\nobjectstore.backend = file\nlog.level = ERROR\n")
        try Self.makeToken(configuration, label: label, pin: pin)
    }

    static func makeToken(_ configuration: String, label: String, pin: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/softhsm2-util")
        process.arguments = ["--init-token", "--free", "--label", label, "--so-pin", "officer-4711", "--pin", pin]
        process.environment = [variable: configuration]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "softhsm2-util could not make a token")
    }
}
