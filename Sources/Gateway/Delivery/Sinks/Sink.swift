// What a sink is to delivery: something that takes records in order, or says why not.

import NIOCore
import PosternConnections
import PosternProtocol

/// Where records go.
protocol Sink: Sendable {
    /// How long a record that was taken may still be lost with the connection; zero where the sink acknowledges.
    var settling: Duration { get }
    /// Whether the connection that took records which have not settled is gone.
    var isBroken: Bool { get }
    /// Hands records over, in order. What fails may have been taken in part. Where a batch that is under way cannot be
    /// taken back, it is waited for beyond the deadline.
    func deliver(_ records: [DeliveredRecord], deadline: Deadline) async throws(SinkFailure)
    /// Gives the connection up after a failure; the next batch makes a new one.
    func reset()
    /// Ends the connection in order.
    /// - Returns: whether everything that was taken is known to have arrived.
    func close() async -> Bool
}

/// Why records were not taken.
struct SinkFailure: Error {
    /// What happened, to what.
    let message: String
    /// When the sink wants to be asked again.
    var retryAfter: Duration?
    /// Whether fewer records at once may be taken.
    var isTooMuch = false

    init(message: String, retryAfter: Duration? = nil, isTooMuch: Bool = false) {
        self.message = message
        self.retryAfter = retryAfter
        self.isTooMuch = isTooMuch
    }

    /// What an error of a connection means.
    init(_ error: any Error) {
        switch error {
        case let error as SinkFailure: self = error
        case is NIOTooManyBytesError: self.init(message: "its answer is too long")
        default: self.init(message: ConnectionTrouble.describe(error))
        }
    }
}

/// What a sink makes of records.
struct RecordForm: Sendable {
    let format: RecordFormat
    let product: ProductName
}
