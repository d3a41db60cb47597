// Any bytes as a path or prefix: it parses to something that keeps the grammar, or throws.

import PosternProtocol

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    if let path = try? SecretPath(text) {
        precondition(path.text == text && path.text.utf8.count <= SecretPath.maximumBytes)
        precondition((1...SecretPath.maximumSegments).contains(path.segments.count))
        precondition(path.segments.allSatisfy { $0 != "." && $0 != ".." && !$0.hasPrefix(".postern") })
        precondition(path.text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "visible ASCII only")
        precondition((try? SecretPath.stored(text)) == path)
        precondition((try? PathPrefix(text))?.text == text)
    }
    if let prefix = try? PathPrefix(text), let inside = try? SecretPath(prefix.stem + "x") {
        precondition(prefix.contains(inside))
    }
    return 0
}
