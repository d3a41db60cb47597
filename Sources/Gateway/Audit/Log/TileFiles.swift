// Writes the published log's files. A reader needs none of them before the checkpoint that covers it, which comes last.

import Glibc
import TransparencyLog

/// The files of a published log, for the one who publishes.
struct TileFiles {
    let directory: LogDirectory
    let files: any AuditFiles
    let mode: UInt32
    let spares: SpareFiles

    /// Writes a tile, whose content never changes: if it is there already, nothing is written.
    ///
    /// Without a sync: the segments have all of it until ``SegmentRetirement`` has made it durable.
    func write(_ bytes: [UInt8], to tile: Tile) throws(AuditFileError) {
        let path = directory.file(tile)
        if let spare = spares.takeFile(), !FileList.exists(path) { return try write(bytes, to: path, through: spare) }
        var file = create(path)
        if file < 0, errno == ENOENT {
            try makeDirectories(for: path)
            file = create(path)
        }
        guard file >= 0 else {
            guard errno == EEXIST else { throw AuditFileError("create", path, number: errno) }
            // From before a crash or a failure: whole, or cut short and covered by no checkpoint.
            if try FileList.contents(path, limit: bytes.count) == bytes { return }
            return try replace(path, with: bytes)
        }
        try fill(file, with: bytes, path)
    }

    /// Turns a spare file into a tile.
    private func write(_ bytes: [UInt8], to path: String, through spare: String) throws(AuditFileError) {
        let file = unsafe open(spare, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { throw AuditFileError("open", spare, number: errno) }
        try fill(file, with: bytes, spare)
        if unsafe rename(spare, path) == 0 { return }
        try makeDirectories(for: path)
        guard unsafe rename(spare, path) == 0 else { throw AuditFileError("rename", spare, number: errno) }
    }

    private func fill(_ file: Int32, with bytes: [UInt8], _ path: String) throws(AuditFileError) {
        defer { files.close(file) }
        do throws(AuditFileError) {
            try files.write(bytes, to: file, path, at: 0)
        } catch {
            _ = unsafe unlink(path)
            throw error
        }
    }

    /// Puts a file in place of another at once.
    /// - Parameter isDurable: whether it is synced, with its name.
    func replace(_ path: String, with bytes: [UInt8], isDurable: Bool = false) throws(AuditFileError) {
        let temporary = path + ".new"
        var file = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        if file < 0, errno == ENOENT {
            try makeDirectories(for: path)
            file = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        }
        guard file >= 0 else { throw AuditFileError("create", temporary, number: errno) }
        do throws(AuditFileError) {
            defer { files.close(file) }
            try files.write(bytes, to: file, temporary, at: 0)
            if isDurable { try files.synchronize(file, temporary) }
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
        try files.rename(temporary, to: path)
        if isDurable { try files.synchronizeDirectory(Self.parent(path)) }
    }

    /// Removes the partial tiles at the place of a full one.
    func removePartials(of tile: Tile) throws(AuditFileError) {
        try removeDirectory(directory.file(tile.full) + ".p")
    }

    /// Removes a full tile or bundle.
    func remove(_ tile: Tile) throws(AuditFileError) {
        try removePartials(of: tile)
        let path = directory.file(tile)
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw AuditFileError("remove", path, number: errno)
        }
    }

    private func removeDirectory(_ path: String) throws(AuditFileError) {
        guard FileList.exists(path) else { return }
        for name in try FileList.names(in: path) { try spares.give(file: path + "/" + name) }
        try spares.give(directory: path)
    }

    private func create(_ path: String) -> Int32 {
        unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    }

    private static func parent(_ path: String) -> String {
        String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
    }

    private func makeDirectories(for path: String) throws(AuditFileError) {
        let parent = Self.parent(path)
        if parent.hasSuffix(".p"), !FileList.exists(parent), let spare = spares.takeDirectory(),
            unsafe rename(spare, parent) == 0
        {
            return
        }
        if unsafe mkdir(parent, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, parent.count < path.count else {
            throw AuditFileError("make directory", parent, number: errno)
        }
        try makeDirectories(for: parent)
        guard unsafe mkdir(parent, 0o700) == 0 || errno == EEXIST else {
            throw AuditFileError("make directory", parent, number: errno)
        }
    }
}
