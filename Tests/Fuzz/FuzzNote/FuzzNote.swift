// Any bytes as a transparency log's files: they parse to something that is written as it was read, or are refused.

import TransparencyLog

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let text = String(decoding: bytes, as: UTF8.self)
    if let note = try? SignedNote(parsing: bytes) {
        precondition(note.bytes == bytes)
        if let checkpoint = try? Checkpoint(text: note.text) { precondition(checkpoint.text == note.text) }
    }
    if let receipt = try? Receipt(parsing: bytes) { precondition(receipt.bytes == bytes) }
    if let key = try? VerifierKey(text) { precondition(key.description == text) }
    if let tile = try? Tile(path: text) { precondition(tile.path == text) }
    if let first = bytes.first, let places = try? EntryBundle.entries(in: bytes, width: Int(first)) {
        var again: [UInt8] = []
        for place in places { EntryBundle.append(bytes[place], to: &again) }
        precondition(bytes.starts(with: again))
    }
    return 0
}
