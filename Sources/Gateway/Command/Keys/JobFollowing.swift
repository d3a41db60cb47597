// Follows a job to its end, with a bar where a person looks on.

import ArgumentParser
import Foundation
import PosternProtocol

/// Whether and how to wait for a job.
struct JobOptions: ParsableArguments {
    @Flag(name: .long, help: "Do not wait for the job to end; the gateways go on with it.")
    var noWait = false

    /// Waits for a job's end, unless told not to.
    /// - Returns: the job as last seen.
    func follow(_ job: KeyJob, _ client: AdminClient) async throws -> KeyJob {
        noWait ? job : try await Self.follow(job, client)
    }

    /// Waits for a job's end.
    static func follow(_ job: KeyJob, _ client: AdminClient) async throws -> KeyJob {
        var job = job
        var bar = ProgressBar()
        while true {
            job =
                try await client.get("keys/jobs", JobList.self).jobs.first { $0.id == job.id }
                ?? { throw SecretError(.notFound, "The job \(job.id) is not there any more.") }()
            bar.show(job)
            guard job.state == .running else { break }
            try await Task.sleep(for: .milliseconds(500))
        }
        bar.end()
        return job
    }
}

struct JobList: Decodable {
    let jobs: [KeyJob]
}

struct JobAnswer: Decodable {
    let job: KeyJob
}

/// A bar on standard error, where that is a terminal.
struct ProgressBar {
    private static let width = 30
    private let isShown = isatty(STDERR_FILENO) == 1
    private let began = ContinuousClock.now
    private var seenAtFirst: Int?

    /// Draws a job's progress over what was drawn before.
    mutating func show(_ job: KeyJob) {
        guard isShown else { return }
        let first = seenAtFirst ?? job.seen
        seenAtFirst = first
        let seconds = max(began.duration(to: .now) / .seconds(1), 0.001)
        let text = Self.text(job, perSecond: Double(job.seen - first) / seconds)
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
    }

    /// Leaves the line.
    func end() {
        if isShown { FileHandle.standardError.write(Data("\n".utf8)) }
    }

    static func text(_ job: KeyJob, perSecond: Double) -> String {
        guard let total = job.total else { return "counting …" }
        let share = total == 0 ? 1 : min(Double(job.seen) / Double(total), 1)
        let full = Int(share * Double(width))
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: width - full)
        var text = "[\(bar)] \(Int(share * 100))%  \(job.seen)/\(total)"
        if perSecond >= 1, job.seen < total {
            text += "  \(Int(perSecond))/s  \(Int(Double(total - job.seen) / perSecond)) s left"
        }
        if let waiting = job.waitingFor { text += "  waiting: \(waiting.prefix(60))" }
        return text
    }
}

extension KeyJob {
    /// The job for people.
    var summary: String {
        let verb = order.dryRun ? "would change" : "changed"
        var lines = [
            "\(id): \(state.rawValue), \(seen) of \(total.map(String.init) ?? "?") gone over, \(verb) \(changed), "
                + "\(upToDate) up to date, \(skipped) passed over, \(failed) failed"
        ]
        if destroyedVersions > 0 {
            lines.append("older versions \(order.dryRun ? "to destroy" : "destroyed"): \(destroyedVersions)")
        }
        for reference in references {
            lines.append(
                "domain \(reference.domain), key version \(reference.version): \(reference.count) versions of secrets"
                    + (reference.possible > 0 ? ", and perhaps \(reference.possible) soft-deleted ones" : ""))
        }
        if let waitingFor { lines.append("waiting: \(waitingFor)") }
        lines += problems.map { "problem: \($0)" }
        return lines.joined(separator: "\n")
    }

    /// The exit code of a command that waited for the job.
    func check() throws {
        if state == .failed { throw SecretError.Code.internalError.exitCode }
    }
}
