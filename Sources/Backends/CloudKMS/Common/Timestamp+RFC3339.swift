// Points in time as services write them.

import FoundationEssentials
import PosternProtocol

extension Timestamp {
    /// Reads RFC 3339 (§5.6), with or without a fraction of a second.
    /// - Returns: nil if the text is anything else.
    init?(rfc3339 text: String) {
        for hasFraction in [false, true] {
            let format = Date.ISO8601FormatStyle(includingFractionalSeconds: hasFraction)
            // The only error is that it is not of this form.
            guard let date = try? format.parse(text) else { continue }
            self.init(seconds: Int64(date.timeIntervalSince1970.rounded(.down)))
            return
        }
        return nil
    }
}
