// A clock that stands still until a test moves it.

public import PosternProtocol
import Synchronization

/// A wall clock that shows what a test sets.
public final class ManualClock: WallClock {
    private let time: Mutex<Timestamp>

    /// Makes a clock.
    /// - Parameter start: the time that it shows first.
    public init(_ start: Timestamp = Timestamp(seconds: 1_800_000_000)) {
        self.time = Mutex(start)
    }

    /// The time that it shows.
    public func now() -> Timestamp { time.withLock { $0 } }

    /// Moves it; a negative duration moves it back.
    /// - Parameter duration: how far.
    public func advance(by duration: Duration) {
        time.withLock { $0 = $0.advanced(by: duration) }
    }
}
