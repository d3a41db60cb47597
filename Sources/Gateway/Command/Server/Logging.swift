// Logs to standard error: JSON lines for machines, plain lines for people.

import Logging
import PosternConfiguration
import PosternProtocol

/// Writes each event as one line to standard error.
struct LineLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    let label: String
    let format: LogFormat
    let clock: any WallClock

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let time = clock.now().description
        let line: String =
            switch format {
            case .json:
                Self.json(
                    [
                        ("time", time), ("level", event.level.rawValue), ("logger", label),
                        ("message", event.message.description),
                    ] + all.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) })
            case .text:
                "\(time) \(event.level.rawValue) \(event.message)"
                    + all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            }
        StandardError.write(line)
    }

    private static func json(_ members: [(String, String)]) -> String {
        "{" + members.map { "\(quoted($0.0)):\(quoted($0.1))" }.joined(separator: ",") + "}"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension Logger {
    /// A logger to standard error.
    static func standardError(_ label: String, level: Logger.Level, format: LogFormat) -> Logger {
        Logger(label: label) { label in
            LineLogHandler(logLevel: level, label: label, format: format, clock: SystemWallClock())
        }
    }
}
