// Where keys, salts and nonces come from. Injected, so that test vectors can be made.

import Glibc
public import PosternProtocol

/// A source of random bytes fit for keys.
public struct RandomSource: Sendable {
    private let fill: @Sendable (UnsafeMutableRawBufferPointer) throws(SecretError) -> Void

    /// Makes a source.
    /// - Parameter fill: overwrites all of a buffer with random bytes, or throws.
    public init(fill: @escaping @Sendable (UnsafeMutableRawBufferPointer) throws(SecretError) -> Void) {
        self.fill = fill
    }

    /// The kernel's generator.
    public static var system: RandomSource {
        RandomSource { (buffer) throws(SecretError) in
            // getentropy gives at most 256 bytes at a time.
            for start in stride(from: 0, to: buffer.count, by: 256) {
                let count = min(256, buffer.count - start)
                guard let base = buffer.baseAddress, getentropy(base.advanced(by: start), count) == 0 else {
                    throw SecretError(.internalError, "The kernel gave no random bytes (errno \(errno)).")
                }
            }
        }
    }

    /// Random bytes that are not secret, such as salts and nonces.
    func bytes(_ count: Int) throws(SecretError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SecretError) in
            try fill(UnsafeMutableRawBufferPointer(buffer))
        }
        return bytes
    }

    /// Random bytes that are secret.
    func secret(_ count: Int) throws(SecretError) -> SecretBytes {
        try SecretBytes(capacity: count) { (buffer) throws(SecretError) in
            try fill(buffer)
            return count
        }
    }
}
