// Keeps a second process off a file: two writers that do not know of each other would each hold stale state.

import Foundation
import PosternProtocol

/// An exclusive lock (flock(2)) on a small file beside the one that it guards. The system drops it when the
/// process ends, however it ends. The file stays: removing it would let two processes lock different files.
final class FileLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock without waiting.
    /// - Throws: `backend_unavailable` if somebody holds it, or the lock file cannot be opened.
    init(path: String, guarding what: String) throws(SecretError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw SecretError(.backendUnavailable, "Cannot open the lock file \(path): \(systemMessage(errno)).")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            let holder = Self.holder(descriptor)
            close(descriptor)
            guard reason == EWOULDBLOCK else {
                throw SecretError(.backendUnavailable, "Cannot lock \(path): \(systemMessage(reason)).")
            }
            throw SecretError(
                .backendUnavailable,
                "\(what) is in use by another Postern\(holder). Stop that one, or give this one a file of its own.")
        }
        self.descriptor = descriptor
        // For the message above only; the lock holds without it.
        let identity = Array("\(getpid())\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, identity, identity.count, 0) }
    }

    deinit { close(descriptor) }

    /// The process that holds the lock, as it wrote it down itself.
    private static func holder(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        guard let process = Int32(text.prefix { $0 != "\n" }) else { return "" }
        return " (process \(process))"
    }
}

/// What the system says an error number means.
func systemMessage(_ number: Int32) -> String {
    strerror(number).map { String(cString: $0) } ?? "error \(number)"
}
