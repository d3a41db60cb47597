// A file of lines, for agents that follow files. Appended to and synced for each batch; a file that was renamed or
// removed is left to whoever did that, and a new one begun.

import Glibc
import NIOCore
import PosternProtocol
import Synchronization

final class FileSink: Sink {
    private let path: String
    private let form: RecordForm
    private let thread: BlockingThread
    private let file = Mutex<Int32?>(nil)

    init(path: String, form: RecordForm, thread: BlockingThread) {
        self.path = path
        self.form = form
        self.thread = thread
    }

    let settling: Duration = .zero
    let isBroken = false

    func deliver(_ records: [DeliveredRecord], deadline: Deadline) async throws(SinkFailure) {
        let result = await thread.run("\(path) to be written", deadline: deadline) { [self] in
            do throws(SinkFailure) {
                var bytes = ByteBuffer()
                for record in records {
                    form.format.append(record, from: form.product, to: &bytes)
                    bytes.writeStaticString("\n")
                }
                try write(bytes)
                return Result<Void, SinkFailure>.success(())
            } catch {
                return .failure(error)
            }
        }
        try result.flatMap { $0 }.get()
    }

    func reset() {}

    func close() async -> Bool {
        // On the thread, so that it is not closed under a write that hangs.
        _ = await thread.run("\(path) to be closed", deadline: .after(.seconds(1))) { [self] in forget() }
        return true
    }

    private func write(_ bytes: ByteBuffer) throws(SinkFailure) {
        let descriptor = try opened()
        var before = stat()
        guard fstat(descriptor, &before) == 0 else { throw failure("stat") }
        var rest = bytes.readableBytesView[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let failure = failure("write")
                // No half line stays, so that the next try continues where this one began.
                if ftruncate(descriptor, before.st_size) != 0 { forget() }
                throw failure
            }
            rest = rest.dropFirst(count)
        }
        guard fdatasync(descriptor) == 0 || errno == EINVAL else {
            // The kernel may count pages as clean that never reached the disk: only writing them again helps.
            let failure = failure("sync")
            if ftruncate(descriptor, before.st_size) != 0 { forget() }
            throw failure
        }
    }

    /// The file, opened anew if the path leads to another one by now.
    private func opened() throws(SinkFailure) -> Int32 {
        if let known = file.withLock({ $0 }) {
            var (ours, there) = (stat(), stat())
            if fstat(known, &ours) == 0, stat(path, &there) == 0, ours.st_ino == there.st_ino,
                ours.st_dev == there.st_dev
            {
                return known
            }
            forget()
        }
        // Without O_NONBLOCK, opening a pipe of this name would wait for a reader.
        let new = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard new >= 0 else { throw failure("open") }
        file.withLock { $0 = new }
        try cutTornLine(new)
        return new
    }

    /// Removes a last line that a crash left unfinished; its record comes again.
    private func cutTornLine(_ descriptor: Int32) throws(SinkFailure) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("stat") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            forget()
            throw SinkFailure(message: "\(path) is not a file")
        }
        var end = Int(status.st_size)
        var window = [UInt8](repeating: 0, count: 64 << 10)
        while end > 0 {
            let start = max(0, end - window.count)
            let count = window.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, end - start, off_t(start)) }
            guard count == end - start else { throw failure("read") }
            if let newline = window[..<count].lastIndex(of: UInt8(ascii: "\n")) {
                end = start + newline + 1
                break
            }
            end = start
        }
        guard end < Int(status.st_size) else { return }
        guard ftruncate(descriptor, off_t(end)) == 0 else { throw failure("truncate") }
    }

    /// Closes the file; the next batch opens it anew.
    private func forget() {
        file.withLock { file in
            if let file { _ = Glibc.close(file) }
            file = nil
        }
    }

    private func failure(_ call: String) -> SinkFailure {
        let reason = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
        return SinkFailure(message: "\(path): \(call): \(reason)")
    }
}
