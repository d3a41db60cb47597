// How a call ends: the code, message and details that go into its trailers.

/// The outcome of a call that failed (gRPC over HTTP/2, "Responses").
public struct RPCStatus: Error, Sendable, Equatable {
    /// The number, as in `google.rpc.Code`: 0 is OK, 16 is UNAUTHENTICATED.
    public var code: Int
    /// What happened and what to do about it, for a person. It goes to the caller; it must hold no secret.
    public var message: String
    /// A serialised `google.rpc.Status` for `grpc-status-details-bin`; empty for none. Dropped when over 4 KiB.
    public var details: [UInt8]
    /// Further trailers, as `("retry-pushback-ms", "100")`. Names are lower case; a `-bin` name needs a base64 value.
    public var trailers: [Trailer]

    /// One trailer of a failed call.
    public struct Trailer: Sendable, Equatable {
        /// The name, in lower case.
        public var name: String
        /// The value: printable ASCII.
        public var value: String

        /// Makes a trailer.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Makes a status.
    public init(code: Int, message: String, details: [UInt8] = [], trailers: [Trailer] = []) {
        self.code = code
        self.message = message
        self.details = details
        self.trailers = trailers
    }
}

/// The numbers this layer answers with by itself (`google.rpc.Code`).
enum RPCCode {
    static let ok = 0
    static let cancelled = 1
    static let invalidArgument = 3
    static let deadlineExceeded = 4
    static let resourceExhausted = 8
    static let unimplemented = 12
    static let `internal` = 13
    static let unavailable = 14
}

extension RPCStatus {
    static let callCancelled = RPCStatus(code: RPCCode.cancelled, message: "The call was cancelled.")
    static let deadlineExceeded = RPCStatus(
        code: RPCCode.deadlineExceeded, message: "The deadline passed before the call was done.")
    static let streamEnded = RPCStatus(
        code: RPCCode.internal, message: "The handler used the call's streams after it had ended.")
}
