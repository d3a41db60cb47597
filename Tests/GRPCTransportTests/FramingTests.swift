// Messages on the wire, in and out, and what a request's bytes lead to.

import Testing

@testable import PosternGRPCTransport

private func frame(_ message: [UInt8], flag: UInt8 = 0) -> [UInt8] {
    [flag] + (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - 8 * $0)) } + message
}

private func receive(_ bytes: [UInt8], _ state: inout RequestState) -> RequestState.Action {
    state.receive(bytes.span)
}

struct `The deframer` {
    @Test(arguments: 1...20)
    func `gives the same messages however the bytes are cut`(size: Int) throws {
        let messages: [[UInt8]] = [[1, 2, 3], [], Array(0..<100), [9]]
        let wire = messages.flatMap { frame($0) }
        var deframer = MessageDeframer(limit: 100)
        var got: [[UInt8]] = []
        for start in stride(from: 0, to: wire.count, by: size) {
            let piece = Array(wire[start..<min(start + size, wire.count)])
            var rest = piece.span
            while let message = try deframer.next(&rest) { got.append(message) }
            let isUsedUp = rest.isEmpty
            #expect(isUsedUp)
        }
        #expect(got == messages)
        #expect(!deframer.isInsideMessage)
    }

    @Test(arguments: [
        (frame([1], flag: 1), MessageDeframer.Failure.compressed), (frame([1], flag: 2), .unknownFlag(2)),
        ([0, 0, 0, 0, 11], .tooLarge(11)), ([0, 255, 255, 255, 255], .tooLarge(4_294_967_295)),
    ])
    func `refuses a message by its prefix`(bytes: [UInt8], failure: MessageDeframer.Failure) {
        var deframer = MessageDeframer(limit: 10)
        #expect(throws: failure) {
            var rest = bytes.span
            return try deframer.next(&rest)
        }
    }
}

struct `The response queue` {
    @Test(arguments: 1...20)
    func `gives the same bytes however it is read`(size: Int) {
        let messages: [[UInt8]] = [[1, 2, 3], [], Array(0..<50), [9]]
        var queue = ResponseQueue()
        for message in messages { queue.append(message) }
        #expect(queue.count == messages.flatMap { frame($0) }.count)
        var got: [UInt8] = []
        while !queue.isEmpty {
            let piece = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                count = queue.read(into: UnsafeMutableBufferPointer(rebasing: buffer[..<size]))
            }
            #expect(!piece.isEmpty)
            got += piece
        }
        #expect(got == messages.flatMap { frame($0) })
    }

    @Test func `is empty once discarded`() {
        var queue = ResponseQueue()
        queue.append([1])
        queue.append([2])
        queue.discard()
        #expect(queue.isEmpty && queue.isFinished)
    }
}

struct `A unary request` {
    private func outcome(_ bytes: [UInt8], isCompressed: Bool = false) -> RequestState.Action {
        var state = RequestState(isUnary: true, isCompressed: isCompressed, limit: 100)
        let action = receive(bytes, &state)
        return action == .none ? state.end() : action
    }

    @Test func `is one message`() {
        #expect(outcome(frame([1, 2])) == .call([1, 2]))
        #expect(outcome(frame([])) == .call([]))
    }

    @Test(
        arguments: [
            ([], 12), (frame([1]) + frame([2]), 12), (frame([1]).dropLast(), 13), (frame([1]) + [0], 13), ([0, 0], 13),
            (frame([1], flag: 1), 13), (frame([1], flag: 7), 13), ([0, 0, 0, 0, 101], 8),
        ] as [([UInt8], Int)])
    func `is refused with the code the specification gives`(bytes: [UInt8], code: Int) {
        guard case .reject(let rejection) = outcome(bytes) else {
            Issue.record("accepted")
            return
        }
        #expect(rejection.status.code == code)
        #expect(rejection.httpStatus == 200)
    }

    @Test func `that is compressed names the encodings we take`() {
        guard case .reject(let rejection) = outcome(frame([1], flag: 1), isCompressed: true) else {
            Issue.record("accepted")
            return
        }
        #expect(rejection.status.code == 12)
        #expect(rejection.status.trailers == [.init(name: "grpc-accept-encoding", value: "identity")])
    }

    @Test func `is deaf once refused`() {
        var state = RequestState(isUnary: true, isCompressed: false, limit: 100)
        #expect(receive(frame([1], flag: 9), &state) != .none)
        #expect(receive(frame([1]), &state) == .none)
        #expect(state.end() == .none)
    }
}

struct `A streaming request` {
    @Test func `gives its messages in order, then ends`() {
        var state = RequestState(isUnary: false, isCompressed: false, limit: 100)
        #expect(receive(frame([1]) + frame([2]), &state) == .none)
        #expect(state.takeMessage() == [1])
        #expect(state.hasMessages && !state.isClosed)
        #expect(state.end() == .none)
        #expect(state.isClosed)
        #expect(state.takeMessage() == [2])
        #expect(state.takeMessage() == nil)
    }

    @Test func `that ends in the middle of a message is refused`() {
        var state = RequestState(isUnary: false, isCompressed: false, limit: 100)
        #expect(receive([0, 0, 0, 0, 5, 1], &state) == .none)
        guard case .reject = state.end() else {
            Issue.record("accepted")
            return
        }
    }
}
