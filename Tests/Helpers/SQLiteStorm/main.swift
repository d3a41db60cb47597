// Writes versions as fast as it can and prints each one that was acknowledged, until somebody kills it.
// A line is `path version value`. The test that kills it looks for every printed version afterwards.

import Foundation
import PosternProtocol
import SQLiteDev

let writers = 4
let file = CommandLine.arguments[1]
let backend: SQLiteBackend
do {
    backend = try await SQLiteBackend.open(path: file)
} catch {
    try FileHandle.standardError.write(contentsOf: Data("\(error)\n".utf8))
    exit(1)
}
let deadline = Deadline.after(.seconds(3_600))

try await withThrowingTaskGroup(of: Void.self) { group in
    for writer in 0..<writers {
        group.addTask {
            let path = try SecretPath("storm/writer\(writer)")
            let change = MetadataChange(maxVersions: 100_000)
            var isFirst = true
            while true {
                // Values of very different sizes, so that commits span from one page to many.
                let value = "\(UInt64.random(in: 0...UInt64.max))"
                let padding = String(repeating: "x", count: Int.random(in: 0...20_000))
                let payload = try Payload([
                    .init(name: "value", value: SecretBytes(value)),
                    .init(name: "padding", value: SecretBytes(padding)),
                ])
                let written = try await backend.write(path, payload, expecting: nil, deadline: deadline)
                if isFirst { _ = try await backend.updateMetadata(path, change, deadline: deadline) }
                isFirst = false
                // One write(2), shorter than a pipe's atomic size: lines of different writers do not mix.
                try FileHandle.standardOutput.write(contentsOf: Data("\(path) \(written.number) \(value)\n".utf8))
            }
        }
    }
    try await group.waitForAll()
}
