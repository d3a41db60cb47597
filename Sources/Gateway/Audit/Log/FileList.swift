// What is in a directory, and whole small files.

import Glibc

/// Looking at files.
enum FileList {
    /// The names in a directory; none if it is not there.
    static func names(in directory: String) throws(AuditFileError) -> [String] {
        guard let stream = unsafe opendir(directory) else {
            guard errno == ENOENT else { throw AuditFileError("open", directory, number: errno) }
            return []
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Whether there is a file.
    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// A file's bytes, or nil if it is not there.
    /// - Parameter limit: more than this many bytes are not read.
    static func contents(_ path: String, limit: Int) throws(AuditFileError) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw AuditFileError("open", path, number: errno) }
            return nil
        }
        defer { _ = close(file) }
        let files = SystemAuditFiles()
        let length = min(try files.length(file, path), limit + 1)
        return try files.read(file, path, at: 0, count: length)
    }
}
