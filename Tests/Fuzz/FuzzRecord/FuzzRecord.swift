// Any bytes as an audit segment: the scan finds whole batches, a torn tail or damage, and never traps. Any text in a
// record: it is written as one line of JSON that a parser reads back.

import Foundation
import PosternAudit
import PosternProtocol

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    if let scan = try? SegmentScan(bytes) {
        precondition(scan.end <= bytes.count && scan.tornBytes >= 0)
    }
    let text = String(decoding: bytes, as: UTF8.self)
    var record = AuditRecord(
        time: Timestamp(microseconds: Int64(count)), requestID: text,
        actor: AuditRecord.Actor(principal: text, authentication: "mtls"), action: "secret.read", decision: .deny,
        phase: .outcome)
    record.reason = text
    record.detail = [text: text]
    record.fields = [text]
    var json: [UInt8] = []
    record.appendCanonicalJSON(to: &json)
    precondition(!json.contains(UInt8(ascii: "\n")), "a record is one line")
    let object = try? JSONSerialization.jsonObject(with: Data(json)) as? [String: Any]
    precondition(object?["reason"] as? String == text, "what was written is read back")
    return 0
}
