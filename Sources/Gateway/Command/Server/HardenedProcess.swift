// What keeps secrets in the process: no core dumps, no swap where that is allowed, no memory in crash reports.

import CProcess
import Foundation
import Glibc
import Logging

/// Hardens this process against leaking its memory.
enum HardenedProcess {
    /// What Swift's crash reporter may print: addresses and images, but no registers and no memory. Symbols can be
    /// looked up later; looking them up in the crash would hold the port and the locks for seconds.
    private static let backtrace =
        "enable=yes,registers=none,sanitize=yes,interactive=no,color=no,threads=crashed,"
        + "symbolicate=off"

    /// This program's file, by its own name: process lists should go on showing it.
    private static var executable: String? {
        do {
            return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        } catch {
            return nil
        }
    }

    /// Starts this program again if its crash reports would print memory: the runtime reads the setting only at start.
    /// Returns only if the setting is in force or cannot be changed.
    static func restartWithSafeBacktraces() {
        guard getenv("SWIFT_BACKTRACE") == nil, let executable = Self.executable else { return }
        setenv("SWIFT_BACKTRACE", backtrace, 1)
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv(executable, arguments)
        // It could not be started again: go on with what the runtime does by itself.
        for argument in arguments { free(argument) }
        unsetenv("SWIFT_BACKTRACE")
    }

    /// Forbids core dumps and locks memory, as far as the system allows; says in the log what it does not.
    static func apply(logger: Logger) {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        if setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none) != 0 || postern_process_make_undumpable() != 0 {
            logger.warning("core dumps could not be forbidden; forbid them for this service by other means")
        }
        let error = postern_process_lock_memory()
        if error != 0 {
            logger.warning(
                "memory is not locked against swap: allow it (LimitMEMLOCK=infinity), or do without swap",
                metadata: ["error": "\(String(cString: strerror(error)))"])
        }
    }
}
