// The record as it lies in the log, and where.

import NIOCore
import PosternCoding
import TransparencyLog

/// `{"index":…,"leaf_hash":…,"origin":…,"record":{…}}`, canonical (RFC 8785) as the record in it is. The leaf hash is in
/// base64, as tlog-proof and checkpoints have hashes.
enum NativeFormat {
    static func append(_ record: DeliveredRecord, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"index\":")
        buffer.writeString(String(record.index))
        buffer.writeStaticString(",\"leaf_hash\":")
        JSONStrings.append(record.leafHash.base64.utf8, to: &buffer)
        buffer.writeStaticString(",\"origin\":")
        JSONStrings.append(record.origin.utf8, to: &buffer)
        buffer.writeStaticString(",\"record\":")
        buffer.writeBytes(record.json)
        buffer.writeStaticString("}")
    }
}
