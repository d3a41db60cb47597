// What the layer above supplies: a function for each method, bytes in and bytes out.

public import PosternProtocol

/// What a call's function knows about the call.
public struct RPCContext: Sendable {
    /// The method, as `/package.Service/Method`.
    public let method: String
    /// The connection it came over.
    public let connection: RPCConnection
    /// The request's headers.
    public let metadata: RPCMetadata
    /// When the call will be answered with DEADLINE_EXCEEDED and its task cancelled; nil for never.
    public let deadline: Deadline?

    /// Makes a context, for tests of handlers.
    public init(method: String, connection: RPCConnection, metadata: RPCMetadata, deadline: Deadline?) {
        self.method = method
        self.connection = connection
        self.metadata = metadata
        self.deadline = deadline
    }
}

/// A method of a service.
///
/// The function runs in a task of its own, on the event loop of the call's connection. It must not block.
/// The task is cancelled when the caller gives up, its connection is lost or the deadline passes; the call
/// is then over for the caller, whether the function returns or not.
public enum RPCMethod: Sendable {
    /// One request message, one response message.
    /// The response's bytes are overwritten with zeros once sent, if nothing else holds them.
    case unary(@Sendable (RPCContext, [UInt8]) async throws(RPCStatus) -> [UInt8])
    /// Any number of messages either way. Returning ends the call with OK.
    case streaming(@Sendable (RPCContext, RPCRequestStream, RPCResponseStream) async throws(RPCStatus) -> Void)
}
