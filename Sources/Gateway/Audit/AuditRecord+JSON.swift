// A record as canonical JSON. Members are written straight into the buffer in the order that RFC 8785
// demands, which for fixed names is known here and now; only `detail` is sorted at run time.

import PosternProtocol

extension AuditRecord {
    /// Appends the record as canonical JSON (RFC 8785).
    ///
    /// Absent optionals and empty collections are left out. Numbers stay within ±(2⁵³ − 1), as RFC 7493
    /// asks; larger ones are written as that bound.
    /// - Parameter buffer: where to append.
    public func appendCanonicalJSON(to buffer: inout [UInt8]) {
        buffer.appendRaw("{\"action\":")
        buffer.appendJSON(action)
        appendActor(to: &buffer)
        buffer.appendMember(",\"age_ms\":", ageMilliseconds)
        buffer.appendMember(",\"approver\":", approver)
        buffer.appendRaw(decision == .allow ? ",\"decision\":\"allow\"" : ",\"decision\":\"deny\"")
        if !detail.isEmpty { appendDetail(to: &buffer) }
        if !fields.isEmpty { appendFields(to: &buffer) }
        buffer.appendMember(",\"outcome\":", outcome)
        buffer.appendMember(",\"path\":", path)
        buffer.appendRaw(phase == .attempt ? ",\"phase\":\"attempt\"" : ",\"phase\":\"outcome\"")
        buffer.appendMember(",\"reason\":", reason)
        buffer.appendMember(",\"request_id\":", requestID)
        buffer.appendMember(",\"rule\":", rule)
        buffer.appendMember(",\"served_from\":", servedFrom)
        buffer.appendMember(",\"ticket\":", ticket)
        buffer.appendRaw(",\"time\":\"")
        time.appendRFC3339(to: &buffer)
        buffer.appendRaw("\"")
        buffer.appendMember(",\"trace_id\":", traceID)
        buffer.appendMember(",\"v\":", Self.formatVersion)
        buffer.appendMember(",\"version\":", version)
        buffer.append(UInt8(ascii: "}"))
    }

    private func appendActor(to buffer: inout [UInt8]) {
        // The first member that is there has no comma before it; `authentication` always is.
        if let address = actor.address {
            buffer.appendRaw(",\"actor\":{\"address\":")
            buffer.appendJSON(address)
            buffer.appendRaw(",\"authentication\":")
        } else {
            buffer.appendRaw(",\"actor\":{\"authentication\":")
        }
        buffer.appendJSON(actor.authentication)
        buffer.appendMember(",\"credential\":", actor.credential)
        buffer.appendMember(",\"principal\":", actor.principal)
        buffer.append(UInt8(ascii: "}"))
    }

    private func appendDetail(to buffer: inout [UInt8]) {
        var separator: StaticString = ",\"detail\":{"
        for (key, value) in detail.sorted(by: { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }) {
            buffer.appendRaw(separator)
            buffer.appendJSON(key)
            buffer.append(UInt8(ascii: ":"))
            buffer.appendJSON(value)
            separator = ","
        }
        buffer.append(UInt8(ascii: "}"))
    }

    private func appendFields(to buffer: inout [UInt8]) {
        var separator: StaticString = ",\"fields\":["
        for field in fields {
            buffer.appendRaw(separator)
            buffer.appendJSON(field)
            separator = ","
        }
        buffer.append(UInt8(ascii: "]"))
    }
}
