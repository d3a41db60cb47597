// How much attention a record asks for, and what it says in one line: the same in every form.

import PosternAudit

/// How much attention a record asks for.
enum RecordWeight {
    /// What is expected.
    case ordinary
    /// A change to policy, keys or the log that worked.
    case notable
    /// What was allowed and failed.
    case failed
    /// What was refused, and those who could not prove who they are.
    case refused

    /// OCSF's severity: 1 Informational, 2 Low, 3 Medium.
    var ocsf: (id: Int, caption: String) {
        switch self {
        case .ordinary, .notable: (1, "Informational")
        case .failed: (2, "Low")
        case .refused: (3, "Medium")
        }
    }

    /// CEF's severity, 0 to 10.
    var cef: Int {
        switch self {
        case .ordinary: 2
        case .notable: 4
        case .failed: 5
        case .refused: 6
        }
    }

    /// The severity of RFC 5424 §6.2.1: 6 Informational, 5 Notice, 4 Warning.
    var syslog: Int {
        switch self {
        case .ordinary: 6
        case .notable: 5
        case .failed, .refused: 4
        }
    }
}

extension AuditRecord {
    var weight: RecordWeight {
        if decision == .deny { return .refused }
        if let outcome, outcome != "ok" { return .failed }
        return OCSFClass(of: self).isChange ? .notable : .ordinary
    }

    /// What happened, in one line.
    var summary: String {
        let ending =
            switch (phase, decision) {
            case (.attempt, _): "attempted"
            case (.outcome, .deny): "refused"
            case (.outcome, .allow): outcome == "ok" ? "done" : "failed"
            }
        return "\(action) \(ending)"
    }
}
