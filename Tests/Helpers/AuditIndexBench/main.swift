// How fast the query index takes in a log, and how fast it finds in it.
//
//     audit-index-bench FOLDER [RECORDS]     with 10,000,000 records of a month, by 1,000 principals
//
// It writes a log in FOLDER, indexes it, then asks 400 times for a page of 100 records of one principal and one day, and reads
// each from the log. It prints: records, records/s written, records/s indexed, the index's bytes per record, and a page's p50
// and p95 in ms.

import Foundation
import PosternAudit
import PosternAuditIndex
import PosternProtocol

let arguments = Array(CommandLine.arguments.dropFirst())
let folder = arguments.first ?? "audit-index-bench"
let count = arguments.count > 1 ? Int(arguments[1]) ?? 0 : 10_000_000
let principals = 1_000
let days = 30
let start: Int64 = 1_795_507_200_000_000
let day: Int64 = 86_400_000_000

/// A record as a gateway makes it; the same number makes the same one.
func record(_ number: Int) -> AuditRecord {
    // Spread by a multiplier without a common factor, so that neighbours differ.
    let who = number &* 7_919 % principals
    return AuditRecord(
        time: Timestamp(microseconds: start + Int64(number) * (day * Int64(days)) / Int64(count)),
        requestID: "00000000-0000-0000-0000-\(number)",
        actor: AuditRecord.Actor(
            principal: "service-\(who)", authentication: "mtls", credential: String(repeating: "ab", count: 32),
            address: "10.0.\(who / 256).\(who % 256)"),
        action: number % 50 == 0 ? "secret.write" : "secret.read",
        path: "team-\(who % 100)/service-\(who)/secret-\(number % 10)", version: 3, fields: ["value"],
        decision: number % 200 == 0 ? .deny : .allow, rule: "rule-\(who % 100)",
        outcome: number % 200 == 0 ? "permission_denied" : "ok", servedFrom: "cache", ageMilliseconds: 12)
}

func seconds(_ work: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await work()
    return start.duration(to: .now) / .seconds(1)
}

let log = try AuditLog.open(directory: folder + "/audit", options: AuditLog.Options())
let written = try await seconds {
    for first in stride(from: 0, to: count, by: 2_000) {
        _ = try await log.append(contentsOf: (first..<min(first + 2_000, count)).map(record))
    }
}
while log.publication.size < log.nextIndex { try await Task.sleep(for: .milliseconds(50)) }
log.close()

let index = try AuditIndex(directory: folder + "/audit")
let indexed = try await seconds { try index.catchUp() }
var times: [Double] = []
for number in 0..<400 {
    var query = AuditQuery()
    query.who = "service-\(number &* 37 % principals)"
    let today = start + Int64(number % days) * day
    (query.from, query.to) = (Timestamp(microseconds: today), Timestamp(microseconds: today + day))
    var found = 0
    times.append(try await seconds { found = try index.records(query).records.count } * 1_000)
    // A page that is not full would be no measurement.
    precondition(found == min(100, count / principals / days), "\(found) records were found")
}
times.sort()
try index.close()
let file = try FileManager.default.attributesOfItem(atPath: folder + "/audit/" + AuditIndex.fileName)
let bytes = (file[.size] as? Int).map { Double($0) / Double(count) } ?? 0
print("records    written/s  indexed/s  index bytes  p50 ms  p95 ms")
print(
    String(
        format: "%-10d %-10.0f %-10.0f %-12.1f %-7.2f %.2f", count, Double(count) / written, Double(count) / indexed,
        bytes, times[times.count / 2], times[times.count * 95 / 100]))
