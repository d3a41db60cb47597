// The response's half of a call: messages waiting to go into DATA frames as flow control lets them.

import Glibc

/// Response messages, in order, with the prefix each gets on the wire.
struct ResponseQueue {
    /// The message being sent. Most calls have one only, so the others are kept apart.
    private var first: [UInt8]?
    private var others = ArraySlice<[UInt8]>()
    /// How many bytes of the first message have been sent, its prefix included.
    private var offset = 0
    /// How many bytes wait, prefixes included.
    private(set) var count = 0
    /// Whether no more messages will be added.
    var isFinished = false

    var isEmpty: Bool { count == 0 }

    /// Adds a message.
    mutating func append(_ message: consuming [UInt8]) {
        count += MessageDeframer.prefixLength + message.count
        if first == nil { first = message } else { others.append(message) }
    }

    /// Copies bytes out, wiping each message once it is gone.
    /// - Returns: how many bytes were copied.
    mutating func read(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var written = 0
        while let length = first?.count {
            let total = MessageDeframer.prefixLength + length
            while offset < MessageDeframer.prefixLength && written < buffer.count {
                unsafe buffer[written] = messagePrefixByte(offset, length: length)
                written += 1
                offset += 1
            }
            let copied = min(total - offset, buffer.count - written)
            if copied > 0, let target = buffer.baseAddress {
                unsafe first?.withUnsafeBufferPointer { source in
                    if let source = source.baseAddress {
                        unsafe memcpy(target + written, source + offset - MessageDeframer.prefixLength, copied)
                    }
                }
                written += copied
                offset += copied
            }
            guard offset == total else { break }
            dropFirst()
        }
        count -= written
        return written
    }

    /// Forgets and wipes everything.
    mutating func discard() {
        while first != nil { dropFirst() }
        count = 0
        isFinished = true
    }

    /// Secrets must not stay in freed memory. If someone else still holds the array this wipes a copy: best effort.
    private mutating func dropFirst() {
        unsafe first?.withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { unsafe explicit_bzero(start, bytes.count) }
        }
        first = others.popFirst()
        offset = 0
    }
}
