// A SoftHSM token of this process's own.

import Foundation

struct SoftToken {
    static let module = "/usr/lib/softhsm/libsofthsm2.so"
    private static let pin = "bench-4711"
    private let folder: URL
    var pinFile: String { folder.appendingPathComponent("pin").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-bench-\(UUID())")
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("tokens"), withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let configuration = folder.appendingPathComponent("softhsm2.conf").path
        try "directories.tokendir = \(folder.path)/tokens\nobjectstore.backend = file\nlog.level = ERROR\n".write(
            toFile: configuration, atomically: false, encoding: .utf8)
        try Self.pin.write(toFile: pinFile, atomically: false, encoding: .utf8)
        chmod(pinFile, 0o600)
        setenv("SOFTHSM2_CONF", configuration, 1)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/softhsm2-util")
        process.arguments = [
            "--init-token", "--free", "--label", "bench", "--so-pin", "officer-4711", "--pin", Self.pin,
        ]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchError("softhsm2-util could not make a token") }
    }

    func remove() {
        // What cannot be removed spoils no measurement.
        try? FileManager.default.removeItem(at: folder)
    }
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
