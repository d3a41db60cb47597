import Foundation
import Synchronization
import Testing

/// A folder that is removed when the process ends: modules use theirs for as long as they are loaded.
public struct TemporaryFolder: Sendable {
    private static let all = Mutex<[URL]>([])
    private static let prepared: Void = {
        atexit {
            // What cannot be removed fails no promise.
            for folder in TemporaryFolder.all.withLock({ $0 }) { try? FileManager.default.removeItem(at: folder) }
        }
    }()
    private let root: URL

    /// Makes one.
    public init() throws {
        root = FileManager.default.temporaryDirectory.appendingPathComponent("postern-pkcs11-\(UUID())")
        try FileManager.default.createDirectory(
            at: root, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        Self.prepared
        Self.all.withLock { $0.append(root) }
    }

    /// The path of something in it.
    public func path(_ name: String) -> String { root.appendingPathComponent(name).path }

    /// Writes a file.
    /// - Returns: its path.
    @discardableResult
    public func file(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        let path = path(name)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        try #require(chmod(path, mode_t(mode)) == 0)
        return path
    }

    /// Copies a file into the folder.
    public func copy(_ file: String, as name: String? = nil) throws -> String {
        let target = path(name ?? URL(fileURLWithPath: file).lastPathComponent)
        // What a link stands for, not the link.
        try FileManager.default.copyItem(
            at: URL(fileURLWithPath: file).resolvingSymlinksInPath(), to: URL(fileURLWithPath: target))
        return target
    }
}
