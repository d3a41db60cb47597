// Appends to an audit log from many tasks, for tests that kill it and for measuring.
//
//   audit-storm storm DIRECTORY PREFIX [rotating]
//                                             prints "index request-id" for each acknowledged record, for ever;
//                                             rotating, the signing key is replaced again and again meanwhile
//   audit-storm bench DIRECTORY TASKS SECONDS [unpublished]
//                                             prints records per second and CPU time per record

import Foundation
import PosternAudit
import PosternProtocol
import TransparencyLog

let arguments = CommandLine.arguments
guard arguments.count >= 4 else {
    print("usage: audit-storm storm DIRECTORY PREFIX | bench DIRECTORY TASKS SECONDS")
    exit(64)
}

func record(_ requestID: String) -> AuditRecord {
    AuditRecord(
        time: SystemWallClock().now(), requestID: requestID, traceID: "4bf92f3577b34da6a3ce929d0e0e4736",
        actor: AuditRecord.Actor(
            principal: "spiffe://example.org/gateway", authentication: "mtls",
            credential: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", address: "10.1.2.3:41234"),
        action: "secret.read", path: "llm/openai/api_key", version: 7, fields: ["value"], decision: .allow,
        rule: "gateway-reads-llm", outcome: "ok", servedFrom: "cache", ageMilliseconds: 1_234)
}

switch arguments[1] {
case "storm":
    // Small segments, so that kills fall into rotations too.
    var options = AuditLog.Options(segmentBytes: AuditLog.Options.minimumSegmentBytes)
    // So that kills fall into publications.
    options.publicationInterval = .milliseconds(3)
    options.spareRest = .zero
    let log = try AuditLog.open(directory: arguments[2], options: options)
    await withTaskGroup { group in
        if arguments.last == "rotating" {
            group.addTask {
                while !Task.isCancelled {
                    do {
                        _ = try await log.rotateKey(at: SystemWallClock().now(), deadline: .after(.seconds(60)))
                    } catch {
                        FileHandle.standardError.write(Data("\(error)\n".utf8))
                        return
                    }
                }
            }
        }
        for task in 0..<64 {
            group.addTask {
                var count = 0
                while true {
                    let id = "\(arguments[3])-\(task)-\(count)"
                    count += 1
                    do {
                        let index = try await log.append(record(id))
                        // One write of a short line to a pipe is whole or not at all.
                        let line = Array("\(index) \(id)\n".utf8)
                        guard write(1, line, line.count) == line.count else { return }
                    } catch {
                        FileHandle.standardError.write(Data("\(error)\n".utf8))
                        return
                    }
                }
            }
        }
    }
    exit(1)
case "bench":
    let tasks = Int(arguments[3]) ?? 1
    let seconds = Double(arguments.count > 4 ? arguments[4] : "") ?? 5
    var options = AuditLog.Options()
    options.isPublished = arguments.last != "unpublished"
    let log = try AuditLog.open(directory: arguments[2], options: options)
    func cpu() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
    let (first, cpuBefore, start) = (log.nextIndex, cpu(), ContinuousClock.now)
    let end = start.advanced(by: .seconds(seconds))
    try await withThrowingTaskGroup { group in
        for task in 0..<tasks {
            group.addTask {
                let sample = record("01J8ZK2N3W5Y7Q9R1T3V5X7Z9B-\(task)")
                while .now < end { _ = try await log.append(sample) }
            }
        }
        try await group.waitForAll()
    }
    let (count, elapsed) = (Double(log.nextIndex - first), start.duration(to: .now) / .seconds(1))
    var bytes: [UInt8] = []
    record("01J8ZK2N3W5Y7Q9R1T3V5X7Z9B-0").appendCanonicalJSON(to: &bytes)
    print(
        "\(tasks) tasks, records of \(bytes.count) bytes: \(Int(count / elapsed)) records/s, "
            + "\(String(format: "%.2f", (cpu() - cpuBefore) / count * 1e6)) µs CPU each")
    log.close()
    // With the time that it takes until a checkpoint covers the last of them.
    let sustained = Int(count / (start.duration(to: .now) / .seconds(1)))
    print("sustained \(sustained) records/s; the checkpoint covers \(log.publication.size) of \(log.nextIndex)")
case "encode":
    let sample = record("01J8ZK2N3W5Y7Q9R1T3V5X7Z9B-0")
    var bytes: [UInt8] = []
    let start = ContinuousClock.now
    for _ in 0..<1_000_000 {
        bytes.removeAll(keepingCapacity: true)
        sample.appendCanonicalJSON(to: &bytes)
    }
    print("encode: \(start.duration(to: .now) / .microseconds(1) / 1e6) µs each")
case "hash":
    let leaf = [UInt8](repeating: 7, count: 515)
    var hash = MerkleHash.leaf(leaf)
    func measure(_ what: String, _ body: () -> Void) {
        let start = clock()
        for _ in 0..<1_000_000 { body() }
        print("\(what): \(Double(clock() - start) / Double(CLOCKS_PER_SEC)) µs each")
    }
    measure("leaf") { hash = .leaf(leaf) }
    measure("node") { hash = .node(hash, hash) }
default:
    exit(64)
}
