// Lines for people and logs. A line that cannot be written is dropped: a full disk or a reader that died must not stop
// the gateway.

import Glibc

/// Standard error.
enum StandardError {
    /// Writes a line, whole if the system lets it.
    static func write(_ line: String) {
        Array((line + "\n").utf8).withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let count = Glibc.write(STDERR_FILENO, rest.baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                // There is nowhere left to say that nothing can be said.
                guard count > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }
}
