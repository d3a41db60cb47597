// Which connections are open: for the limit on them, for closing some of them, and for shutting down.

import NIOCore
import Synchronization

/// The open connections of a server, those still in their handshake included.
final class ConnectionRegistry: Sendable {
    private struct Entry {
        let channel: any Channel
        var handler: HTTP2Handler?
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var nextID: UInt64 = 1
        var isAccepting = true
        var admitted = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { state.withLock { $0.entries.count } }
    var admittedCount: Int { state.withLock { $0.admitted } }

    /// Enters a new connection.
    /// - Returns: its number, or why it must be closed.
    func enter(_ channel: any Channel) -> Result<UInt64, RefusalError> {
        state.withLock { state in
            guard state.isAccepting else { return .failure(RefusalError(reason: .shuttingDown)) }
            guard state.entries.count < limit else { return .failure(RefusalError(reason: .tooManyConnections)) }
            let id = state.nextID
            state.nextID += 1
            state.entries[id] = Entry(channel: channel)
            return .success(id)
        }
    }

    /// Notes that a connection is served.
    /// - Returns: false if the server has stopped meanwhile.
    func admit(_ id: UInt64, handler: HTTP2Handler) -> Bool {
        state.withLock { state in
            guard state.isAccepting, state.entries[id] != nil else { return false }
            state.entries[id]?.handler = handler
            state.admitted += 1
            return true
        }
    }

    /// Removes a connection that is closed.
    func leave(_ id: UInt64) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            if state.entries.removeValue(forKey: id)?.handler != nil { state.admitted -= 1 }
            guard state.entries.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Lets no more connections in, and asks those that are open to finish.
    func drain(within grace: Duration) {
        let entries = state.withLock { state in
            state.isAccepting = false
            return Array(state.entries.values)
        }
        for entry in entries {
            if let handler = entry.handler {
                entry.channel.eventLoop.execute { handler.drain(within: grace) }
            } else {
                entry.channel.close(promise: nil)
            }
        }
    }

    /// Closes admitted connections at once.
    func close(where isMatch: (RPCConnection) -> Bool) -> Int {
        let handlers = state.withLock { $0.entries.values.compactMap(\.handler) }
        let matching = handlers.filter { isMatch($0.connection.peer) }
        for handler in matching { handler.connection.executor.loop.execute { handler.abort() } }
        return matching.count
    }

    /// Closes everything at once.
    func closeAll() {
        let entries = state.withLock { Array($0.entries.values) }
        for entry in entries {
            if let handler = entry.handler {
                entry.channel.eventLoop.execute { handler.abort() }
            } else {
                entry.channel.close(promise: nil)
            }
        }
    }

    /// Waits until no connection is open.
    func waitUntilEmpty() async {
        await withCheckedContinuation { waiter in
            let isEmpty = state.withLock { state in
                if !state.entries.isEmpty { state.waiters.append(waiter) }
                return state.entries.isEmpty
            }
            if isEmpty { waiter.resume() }
        }
    }

    /// Why a connection was turned away.
    struct RefusalError: Error {
        let reason: RPCRefusal
    }
}
