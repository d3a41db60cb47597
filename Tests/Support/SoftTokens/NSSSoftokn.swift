// The other PKCS#11 implementation that everything is tried on.

import Foundation
import Testing

/// NSS softokn.
public enum NSSSoftokn {
    /// Where Debian and its relatives put the library.
    public static var library: String {
        get throws {
            let candidates = [
                "/usr/lib/x86_64-linux-gnu/libsoftokn3.so", "/usr/lib/x86_64-linux-gnu/nss/libsoftokn3.so",
                "/usr/lib/aarch64-linux-gnu/libsoftokn3.so", "/usr/lib64/libsoftokn3.so",
            ]
            return try #require(
                candidates.first { FileManager.default.fileExists(atPath: $0) },
                "NSS is not installed; `make test` does that")
        }
    }
}
