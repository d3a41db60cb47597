// SoftHSM's tokens: a directory for each, since copies of SoftHSM in one process do not keep out of each other's way.

import Foundation
import Testing

/// A directory with one token.
public struct SoftHSM {
    /// The configuration file, of which SoftHSM learns from an environment variable.
    public let configuration: String
    /// That variable.
    public static let variable = "SOFTHSM2_CONF"

    /// Where Debian and its relatives put the library.
    public static var library: String {
        get throws {
            let candidates = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"]
            return try #require(
                candidates.first { FileManager.default.fileExists(atPath: $0) },
                "SoftHSM 2 is not installed; `make test` does that")
        }
    }

    /// Makes the directory, and a token in it.
    public init(in folder: TemporaryFolder, label: String, pin: String) throws {
        let tokens = folder.path("tokens")
        try FileManager.default.createDirectory(atPath: tokens, withIntermediateDirectories: false)
        configuration = try folder.file(
            "softhsm2.conf", "directories.tokendir = \(tokens)\nobjectstore.backend = file\nlog.level = ERROR\n")
        try Self.makeToken(configuration, label: label, pin: pin)
    }

    /// Makes a further token.
    public static func makeToken(_ configuration: String, label: String, pin: String) throws {
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
