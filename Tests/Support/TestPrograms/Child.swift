// A child process by posix_spawn. Foundation's own runs a run loop and a select loop for each, and was seen to crash where
// descriptors come and go by the thousand.

import CSpawn
public import Foundation
import Synchronization

/// A running program.
public final class Child: Sendable {
    /// How it ended.
    public struct Ending: Sendable {
        /// Its exit code, or the signal that ended it.
        public let code: Int32
        /// Whether a signal ended it.
        public let wasSignalled: Bool
    }

    private struct State {
        var ending: Ending?
        var waiting: [CheckedContinuation<Ending, Never>] = []
    }

    /// Its process id.
    public let pid: Int32
    private let state = Mutex(State())

    /// Starts a program.
    /// - Parameters:
    ///   - program: a path, or a name to look up in PATH.
    ///   - environment: all of its environment.
    ///   - directory: where it works; here if nil.
    ///   - descriptors: what it gets as standard input, output and error; nothing else is passed on.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String], directory: URL?,
        descriptors: [Int32]
    ) throws {
        let words = ([program] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var pid: Int32 = 0
        let result = c_spawn(&pid, program, words, variables, directory?.path, descriptors)
        guard result == 0 else {
            throw HarnessError(description: "\(program) cannot be started: \(String(cString: strerror(result)))")
        }
        self.pid = pid
        Thread { [self] in reap() }.start()
    }

    /// Whether it runs.
    public var isRunning: Bool { state.withLock { $0.ending == nil } }

    /// How it ended, if it has.
    public var ending: Ending? { state.withLock { $0.ending } }

    /// Waits for its end.
    public func wait() async -> Ending {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Ending? in
                if state.ending == nil { state.waiting.append(continuation) }
                return state.ending
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// Sends a signal, if it still runs.
    public func signal(_ number: Int32) {
        // Until it is reaped its number cannot be another process's.
        state.withLock { if $0.ending == nil { _ = kill(pid, number) } }
    }

    private func reap() {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7F
        let ending = Ending(code: signal == 0 ? (status >> 8) & 0xFF : signal, wasSignalled: signal != 0)
        let waiting = state.withLock { state in
            state.ending = ending
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: ending) }
    }
}
