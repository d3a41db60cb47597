// The file on disk: who may read it is decided before anything is written to it.

import Foundation
import PosternProtocol

enum SecretsFile {
    /// Makes the folder (0700) and the file (0600) if they are not there, and refuses a file that others may open.
    /// - Throws: `backend_unavailable` saying what is wrong and how to put it right.
    static func prepareFolder(of path: String) throws(SecretError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        do {
            // Leaves a folder that is there as it is.
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw SecretError(.backendUnavailable, "Cannot make the folder \(folder) for the secrets file.")
        }
    }

    /// Makes the file with mode 0600, or checks that the one that is there has no wider mode.
    static func prepareFile(_ path: String) throws(SecretError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else {
            throw SecretError(.backendUnavailable, "Cannot open the secrets file \(path): \(systemMessage(errno)).")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw SecretError(.backendUnavailable, "Cannot examine the secrets file \(path): \(systemMessage(errno)).")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SecretError(.backendUnavailable, "The secrets file \(path) is not a regular file.")
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw SecretError(
                .backendUnavailable,
                "Others than its owner may open the secrets file \(path) (mode 0\(mode)). "
                    + "Run: chmod 600 \(path) – and consider its secrets as read by others.")
        }
    }
}
