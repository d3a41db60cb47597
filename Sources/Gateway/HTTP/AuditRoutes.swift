// Looking at the end of the audit log. Looking is itself recorded.

import Dispatch
import Hummingbird
import PosternAudit
import PosternCore
import PosternProtocol

/// The routes of the audit log.
struct AuditRoutes: Sendable {
    /// The most records in one answer: 16 MiB of them at their longest.
    static let maximumCount = 250

    let gateway: Gateway
    let directory: String

    var routes: [Route] {
        [Route("tailAudit", .get, .fixed("/admin/api/audit/tail"), .keyed(tail))]
    }

    /// Reads the log's end on a thread of its own: it goes over up to a whole segment, which must not hold up others.
    private func last(_ count: Int) async throws(SecretError) -> [AuditLogReader.Entry] {
        let directory = directory
        let result: Result<[AuditLogReader.Entry], SecretError> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                do throws(AuditLogError) {
                    continuation.resume(returning: .success(try AuditLogReader(directory: directory).last(count)))
                } catch {
                    let code: SecretError.Code = error.code == .corrupt ? .integrityFailure : .auditUnavailable
                    continuation.resume(returning: .failure(SecretError(code, error.message)))
                }
            }
        }
        return try result.get()
    }

    private func tail(_ call: AdminCall) async throws -> Response {
        let count = try call.query(["count"]).integer("count") ?? 20
        guard (1...Self.maximumCount).contains(count) else {
            throw SecretError(.invalidArgument, "The query parameter count must be 1 to \(Self.maximumCount).")
        }
        let audited = try await gateway.readAudit(by: call.caller, try call.circumstances()) {
            () async throws(SecretError) -> [AuditLogReader.Entry] in
            try await last(count)
        }
        var json = AnswerJSON()
        json.object { json in
            json.name("records")
            json.array(audited.value) { json, entry in
                json.object { json in
                    json.member("index", entry.index)
                    json.name("record")
                    json.value(json: entry.json)
                }
            }
            call.audit(audited, to: &json)
        }
        return json.response()
    }
}
