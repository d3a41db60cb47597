// What opening a log does about its published part: finds the key, and checks that the checkpoint is by it and covers no
// more than the segments have.

import PosternProtocol
import TransparencyLog

/// The published part of a log that is being opened.
struct LogOpening {
    let signer: any NoteSigner
    let origin: String
    let published: (note: SignedNote, checkpoint: Checkpoint)?
    /// Where the key is, unless it is given.
    let keyFile: SigningKeyFile?

    /// - Throws: `signing_key`, `invalid_option`, `corrupt`, `file_system`.
    init(directory: String, options: AuditLog.Options) throws(AuditLogError) {
        let log = LogDirectory(auditDirectory: directory)
        let published = try PublishedCheckpoint.read(in: log)
        self.published = published
        if let signer = options.signer {
            self.signer = signer
            keyFile = nil
        } else {
            let keyFile = SigningKeyFile(path: options.signingKeyFile ?? "\(directory)/\(SigningKeyFile.defaultName)")
            signer = try Self.signer(
                keyFile, log: log, origin: options.origin, isNew: published == nil, files: options.files)
            self.keyFile = keyFile
        }
        origin = published?.checkpoint.origin ?? options.origin ?? signer.verifierKey.name
        guard published != nil || signer.verifierKey.name == origin else {
            throw AuditLogError(
                .invalidOption,
                "The audit log's signing key is called \(signer.verifierKey.name); its origin must be the same, and is set "
                    + "to \(origin).")
        }
        if let wanted = options.origin, wanted != origin {
            throw AuditLogError(
                .invalidOption,
                "The audit log in \(directory) has the origin \(origin), which cannot become \(wanted): set audit.origin "
                    + "to \(origin), or begin a new log in another directory.")
        }
        guard let published else { return }
        do throws(TransparencyLogError) {
            try published.note.verify(with: [signer.verifierKey])
        } catch {
            throw AuditLogError(
                .signingKey,
                "The checkpoint in \(log.path) is not signed by the configured key \(signer.verifierKey.name) "
                    + "(\(error.message)). Configure the key that signed it; to change keys, run "
                    + "`postern audit rotate-key`.",
                file: log.file(LogDirectory.checkpointName))
        }
    }

    /// Checks the checkpoint against the segments.
    /// - Parameter nextIndex: how many records there are.
    func check(_ directory: String, nextIndex: UInt64) throws(AuditLogError) {
        guard let published, published.checkpoint.size > nextIndex else { return }
        throw .corrupt(
            directory, offset: 0, index: nextIndex,
            "the checkpoint covers \(published.checkpoint.size) records, but the segments end at \(nextIndex)")
    }

    private static func signer(
        _ file: SigningKeyFile, log: LogDirectory, origin: String?, isNew: Bool, files: any AuditFiles
    ) throws(AuditLogError) -> Ed25519Signer {
        if let next = try SigningKeyFile.read(file.nextPath),
            try finishRotation(to: next, file, log: log, files: files)
        {
            return next
        }
        if let key = try SigningKeyFile.read(file.path) { return key }
        guard isNew else {
            throw AuditLogError(
                .signingKey,
                "The audit log's signing key \(file.path) is missing. Restore it: without it nobody can tell whether "
                    + "what follows continues this log. Or begin a new log in another directory.",
                file: file.path)
        }
        let key = try SigningKeyFile.make(origin: origin)
        do throws(AuditFileError) {
            try SigningKeyFile.write(key, to: file.path, files: files)
        } catch {
            throw AuditLogError(error)
        }
        return key
    }

    /// Puts a new key in the old one's place, if the old one has handed over to it; one that it has not is forgotten.
    private static func finishRotation(
        to next: Ed25519Signer, _ file: SigningKeyFile, log: LogDirectory, files: any AuditFiles
    ) throws(AuditLogError) -> Bool {
        do throws(AuditFileError) {
            guard let last = try log.handovers().last else { return false }
            let path = log.file(LogDirectory.handoverName(last))
            let bytes = try FileList.contents(path, limit: Receipt.maximumBytes) ?? []
            // What is no receipt hands nothing over; `postern audit verify` says what is wrong with it.
            guard let receipt = try? Receipt(parsing: bytes),
                LogRecord.detail(LogRecord.newKey, of: LogRecord.rotation, in: receipt.extra ?? [])
                    == next.verifierKey.description
            else { return false }
            try files.rename(file.nextPath, to: file.path)
            try files.synchronizeDirectory(SigningKeyFile.parent(file.path))
            return true
        } catch {
            throw AuditLogError(error)
        }
    }
}
