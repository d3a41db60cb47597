// The settings of policy, audit, limits, logs and shutdown.

/// How much is logged.
public enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}

/// How log lines look.
public enum LogFormat: String, Sendable, CaseIterable {
    /// One JSON object a line.
    case json
    /// For people.
    case text
}

enum PolicySettings {
    static let file = Setting(
        "policy.file", .path, .isAnError(example: "policy.yaml"), "The policy file: who may do what.")

    static let section = Section(
        "policy", "Access policy. Without a matching rule nobody gets anything.", [file.erased])
}

enum AuditSettings {
    static let directory = Setting(
        "audit.directory", .path, .isAnError(example: "audit"), "The folder of the audit log.")
    static let segmentBytes = Setting(
        "audit.segment_bytes", .integer(1_048_576...1_073_741_824), .means("33554432"),
        "The size at which a new segment is begun.")
    static let origin = Setting(
        "audit.origin", .logOrigin, .isFine(example: "gateway-1.example.com/audit"),
        "What the log's checkpoints call it, once and for all; made of the host's name if it is not set.")
    static let signingKey = Setting(
        "audit.signing_key", .path, .isFine(example: "audit-signing.key"),
        "The file of the key that signs checkpoints, made at the first start; signing.key in the log's folder if not set."
    )
    static let checkpointInterval = Setting(
        "audit.checkpoint_interval", .duration(.milliseconds(10)...(.seconds(3_600))), .means("400ms"),
        "How often what was recorded since is published, and a checkpoint signed.")
    static let retention = Setting(
        "audit.retention", .duration(.zero...(.seconds(3_155_760_000))), .means("0s"),
        "How long records are kept at least, their hashes for ever; 0s keeps them for ever too.")
    static let legalHold = Setting(
        "audit.legal_hold", .boolean, .means("false"), "Whether records are kept beyond that, for now.")
    static let sinks = Setting(
        "audit.sinks", .sinks, .means(""),
        "Where records are delivered to besides: syslog servers, web servers, files. None of them holds up a request.")

    static let section = Section(
        "audit", "The audit log. No secret is served that cannot be recorded here.",
        [
            directory.erased, segmentBytes.erased, origin.erased, signingKey.erased, checkpointInterval.erased,
            retention.erased, legalHold.erased, sinks.erased,
        ])
}

enum LimitSettings {
    static let maxPayloadBytes = Setting(
        "limits.max_payload_bytes", .integer(1...67_108_864), .means("1048576"),
        "The largest secret, names and values together.")
    static let maxDeadline = Setting(
        "limits.max_deadline", .duration(.milliseconds(1)...GRPCSettings.maximum), .means("60s"),
        "The longest a call may take, whatever deadline it names.")

    static let section = Section(
        "limits", "Limits for both front ends.", [maxPayloadBytes.erased, maxDeadline.erased])
}

enum LogSettings {
    static let level = Setting("log.level", .choice(LogLevel.self), .means("info"), "How much is logged.")
    static let format = Setting(
        "log.format", .choice(LogFormat.self), .means("json"), "How log lines look: for machines or for people.")

    static let section = Section("log", "Logs, on standard error.", [level.erased, format.erased])
}

enum ShutdownSettings {
    static let grace = Setting(
        "shutdown.grace", .duration(.zero...GRPCSettings.maximum), .means("10s"),
        "How long calls under way may take to finish when the gateway is stopped.")

    static let section = Section("shutdown", "Stopping.", [grace.erased])
}
