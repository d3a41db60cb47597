// The request's half of a call: what its bytes mean, as a state machine without any input or output of its own.

/// Turns the bytes of a request into messages, and holds the peer to the rules.
struct RequestState {
    /// What the caller of the state machine has to do.
    enum Action: Equatable {
        case none
        /// All of a unary request is there.
        case call([UInt8])
        /// Answer with this and ignore what else comes.
        case reject(Rejection)
    }

    private enum Phase {
        case open, closed, rejected
    }

    let isUnary: Bool
    private let isCompressed: Bool
    private var deframer: MessageDeframer
    private var phase = Phase.open
    /// The one message of a unary call.
    private var only: [UInt8]?
    /// Complete messages of a streaming call that nobody has taken.
    private var messages = ArraySlice<[UInt8]>()

    init(isUnary: Bool, isCompressed: Bool, limit: Int) {
        self.isUnary = isUnary
        self.isCompressed = isCompressed
        deframer = MessageDeframer(limit: limit)
    }

    /// Whether messages wait to be taken.
    var hasMessages: Bool { !messages.isEmpty }
    /// Whether the caller will send no more.
    var isClosed: Bool { phase != .open }

    /// How many bytes of a message that is not complete are held.
    var partialBytes: Int { deframer.partialBytes }

    /// Takes a message of a streaming call.
    mutating func takeMessage() -> [UInt8]? { messages.popFirst() }

    /// The peer sent bytes.
    mutating func receive(_ bytes: Span<UInt8>) -> Action {
        guard phase == .open else { return .none }
        var rest = bytes
        do throws(MessageDeframer.Failure) {
            while let message = try deframer.next(&rest) {
                if !isUnary {
                    messages.append(message)
                } else if only == nil {
                    only = message
                } else {
                    return reject(Self.tooManyMessages)
                }
            }
        } catch {
            return reject(rejection(for: error))
        }
        return .none
    }

    /// The peer is done sending.
    mutating func end() -> Action {
        guard phase == .open else { return .none }
        if deframer.isInsideMessage {
            return reject(
                Rejection(code: RPCCode.internal, "The request ended in the middle of a message."))
        }
        phase = .closed
        guard isUnary else { return .none }
        guard let message = only.take() else {
            return reject(Rejection(code: RPCCode.unimplemented, "The method takes one message; the request had none."))
        }
        return .call(message)
    }

    /// The call is over: forget what is held.
    mutating func discard() {
        phase = .rejected
        only = nil
        messages = []
        deframer = MessageDeframer(limit: 0)
    }

    private mutating func reject(_ rejection: Rejection) -> Action {
        discard()
        return .reject(rejection)
    }

    /// What gRPC calls a request cardinality violation is UNIMPLEMENTED (grpc/doc/statuscodes.md).
    private static let tooManyMessages = Rejection(
        code: RPCCode.unimplemented, "The method takes one message; the request had more.")

    private func rejection(for failure: MessageDeframer.Failure) -> Rejection {
        switch failure {
        case .compressed where isCompressed:
            var rejection = Rejection(
                code: RPCCode.unimplemented, "Compressed messages are not supported; send them uncompressed.")
            rejection.status.trailers = [RPCStatus.Trailer(name: "grpc-accept-encoding", value: "identity")]
            return rejection
        case .compressed:
            // grpc/doc/compression.md, test case 3: an error of the peer's framing, not a missing ability.
            return Rejection(
                code: RPCCode.internal, "A message is marked compressed but grpc-encoding names no algorithm.")
        case .unknownFlag(let flag):
            return Rejection(code: RPCCode.internal, "A message begins with the flag \(flag); it must be 0 or 1.")
        case .tooLarge(let length):
            return Rejection(
                code: RPCCode.resourceExhausted,
                "A message of \(length) bytes is larger than the limit of \(deframer.limit) bytes.")
        }
    }
}
