// The records that the log makes of itself: a new signing key, and pruning.

import Foundation
import PosternProtocol
import TransparencyLog

/// Records about the log, as they are made and read.
enum LogRecord {
    /// A new key signs from now on.
    static let rotation = "audit.rotate_key"
    /// Old records are removed from now on.
    static let pruning = "audit.prune"
    /// The member of `detail` that has the new key.
    static let newKey = "new_key"
    /// The member of `detail` that has the key until now.
    static let oldKey = "old_key"
    /// The member of `detail` with the index below which records are removed.
    static let minimum = "minimum_index"

    static func make(_ action: String, at time: Timestamp, detail: [String: String]) -> AuditRecord {
        AuditRecord(
            time: time, requestID: "\(action)-\(time.microseconds)", actor: AuditRecord.Actor(principal: "postern"),
            action: action,
            decision: .allow, outcome: "ok", detail: detail)
    }

    private struct Parsed: Decodable {
        let action: String
        let time: String
        let detail: [String: String]?
    }

    /// A member of `detail` of a record with this action.
    static func detail(_ name: String, of action: String, in record: [UInt8]) -> String? {
        // What does not parse is not such a record.
        guard let parsed = try? JSONDecoder().decode(Parsed.self, from: Data(record)), parsed.action == action
        else { return nil }
        return parsed.detail?[name]
    }

    /// When a record was made: `time` as it is in the record, which sorts as text.
    static func time(of record: [UInt8]) -> String? {
        (try? JSONDecoder().decode(Parsed.self, from: Data(record)))?.time
    }

    /// The index below which records may be gone, as the receipt in the log's directory says.
    static func minimumIndex(in log: LogDirectory) throws(AuditLogError) -> UInt64? {
        do throws(AuditFileError) {
            let path = log.file(LogDirectory.prunedName)
            guard let bytes = try FileList.contents(path, limit: Receipt.maximumBytes) else { return nil }
            guard let receipt = try? Receipt(parsing: bytes), let record = receipt.extra,
                let text = detail(minimum, of: pruning, in: record)
            else { return nil }
            return UInt64(text)
        } catch {
            throw AuditLogError(error)
        }
    }
}

/// The checkpoint in a log's directory.
enum PublishedCheckpoint {
    /// The signed checkpoint, or nil if none was published yet.
    /// - Throws: `corrupt` if it is not one.
    static func read(in log: LogDirectory) throws(AuditLogError) -> (note: SignedNote, checkpoint: Checkpoint)? {
        let path = log.file(LogDirectory.checkpointName)
        let bytes: [UInt8]?
        do throws(AuditFileError) {
            bytes = try FileList.contents(path, limit: SignedNote.maximumBytes)
        } catch {
            throw AuditLogError(error)
        }
        guard let bytes else { return nil }
        do throws(TransparencyLogError) {
            let note = try SignedNote(parsing: bytes)
            return (note, try Checkpoint(text: note.text))
        } catch {
            throw .corrupt(path, offset: 0, index: 0, error.message)
        }
    }

    /// How many records it covers whose bundles are full, so that their segments may be gone; 0 if there is none.
    static func retirableSize(in auditDirectory: String) throws(AuditLogError) -> UInt64 {
        (try read(in: LogDirectory(auditDirectory: auditDirectory))?.checkpoint.size ?? 0) / 256 * 256
    }
}
