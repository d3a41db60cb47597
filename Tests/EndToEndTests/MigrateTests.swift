import Foundation
import Synchronization
import TestPrograms
import Testing
import VaultServers

/// `postern migrate`, with real stores on both sides.
@Suite struct MigrateTests {
    private static let canary = "canary-7f3a"

    private func put(_ gateway: GatewayUnderTest, _ path: String, _ value: String) async throws {
        let answer = try await gateway.admin(
            "POST", "/admin/api/secrets", json: #"{"name":"\#(path)","value":"\#(value)"}"#)
        try #require(answer.status == 201, "\(answer.text)")
    }

    private func must(_ gateway: GatewayUnderTest, _ method: String, _ path: String, _ json: String = "{}") async throws
    {
        let answer = try await gateway.admin(method, path, json: json)
        try #require(answer.status == 200, "\(path): \(answer.text)")
    }

    /// Secrets with all that can happen to them.
    private func fill(_ gateway: GatewayUnderTest) async throws {
        for index in 0..<6 {
            for version in 1...(index % 3 + 1) {
                try await put(gateway, "llm/s\(index)", "\(Self.canary)-\(index)-\(version)")
            }
        }
        for version in 1...12 { try await put(gateway, "deep/er/one", "\(Self.canary)-\(version)") }
        try await must(gateway, "DELETE", "/admin/api/secrets/llm/s2?versions=2,3")
        try await must(gateway, "POST", "/admin/api/secrets/llm/s5:destroy", #"{"versions":[1]}"#)
        try await must(
            gateway, "PATCH", "/admin/api/secrets/llm/s1:metadata",
            #"{"labels":{"team":"payments"},"max_versions":5}"#)
    }

    /// A value as text, without etags, which are each store's own.
    private static func text(_ json: JSON?) -> String {
        guard let json else { return "-" }
        if case .object(let members) = json {
            return members.filter { $0.key != "etag" }.sorted { $0.key < $1.key }.map { "\($0.key)=\(text($0.value))" }
                .joined(separator: ",")
        }
        return "\(json)"
    }

    /// Everything that the admin API shows of all secrets, values of readable versions included; without etags.
    private func everything(_ gateway: GatewayUnderTest) async throws -> [String] {
        var lines: [String] = []
        let list = try await gateway.admin("GET", "/admin/api/secrets?recursive=true&limit=1000").json()
        for entry in list["entries"]?.elements ?? [] {
            guard let name = entry["key"]?.text, !name.hasPrefix(".postern") else { continue }
            let described = try await gateway.admin("GET", "/admin/api/secrets/\(name)").json()
            let shown = ["current_version", "created_at", "max_versions", "labels", "delete_version_after_seconds"]
            lines.append(([name] + shown.map { "\($0): \(Self.text(described[$0]))" }).joined(separator: " "))
            for version in described["versions"]?.elements ?? [] {
                let number = version["version"]?.number ?? 0
                let revealed = try await gateway.admin(
                    "POST", "/admin/api/secrets/\(name):reveal", json: #"{"reason":"test","version":\#(number)}"#)
                let value = try revealed.json()["fields"]?["value"]?.text ?? revealed.code() ?? ""
                lines.append("\(name) \(Self.text(version)) \(value)")
            }
        }
        return lines
    }

    @Test(.timeLimit(.minutes(10)))
    func `from a file to OpenBao, to another mount under other keys, and back to a file, nothing is lost`() async throws
    {
        try await MigrationSite.with { site in
            let api = try await DevServer.shared.api
            let first = try site.sqlite("first", key: "k1")
            let second = try site.vault("second", api, mount: try await api.makeKV(), key: "k2")
            let third = try site.vault("third", api, mount: try await api.makeKV(), key: nil)
            let fourth = try site.sqlite("fourth", key: "k4")
            let before = try await site.withGateway(first) { gateway in
                try await fill(gateway)
                return try await everything(gateway)
            }
            #expect(before.count > 20)
            let plan = try await site.migrate(first, second, ["--dry-run"])
            #expect(plan.code == 0, "\(plan.errors)")
            #expect(try JSON(parsing: plan.output)["copied_secrets"]?.number == 7)
            for (from, to) in [(first, second), (second, third), (third, fourth)] {
                let done = try await site.migrate(
                    from, to, ["--cut-over", "--report", site.file("report.json"), "--ticket", "CHG-1"])
                try #require(done.code == 0, "\(from): \(done.errors) \(done.text)")
                let report = try JSON(parsing: Data(contentsOf: URL(filePath: site.file("report.json"))))
                #expect(report["phase"]?.text == "cut_over")
                #expect(report["compared_secrets"]?.number == 7)
                #expect(report["differing_secrets"]?.number == 0)
                #expect(report["source_digest"]?.text == report["target_digest"]?.text)
                #expect(!done.text.contains(Self.canary) && !done.errors.contains(Self.canary))
                let again = try await site.migrate(from, to, ["--cut-over"])
                #expect(again.code == 0, "\(again.errors)")
            }
            let after = try await site.withGateway(fourth) { try await everything($0) }
            #expect(after == before)
            let refused = try await run(
                try Places.postern(), ["serve", "--config", first], environment: ["ADMIN_KEY": site.home.adminKey],
                in: site.home.directory)
            #expect(refused.code == 2)
            #expect(refused.errors.contains("Secrets have moved"))
            let log = try await run(
                try Places.postern(), ["audit", "verify", "--directory", site.file("migration-audit")])
            #expect(log.code == 0, "\(log.errors)")
            let trail = try await mustRun(
                try Places.postern(), ["audit", "tail", "--directory", site.file("migration-audit"), "-n", "1000"])
            for word in ["migration.start", "migration.copy", "migration.phase", "migration.end", "deep/er/one"] {
                #expect(trail.text.contains(word), "\(word)")
            }
            #expect(!trail.text.contains(Self.canary))
        }
    }

    @Test func `one store on both sides is refused`() async throws {
        try await MigrationSite.with { site in
            let one = try site.sqlite("one", key: "k1")
            let done = try await site.migrate(one, one)
            #expect(done.code == 2)
            #expect(done.errors.contains("postern keys rewrap"))
            for (target, code) in [("one.yaml", 78), ("missing.yaml", 78), ("two.yaml", 0)] as [(String, Int32)] {
                _ = try site.sqlite("two", key: "k1")
                let serving = try site.configure(
                    "serving", "backend:\n  sqlite:\n    path: one.sqlite", key: "k1",
                    extra: "migration:\n  to: \(target)")
                let checked = try await run(
                    try Places.postern(), ["config", "check", "--config", serving],
                    environment: ["ADMIN_KEY": site.home.adminKey], in: site.home.directory)
                #expect(checked.code == code, "\(target): \(checked.errors)")
            }
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `killed again and again, the command goes on until everything has arrived`() async throws {
        try await MigrationSite.with { site in
            let api = try await DevServer.shared.api
            let from = try site.sqlite("from", key: "k1")
            let to = try site.vault("to", api, mount: try await api.makeKV(), key: "k2")
            let before = try await site.withGateway(from) { gateway in
                for index in 0..<60 { try await put(gateway, "d\(index % 3)/s\(index)", "v\(index)") }
                for index in 0..<20 { try await put(gateway, "d\(index % 3)/s\(index)", "w\(index)") }
                return try await everything(gateway)
            }
            var kills = 0
            for attempt in 0..<15 {
                let process = try LiveProcess(
                    try Places.postern(), site.arguments(from, to, ["--rate", "100", "--concurrency", "2"]),
                    environment: [:], in: site.home.directory, errorFile: URL(filePath: site.file("log\(attempt)")))
                // Later and later, at whatever it does then.
                try await Task.sleep(for: .milliseconds(100 + attempt * 60))
                process.signal(SIGKILL)
                if try await process.ending().wasSignalled { kills += 1 }
            }
            #expect(kills > 5)
            let done = try await site.migrate(from, to, ["--cut-over"])
            #expect(done.code == 0, "\(done.errors) \(done.text)")
            let after = try await site.withGateway(to) { try await everything($0) }
            #expect(after == before)
        }
    }

    /// What writers were told.
    private final class Told: Sendable {
        /// By path and version: what was written.
        let acknowledged = Mutex<[String: [Int: String]]>([:])
        let refused = Mutex(0)
        let lost = Mutex(0)
        let stop = Mutex(false)

        var count: Int { acknowledged.withLock { $0.values.reduce(0) { $0 + $1.count } } }

        func wait(for count: Int) async throws {
            let end = ContinuousClock.now.advanced(by: .seconds(240))
            while self.count < count {
                try #require(ContinuousClock.now < end, "writers are stuck at \(self.count)")
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func hammer(_ gateway: GatewayUnderTest, _ writer: Int, _ told: Told) async throws {
        var count = 0
        while !told.stop.withLock({ $0 }) {
            count += 1
            let (path, value) = ("w\(writer % 2)/\(writer)-\(count % 3)", "value \(writer) \(count)")
            let answer: AdminAnswer
            do {
                answer = try await gateway.admin(
                    "POST", "/admin/api/secrets", json: #"{"name":"\#(path)","value":"\#(value)"}"#)
            } catch {
                // The gateway was killed: nobody said that it was written.
                told.lost.withLock { $0 += 1 }
                try await Task.sleep(for: .milliseconds(100))
                continue
            }
            switch answer.status {
            case 201:
                let version = try #require(try answer.json()["version"]?.number)
                told.acknowledged.withLock { $0[path, default: [:]][version] = value }
            case 503:
                told.refused.withLock { $0 += 1 }
                try await Task.sleep(for: .milliseconds(100))
            default: Issue.record("\(answer.status) \(answer.text)")
            }
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `gateways serve through a migration, command and gateways are killed, no acknowledged write is missing`()
        async throws
    {
        try await MigrationSite.with { site in
            let api = try await DevServer.shared.api
            let extra = "migration:\n  to: target.yaml"
            let source = try site.vault("source", api, mount: try await api.makeKV(), key: "k1", extra: extra)
            let target = try site.vault("target", api, mount: try await api.makeKV(), key: "k2")
            let told = Told()
            try await site.withGateway(source) { first in
                try await fill(first)
                try await site.withGateway(source) { second in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for writer in 0..<4 {
                            group.addTask { try await self.hammer(writer < 2 ? first : second, writer, told) }
                        }
                        group.addTask {
                            defer { told.stop.withLock { $0 = true } }
                            try await told.wait(for: 20)
                            for attempt in 0..<4 {
                                let process = try LiveProcess(
                                    try Places.postern(), site.arguments(source, target, ["--cut-over"]),
                                    environment: [:], in: site.home.directory,
                                    errorFile: URL(filePath: site.file("log\(attempt)")))
                                try await Task.sleep(for: .milliseconds(500 + attempt * 1_700))
                                process.signal(SIGKILL)
                                _ = try await process.ending()
                                if attempt == 1 {
                                    _ = try await second.end(by: SIGKILL)
                                    try await second.start()
                                }
                            }
                            try await told.wait(for: told.count + 10)
                            let done = try await site.migrate(source, target, ["--cut-over"])
                            #expect(done.code == 0, "\(done.errors) \(done.text)")
                            #expect(try JSON(parsing: done.output)["phase"]?.text == "cut_over")
                            try await told.wait(for: told.count + 20)
                        }
                        try await group.waitForAll()
                    }
                    #expect(told.refused.withLock { $0 } > 0)
                    let metrics = try await first.admin("GET", "/metrics").text
                    #expect(metrics.contains("postern_migration_phase{phase=\"cut_over\"} 1"))
                }
            }
            // With the new configuration alone, as after the migration.
            try await site.withGateway(target) { gateway in
                for (path, versions) in told.acknowledged.withLock({ $0 }) {
                    let described = try await gateway.admin("GET", "/admin/api/secrets/\(path)").json()
                    let current = try #require(described["current_version"]?.number)
                    #expect(current >= versions.keys.max() ?? 0)
                    for (version, value) in versions where version > current - 10 {
                        let revealed = try await gateway.admin(
                            "POST", "/admin/api/secrets/\(path):reveal", json: #"{"reason":"x","version":\#(version)}"#)
                        #expect(try revealed.json()["fields"]?["value"]?.text == value, "\(path) \(version)")
                    }
                }
                #expect(
                    try await gateway.admin("POST", "/admin/api/secrets/deep/er/one:reveal", json: #"{"reason":"x"}"#)
                        .text.contains("\(Self.canary)-12"))
            }
            print(
                "acknowledged \(told.count), refused \(told.refused.withLock { $0 }), lost \(told.lost.withLock { $0 })"
            )
        }
    }
}
