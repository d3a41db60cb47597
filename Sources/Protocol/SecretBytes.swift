// Secrets are not strings: they travel in this type, which redacts itself however it is printed and
// is wiped when the last holder lets go.

import Glibc

/// Secret bytes: immutable, shared by reference rather than copied, wiped when released.
///
/// Printing, interpolating, dumping or reflecting one shows only its length. Comparison takes the same
/// time wherever two values of one length differ. Whether the memory may be swapped is decided for the
/// whole process at start (see `HardenedProcess`), not for each value.
@safe
public final class SecretBytes: Sendable {
    // Written only before `init` returns and in `deinit`; read-only while shared.
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer
    /// How many bytes there are.
    public let count: Int

    /// Makes a value whose bytes `fill` writes.
    /// - Parameters:
    ///   - capacity: the most bytes that `fill` may write.
    ///   - fill: writes into zeroed memory and returns how many bytes it wrote, from the start.
    public init<E: Error>(
        capacity: Int, fill: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(capacity, 1), alignment: 16)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        do {
            let written = try unsafe fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<capacity]))
            precondition(written >= 0 && written <= capacity, "more bytes than there is room for")
            unsafe self.storage = memory
            self.count = written
        } catch {
            unsafe wipe(memory)
            unsafe memory.deallocate()
            throw error
        }
    }

    /// Copies bytes. The source is not wiped: that is for whoever owns it.
    /// - Parameter bytes: the bytes to copy.
    public convenience init(copying bytes: some Collection<UInt8>) {
        unsafe self.init(capacity: bytes.count) { target in
            unsafe target.copyBytes(from: bytes)
            return bytes.count
        }
    }

    /// Copies raw memory.
    /// - Parameter bytes: the memory to copy.
    public convenience init(copying bytes: UnsafeRawBufferPointer) {
        unsafe self.init(capacity: bytes.count) { target in
            unsafe target.copyMemory(from: bytes)
            return bytes.count
        }
    }

    /// Copies a text's UTF-8 bytes.
    /// - Parameter text: the text to copy.
    public convenience init(_ text: String) {
        self.init(copying: text.utf8)
    }

    deinit {
        unsafe wipe(storage)
        unsafe storage.deallocate()
    }

    /// Lends the bytes for the length of a call. Do not let the pointer escape.
    /// - Parameter body: what to do with the bytes.
    /// - Returns: what `body` returns.
    public func withUnsafeBytes<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(rebasing: storage[..<count]))
    }
}

/// Clears memory in a way that the compiler may not remove.
private func wipe(_ memory: UnsafeMutableRawBufferPointer) {
    guard let base = memory.baseAddress else { return }
    unsafe explicit_bzero(base, memory.count)
}

extension SecretBytes {
    /// Whether all bytes are visible ASCII (0x21 to 0x7E), as tokens are that travel in headers.
    public var isVisibleASCII: Bool {
        unsafe withUnsafeBytes { bytes in unsafe bytes.allSatisfy { (0x21...0x7E).contains($0) } }
    }
}

extension SecretBytes: Equatable {
    /// Compares in time that depends on the lengths only.
    public static func == (a: SecretBytes, b: SecretBytes) -> Bool {
        guard a.count == b.count else { return false }
        return unsafe a.withUnsafeBytes { left in
            unsafe b.withUnsafeBytes { right in
                var difference: UInt8 = 0
                for index in 0..<a.count { difference |= unsafe left[index] ^ right[index] }
                return difference == 0
            }
        }
    }
}

extension SecretBytes: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The length, never the bytes.
    public var description: String { "<secret: \(count) bytes>" }
    /// The length, never the bytes.
    public var debugDescription: String { description }
    /// Nothing: `dump` and mirrors see no children.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
