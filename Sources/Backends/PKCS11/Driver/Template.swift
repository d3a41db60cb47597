// Attributes of objects, to look for or to make.

import CP11Kit
import Glibc
import PosternProtocol

/// A list of attributes.
struct Template: Sendable {
    enum Value: Sendable {
        case flag(Bool)
        case number(UInt)
        case bytes([UInt8])
        case secret(SecretBytes)

        var count: Int {
            switch self {
            case .flag: 1
            case .number: MemoryLayout<UInt>.size
            case .bytes(let bytes): bytes.count
            case .secret(let secret): secret.count
            }
        }

        func write(to place: UnsafeMutableRawBufferPointer) {
            switch self {
            case .flag(let flag): unsafe place.copyBytes(from: CollectionOfOne(UInt8(flag ? CK_TRUE : CK_FALSE)))
            case .number(let number): unsafe place.storeBytes(of: number, as: UInt.self)
            case .bytes(let bytes): unsafe place.copyBytes(from: bytes)
            case .secret(let secret): unsafe secret.withUnsafeBytes { unsafe place.copyMemory(from: $0) }
            }
        }
    }

    var attributes: [(type: UInt, value: Value)]

    init(_ attributes: [(UInt, Value)]) {
        self.attributes = attributes.map { (type: $0.0, value: $0.1) }
    }

    /// Lends the list as C wants it. The memory is wiped afterwards, since it may hold a key.
    func withAttributes<R, E: Error>(
        _ body: (UnsafeMutablePointer<CK_ATTRIBUTE>, UInt) throws(E) -> R
    ) throws(E) -> R {
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: attributes.reduce(8) { $0 + Self.padded($1.value.count) }, alignment: 8)
        let list = UnsafeMutablePointer<CK_ATTRIBUTE>.allocate(capacity: attributes.count + 1)
        defer {
            if let base = memory.baseAddress { unsafe explicit_bzero(base, memory.count) }
            unsafe memory.deallocate()
            unsafe list.deallocate()
        }
        var offset = 0
        for (index, (type, value)) in attributes.enumerated() {
            unsafe value.write(to: UnsafeMutableRawBufferPointer(rebasing: memory[offset..<(offset + value.count)]))
            unsafe (list + index).initialize(
                to: CK_ATTRIBUTE(
                    type: type, pValue: memory.baseAddress?.advanced(by: offset),
                    ulValueLen: UInt(value.count)))
            offset += Self.padded(value.count)
        }
        return try unsafe body(list, UInt(attributes.count))
    }

    private static func padded(_ count: Int) -> Int { (count + 7) & ~7 }
}
