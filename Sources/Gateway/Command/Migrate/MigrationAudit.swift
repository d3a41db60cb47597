// The audit log of `postern migrate`, and its progress bar.

import Foundation
import Migration
import PosternAudit
import PosternProtocol
import Synchronization

/// Records what a migration does in an audit log of its own, as the gateway records what it does.
final class MigrationAudit: MigrationJournal {
    private static let barWidth = 30

    private let log: AuditLog?
    private let runID = String(UInt128.random(in: 0...UInt128.max), radix: 16)
    private let user = ProcessInfo.processInfo.userName
    private let reason: String?
    private let ticket: String?
    private let clock = SystemWallClock()
    private let isShown = isatty(STDERR_FILENO) == 1
    private let lastShown = Mutex<ContinuousClock.Instant?>(nil)

    /// Opens the log.
    /// - Parameter directory: its folder; nil to record nothing.
    init(directory: String?, reason: String, ticket: String) throws(SecretError) {
        self.reason = reason.isEmpty ? nil : reason
        self.ticket = ticket.isEmpty ? nil : ticket
        do {
            log = try directory.map { (directory) throws(AuditLogError) in try AuditLog.open(directory: directory) }
        } catch {
            throw SecretError(.auditUnavailable, error.message)
        }
    }

    /// Waits until everything is written.
    func close() { log?.close() }

    func record(_ event: MigrationEvent) async throws(SecretError) {
        guard let log else { return }
        _ = try await log.append(entry(for: event))
    }

    private func entry(for event: MigrationEvent) -> AuditRecord {
        var record = AuditRecord(
            time: clock.now(), requestID: runID,
            actor: AuditRecord.Actor(principal: "postern-migrate", authentication: "none"), action: "migration.copy",
            decision: .allow, outcome: "ok", reason: reason, ticket: ticket, detail: ["user": user])
        switch event {
        case .begins(let migration):
            record.action = "migration.start"
            record.detail["migration"] = migration.id
            record.detail["source"] = migration.source
            record.detail["target"] = migration.target
        case .changes(let path, let wanted):
            record.action = wanted == nil ? "migration.remove" : "migration.copy"
            record.path = path.text
            record.version = wanted?.currentVersion
            record.phase = .attempt
            record.outcome = nil
        case .changed(let path, let versions, let error):
            record.path = path.text
            record.outcome = error?.code.rawValue ?? "ok"
            record.detail["versions"] = Self.text(of: versions)
        case .enters(let phase, let id), .entered(let phase, let id):
            record.action = "migration.phase"
            record.detail["phase"] = phase.rawValue
            record.detail["migration"] = id
            if case .enters = event {
                record.phase = .attempt
                record.outcome = nil
            }
        case .ends(let report, let failure):
            record.action = "migration.end"
            let code = failure?.code ?? (report.isGood ? nil : .integrityFailure)
            record.outcome = code?.rawValue ?? "ok"
            record.detail["migration"] = report.id
            record.detail["phase"] = report.phase?.rawValue
            record.detail["copied_secrets"] = String(report.copiedSecrets)
            record.detail["copied_versions"] = String(report.copiedVersions)
            record.detail["removed_secrets"] = String(report.removedSecrets)
            record.detail["failed_secrets"] = String(report.failedSecrets)
            record.detail["compared_secrets"] = String(report.comparedSecrets)
            record.detail["compared_versions"] = String(report.comparedVersions)
            record.detail["differing_secrets"] = String(report.differingSecrets)
            record.detail["source_digest"] = report.sourceDigest
            record.detail["target_digest"] = report.targetDigest
        }
        return record
    }

    /// At most 64 numbers, so that a record stays small.
    private static func text(of versions: [Int]) -> String {
        let shown = versions.prefix(64).map(String.init).joined(separator: ",")
        return versions.count > 64 ? "\(shown) and \(versions.count - 64) more" : shown
    }

    func show(_ progress: MigrationProgress) {
        guard isShown else { return }
        let isDue = lastShown.withLock { last in
            if let last, last.duration(to: .now) < .milliseconds(100) { return false }
            last = .now
            return true
        }
        guard isDue else { return }
        var text = "\(progress.stage) \(progress.done)"
        if let total = progress.total {
            let share = total == 0 ? 1 : Double(progress.done) / Double(total)
            let full = Int(share * Double(Self.barWidth))
            let bar = String(repeating: "#", count: full) + String(repeating: ".", count: Self.barWidth - full)
            text = "[\(bar)] \(Int(share * 100))%  \(progress.stage) \(progress.done)/\(total)"
        }
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
    }

    /// Leaves the bar's line.
    func endBar() {
        if isShown, lastShown.withLock({ $0 != nil }) { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
