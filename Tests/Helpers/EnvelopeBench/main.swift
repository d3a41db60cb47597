// What the envelope adds to a read that misses the cache, beside the store's own cost.
//
//     envelope-bench [SECONDS [BYTES…]]     over a store in memory, with values of 64 and 1,024 bytes
//
// Five rounds of SECONDS (1) measure by turns reads of the store as it is and reads of the same store through the
// envelope, in processor time of this process, so that what else the machine does counts little. It prints, for each size,
// the medians in µs for a read, and the median of what the envelope adds.

import BackendConformance
import Envelope
import Foundation
import LocalKey
import PosternProtocol

let arguments = CommandLine.arguments.dropFirst().compactMap(Double.init)
let seconds = arguments.first ?? 1
let sizes = arguments.count > 1 ? arguments.dropFirst().map(Int.init) : [64, 1_024]
let rounds = 5
let paths = try (0..<1_000).map { try SecretPath("domain\($0 % 10)/service/secret\($0)") }
let folder = FileManager.default.temporaryDirectory.appending(path: "postern-envelope-bench-\(UUID().uuidString)")
try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(at: folder) }
let key = try LocalFileKeyWrapper(path: folder.appending(path: "kek").path, createIfMissing: true)

print("bytes   store µs   envelope µs   added µs")
for size in sizes {
    let bare = InMemoryBackend(clock: ManualClock())
    let store = InMemoryBackend(clock: ManualClock())
    let envelope = try EnvelopeBackend(store: store, keyWrappers: [key])
    for path in paths {
        for backend in [bare, envelope] as [any SecretBackend] {
            let value = SecretBytes(copying: (0..<size).map { UInt8(truncatingIfNeeded: $0) })
            _ = try await backend.write(path, Payload(value: value), expecting: 0, deadline: .after(.seconds(60)))
        }
    }
    _ = try await cost(envelope)
    var (alone, through): ([Double], [Double]) = ([], [])
    for _ in 0..<rounds {
        alone.append(try await cost(bare))
        through.append(try await cost(envelope))
    }
    let added = median(zip(through, alone).map { $0 - $1 })
    print(String(format: "%5d   %-8.2f   %-11.2f   %.2f", size, median(alone), median(through), added))
}

/// Processor time of this process for one read, in µs.
func cost(_ backend: any SecretBackend) async throws -> Double {
    let (start, before) = (ContinuousClock.now, processorTime())
    var done = 0
    while start.duration(to: .now) < .seconds(seconds) {
        for path in paths { _ = try await backend.read(path, version: nil, deadline: .after(.seconds(60))) }
        done += paths.count
    }
    return (processorTime() - before) / Double(done) * 1e6
}

/// Seconds that this process has used of all processors.
func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
