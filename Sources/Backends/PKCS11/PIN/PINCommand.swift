// A PIN from a program: run without a shell, with a deadline, and nothing of what it prints kept but the PIN.

import CP11Kit
import Glibc
import PosternProtocol

/// A program that prints a PIN.
struct PINCommand {
    private static let maximumBytes = 1_024
    /// Its path and arguments.
    let arguments: [String]

    /// Runs it and reads what it prints. Blocks. Its standard input is empty, and it inherits nothing else but the
    /// environment and standard error.
    /// - Throws: `key_unavailable` if it cannot be run, fails, prints nothing or too much; `deadline_exceeded`, after
    ///   it was killed.
    func read(deadline: Deadline) throws(SecretError) -> SecretBytes {
        let (output, child) = try start()
        defer { close(output) }
        let pin: SecretBytes
        let status: Int32
        do throws(SecretError) {
            pin = try collect(output, until: deadline)
            status = try wait(for: child, until: deadline)
        } catch {
            // Its whole process group; gone already is as good.
            kill(-child, SIGKILL)
            var status: Int32 = 0
            while unsafe waitpid(child, &status, 0) < 0 && errno == EINTR {}
            throw error
        }
        guard status == 0 else { throw refused("it ended with status \(status)") }
        return try PINText.trimmed(pin) { refused($0) }
    }

    private func start() throws(SecretError) -> (output: Int32, child: pid_t) {
        guard let program = arguments.first else { throw refused("there is none") }
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw refused(PINFile.reason(errno)) }
        defer { close(ends[1]) }
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        // Descriptors that other code opened without O_CLOEXEC are none of its business.
        unsafe posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        unsafe posix_spawnattr_setpgroup(&attributes, 0)

        var words = unsafe arguments.map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        var child: pid_t = 0
        let failure = unsafe posix_spawn(&child, program, &actions, &attributes, words, environ)
        guard failure == 0 else {
            close(ends[0])
            throw refused("it cannot be run: \(PINFile.reason(failure))")
        }
        return (ends[0], child)
    }

    /// Reads until the program closes its output.
    private func collect(_ output: Int32, until deadline: Deadline) throws(SecretError) -> SecretBytes {
        try unsafe SecretBytes(capacity: Self.maximumBytes + 1) { (buffer) throws(SecretError) in
            var done = 0
            while done < buffer.count {
                var wanted = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&wanted, 1, milliseconds(until: deadline)) > 0 else {
                    guard deadline.hasPassed else { continue }
                    throw late()
                }
                let count = unsafe Glibc.read(output, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                if count == 0 { return done }
                guard count > 0 || errno == EINTR else { throw refused(PINFile.reason(errno)) }
                done += max(count, 0)
            }
            throw refused("it prints more than \(Self.maximumBytes) bytes, so not a PIN")
        }
    }

    /// Waits for the end of the program, which has closed its output, and as a rule ends with that.
    private func wait(for child: pid_t, until deadline: Deadline) throws(SecretError) -> Int32 {
        var status: Int32 = 0
        var pause: UInt32 = 100
        while true {
            let ended = unsafe waitpid(child, &status, WNOHANG)
            if ended == child { break }
            // Where SIGCHLD is ignored, nobody learns how it ended.
            guard ended == 0 || errno == EINTR else {
                throw refused("how it ended is not known: \(PINFile.reason(errno))")
            }
            guard !deadline.hasPassed else { throw late() }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
        // The wait status of Linux: the signal in the low bits, the exit code above.
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
    }

    private func milliseconds(until deadline: Deadline) -> Int32 {
        Int32(min(max(deadline.remaining / .milliseconds(1), 0), 60_000)) + 1
    }

    private func late() -> SecretError {
        SecretError(.deadlineExceeded, "The command \(arguments[0]) for the PIN did not end in time and was killed.")
    }

    private func refused(_ why: String) -> SecretError {
        SecretError(.keyUnavailable, "The command \(arguments.first ?? "") for the PIN failed: \(why).")
    }
}
