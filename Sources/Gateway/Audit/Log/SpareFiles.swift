// Files and directories that are used again instead of being removed.
//
// Each publication leaves partial tiles that full ones soon replace, and each segment is removed in the end. ext4 passes over
// inodes that were freed in the last five minutes, one by one, whenever a file is made: with as many removals as
// publishing needs, that was measured to cost more than all hashing. So what is not needed any more waits here to become
// another file: long enough that whoever had it open has done with it.

import Glibc
import Synchronization

/// Files and empty directories beside the published log.
final class SpareFiles: Sendable {
    private static let maximumFiles = 4_096
    private static let maximumDirectories = 512

    private struct Spare {
        let path: String
        let since = ContinuousClock.now
    }

    private struct State {
        // The oldest first.
        var files: [Spare] = []
        var directories: [Spare] = []
        var next = 0
    }

    private let directory: String
    private let rest: Duration
    private let state = Mutex(State())

    /// - Parameters:
    ///   - auditDirectory: where to keep them, under `spare`. What an earlier process left is used.
    ///   - rest: how long they wait before they become something else.
    init(auditDirectory: String, rest: Duration) {
        directory = auditDirectory + "/spare"
        self.rest = rest
        // Without a list there are none, which does no harm.
        for name in (try? FileList.names(in: directory)) ?? [] {
            guard let number = Int(name.dropFirst()) else { continue }
            state.withLock { state in
                state.next = max(state.next, number + 1)
                if name.hasPrefix("f") { state.files.append(Spare(path: directory + "/" + name)) }
                if name.hasPrefix("d") { state.directories.append(Spare(path: directory + "/" + name)) }
            }
        }
    }

    /// A file with any content, no longer kept here.
    func takeFile() -> String? { state.withLock { take(&$0.files) } }

    /// An empty directory, no longer kept here.
    func takeDirectory() -> String? { state.withLock { take(&$0.directories) } }

    private func take(_ spares: inout [Spare]) -> String? {
        guard let first = spares.first, first.since.duration(to: .now) >= rest else { return nil }
        return spares.removeFirst().path
    }

    /// Keeps a file, or removes it if there are enough.
    /// - Parameter isEmptied: whether its room on disk is given up at once.
    func give(file path: String, isEmptied: Bool = false) throws(AuditFileError) {
        let target = state.withLock { $0.files.count < Self.maximumFiles ? name("f", &$0) : nil }
        if let target, moves(path, to: target) {
            if isEmptied, unsafe truncate(target, 0) != 0 { throw AuditFileError("truncate", target, number: errno) }
            state.withLock { $0.files.append(Spare(path: target)) }
        } else if unsafe unlink(path) != 0, errno != ENOENT {
            throw AuditFileError("remove", path, number: errno)
        }
    }

    /// Keeps an empty directory, or removes it if there are enough.
    func give(directory path: String) throws(AuditFileError) {
        let target = state.withLock { $0.directories.count < Self.maximumDirectories ? name("d", &$0) : nil }
        if let target, moves(path, to: target) {
            state.withLock { $0.directories.append(Spare(path: target)) }
        } else if unsafe rmdir(path) != 0, errno != ENOENT {
            throw AuditFileError("remove", path, number: errno)
        }
    }

    private func name(_ kind: String, _ state: inout State) -> String {
        state.next += 1
        return "\(directory)/\(kind)\(state.next)"
    }

    private func moves(_ path: String, to target: String) -> Bool {
        if unsafe rename(path, target) == 0 { return true }
        guard errno == ENOENT, unsafe mkdir(directory, 0o700) == 0 else { return false }
        return unsafe rename(path, target) == 0
    }
}
