// What one HTTP request carries through the middlewares and routes.

import Hummingbird
import Logging
import NIOCore
import PosternProtocol
import Synchronization

/// What one HTTP request carries through the middlewares and routes.
struct AdminContext: Hummingbird.RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The client's address as IP text, if known.
    let address: String?
    /// The request's id; set by the outermost middleware.
    var requestID = ""
    /// When the request must have been answered; set by the outermost middleware.
    var deadline = Deadline(.now)
    /// What inner parts note for the outermost.
    let notes = ExchangeNotes()

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.address = source.channel.remoteAddress.flatMap(Self.text(of:))
    }

    /// An IPv4 client of a dual-stack socket is named as such, so that policy sees one address and not two.
    private static func text(of address: SocketAddress) -> String? {
        guard let text = address.ipAddress else { return nil }
        let mapped = "::ffff:"
        return text.hasPrefix(mapped) && text.contains(".") ? String(text.dropFirst(mapped.count)) : text
    }
}

/// What the inner parts of the server note about a request for its access log and its end.
final class ExchangeNotes: Sendable {
    struct Notes: Sendable {
        /// The route's pattern, never its path.
        var route = "none"
        /// The admin key's name, once known.
        var key: String?
        /// Whether the request's body was read to its end.
        var bodyIsRead = false
    }

    private let state = Mutex(Notes())

    var current: Notes { state.withLock { $0 } }

    func note(_ change: (inout Notes) -> Void) {
        state.withLock { change(&$0) }
    }
}
