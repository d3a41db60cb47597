import Foundation
import PosternProtocol
import SQLiteDev
import Testing

@Suite struct CrashTests {
    @Test(.timeLimit(.minutes(5)))
    func `whatever moment it is killed at, every acknowledged version is there afterwards`() async throws {
        let folder = try TemporaryFolder()
        let deadline = Deadline.after(.seconds(300))
        var acknowledged: [String: [Int: String]] = [:]
        for round in 1...12 {
            let storm = try Storm(file: folder.file())
            let remains = try await storm.kill(after: Int.random(in: 1...60))
            #expect(remains.status == SIGKILL, "round \(round): \(remains.errors)")
            for line in remains.lines {
                let parts = line.split(separator: " ").map(String.init)
                try #require(parts.count == 3, "\(line)")
                let number = try #require(Int(parts[1]))
                // No number is given twice, over all rounds.
                #expect(acknowledged[parts[0], default: [:]].updateValue(parts[2], forKey: number) == nil, "\(line)")
            }
            // Nobody cleans up between: the next opener finds the lock, the log and the shared memory of the dead.
            let backend = try await SQLiteBackend.open(path: folder.file())
            for (path, versions) in acknowledged {
                for (number, value) in versions {
                    let read = try await backend.read(SecretPath(path), version: number, deadline: deadline)
                    #expect(read.payload["value"] == SecretBytes(value), "round \(round): \(path) \(number)")
                }
                // Every version that is there is whole, the unacknowledged ones too.
                let described = try await backend.describe(SecretPath(path), deadline: deadline)
                #expect(described.versions.map(\.number) == Array(1...described.currentVersion))
                for version in described.versions {
                    let read = try await backend.read(SecretPath(path), version: version.number, deadline: deadline)
                    #expect(read.payload.fields.map(\.name) == ["value", "padding"])
                }
            }
            try await backend.close()
        }
        #expect(acknowledged.values.reduce(0) { $0 + $1.count } >= 12)
    }
}
