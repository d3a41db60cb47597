// Reads a request's headers one by one and says whether gRPC can serve it.

/// Why a request was refused before its method was called.
struct Rejection: Equatable {
    /// The HTTP status: 200 wherever a gRPC client should look at the gRPC status.
    var httpStatus = 200
    var status: RPCStatus

    init(httpStatus: Int = 200, code: Int, _ message: String) {
        self.httpStatus = httpStatus
        status = RPCStatus(code: code, message: message)
    }
}

/// The headers of a request, as they come in.
struct RequestHead {
    /// What to do with a header list.
    enum Size {
        case fine
        /// Larger than allowed: nothing more is kept, and the request will be refused.
        case tooLarge
        /// So large that answering is a waste.
        case absurd
    }

    /// The method asked for, if we have it.
    private(set) var method: MethodTable.Entry?
    /// What else the request said.
    private(set) var metadata = RPCMetadata()
    /// The time the caller gives the call.
    private(set) var timeout: Duration?
    /// Whether `grpc-encoding` names anything but `identity`.
    private(set) var isCompressed = false

    private var size = 0
    private var isTooLarge = false
    private var isPOST = false
    private var isGRPC = false
    private var hasMalformedTimeout = false
    private var unknownPath: [UInt8] = []

    /// Takes one header. Names are in lower case; HTTP/2 allows no other.
    /// - Parameters:
    ///   - limit: the largest header list, in bytes (RFC 9113 §6.5.2).
    ///   - methods: where to look up the path.
    mutating func add(
        name: Span<UInt8>, value: Span<UInt8>, limit: Int, methods: MethodTable
    ) -> Size {
        size += name.count + value.count + 32
        if size > limit {
            isTooLarge = true
            return size > 4 * limit ? .absurd : .tooLarge
        }
        switch name.count {
        case 2 where name.matches("te"): break
        case 5 where name.matches(":path"):
            method = methods.find(value)
            if method == nil { unknownPath.append(value.extracting(first: 200)) }
        case 7 where name.matches(":method"): isPOST = value.matches("POST")
        case 7 where name.matches(":scheme"): break
        case 10 where name.matches(":authority"): break
        case 12 where name.matches("content-type"): isGRPC = Self.isGRPC(value)
        case 12 where name.matches("grpc-timeout"):
            timeout = unsafe value.withUnsafeBufferPointer { unsafe GRPCTimeout.parse($0) }
            hasMalformedTimeout = timeout == nil
        case 13 where name.matches("grpc-encoding"): isCompressed = !value.matches("identity")
        default: metadata.append(name: name, value: value)
        }
        return .fine
    }

    /// Says what is wrong with the request, when all headers are there.
    func rejection(limit: Int) -> Rejection? {
        if isTooLarge {
            return Rejection(
                code: RPCCode.resourceExhausted, "The request's headers are larger than the limit of \(limit) bytes.")
        }
        guard isPOST else {
            return Rejection(httpStatus: 405, code: RPCCode.internal, "A gRPC request uses the method POST.")
        }
        guard isGRPC else {
            return Rejection(
                httpStatus: 415, code: RPCCode.invalidArgument,
                "The content type must be application/grpc or application/grpc+proto.")
        }
        guard !hasMalformedTimeout else {
            return Rejection(
                code: RPCCode.invalidArgument,
                "The grpc-timeout is malformed: it is 1 to 8 digits and one of H, M, S, m, u, n.")
        }
        guard method != nil else {
            return Rejection(
                code: RPCCode.unimplemented,
                "There is no method \(String(decoding: unknownPath, as: UTF8.self)) on this server.")
        }
        return nil
    }

    /// `application/grpc`, with an optional `+proto` and optional parameters.
    private static func isGRPC(_ value: Span<UInt8>) -> Bool {
        let base: StaticString = "application/grpc"
        guard value.extracting(first: base.utf8CodeUnitCount).matches(base) else { return false }
        var rest = value.extracting(droppingFirst: base.utf8CodeUnitCount)
        if rest.extracting(first: 6).matches("+proto") { rest = rest.extracting(droppingFirst: 6) }
        return rest.isEmpty || rest[0] == UInt8(ascii: ";") || rest[0] == UInt8(ascii: " ")
    }
}
