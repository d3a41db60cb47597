// A folder for one test, removed at its end.

import Foundation

/// A unique folder.
final class TemporaryFolder: Sendable {
    let path: String

    /// Makes it, in memory where the system has such a place: most tests do not ask what the disk does.
    init(inMemory: Bool = false) throws {
        let shared = "/dev/shm"
        let isShared = inMemory && FileManager.default.isWritableFile(atPath: shared)
        let parent = isShared ? shared : FileManager.default.temporaryDirectory.path
        path = parent + "/postern-sqlite-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    func file(_ name: String = "secrets.db") -> String { path + "/" + name }

    func remove() throws { try FileManager.default.removeItem(atPath: path) }

    deinit { try? remove() }
}
