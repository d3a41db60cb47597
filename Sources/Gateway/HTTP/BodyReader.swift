// Takes in a request's body: only JSON, only so much, only until the deadline.

import HTTPTypes
import Hummingbird
import NIOCore
import PosternProtocol

enum BodyReader {
    /// Reads the body of a request into memory that is wiped when released.
    ///
    /// The buffers in which NIO and TLS received it are released but not wiped: they are not ours.
    /// - Returns: the body, or nil if there is none.
    /// - Throws: 415 for other types, 413 past the limit, 408 past the deadline.
    static func read(_ request: Request, _ context: AdminContext, atMost limit: Int) async throws -> SecretBytes? {
        guard request.mayHaveBody else { return nil }
        try checkType(request.headers)
        let tooLarge = SecretError(.tooLarge, "The body is larger than \(limit) bytes.")
        let length = request.headers[.contentLength].flatMap { Int($0) }
        guard (length ?? 0) <= limit else { throw tooLarge }

        let chunks = try await withThrowingTaskGroup(of: [ByteBuffer].self) { group in
            group.addTask {
                var chunks: [ByteBuffer] = []
                var total = 0
                for try await chunk in request.body {
                    total += chunk.readableBytes
                    guard total <= limit else { throw tooLarge }
                    chunks.append(chunk)
                }
                // A client that went away looks like the end of the body.
                guard length == nil || length == total else {
                    throw SecretError(.cancelled, "The client went away before it had sent the body.")
                }
                return chunks
            }
            group.addTask {
                try await Task.sleep(until: context.deadline.instant, clock: .continuous)
                throw Problem(
                    SecretError(.deadlineExceeded, "The body did not arrive in time; send it faster."), status: 408)
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
        context.notes.note { $0.bodyIsRead = true }
        let total = chunks.reduce(0) { $0 + $1.readableBytes }
        return SecretBytes(capacity: total) { target in
            var written = 0
            for chunk in chunks {
                chunk.withUnsafeReadableBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: bytes)
                    written += bytes.count
                }
            }
            return written
        }
    }

    private static func checkType(_ headers: HTTPFields) throws(Problem) {
        let parts = (headers[.contentType] ?? "").lowercased().split(separator: ";").map { part in
            String(part.filter { $0 != " " && $0 != "\"" })
        }
        guard parts.first == "application/json", parts.dropFirst().allSatisfy({ $0 == "charset=utf-8" }) else {
            throw .mediaType("The body must be JSON: send it with Content-Type: application/json.")
        }
        guard headers[.contentEncoding] == nil else {
            throw .mediaType("The body must not be compressed.")
        }
    }
}
