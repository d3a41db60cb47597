// Finds the one slot whose token a URI names.

import CP11Kit
import PosternProtocol

/// Looks through a module's slots.
struct Slots {
    let functions: Functions
    let ticket: CallTicket

    /// The slot of the one token that a URI names.
    /// - Throws: `key_unavailable` if there is none or more than one; what a call answered.
    func find(_ uri: PKCS11URI) throws(TokenFailure) -> (slot: CK_SLOT_ID, info: TokenInfo) {
        guard try libraryMatches(uri) else {
            throw .answer(
                SecretError(.keyUnavailable, "The PKCS#11 module is not the library that \(uri.tokenPart) names."))
        }
        var found: [(slot: CK_SLOT_ID, info: TokenInfo)] = []
        var others: [String] = []
        var unreadable: TokenFailure?
        for slot in try list() {
            let info: TokenInfo
            do throws(TokenFailure) {
                guard let known = try self.info(of: slot) else { continue }
                info = known
            } catch {
                // Another token in trouble is no reason not to use this one.
                unreadable = error
                continue
            }
            if info.matches(uri), try slotMatches(slot, uri) {
                found.append((slot, info))
            } else if info.has(CKF_TOKEN_INITIALIZED) {
                others.append(info.name)
            }
        }
        switch found.count {
        case 1: return found[0]
        case 0:
            if let unreadable { throw unreadable }
            let present = others.isEmpty ? "there is none" : "there are " + others.joined(separator: ", ")
            throw .answer(
                SecretError(
                    .keyUnavailable,
                    "No token is present that matches \(uri.tokenPart); \(present). Connect the HSM, or mend the URI.",
                    retryAfterSeconds: 5))
        default:
            throw .answer(
                SecretError(
                    .keyUnavailable,
                    "\(found.count) tokens match \(uri.tokenPart): \(found.map(\.info.name).joined(separator: ", ")). "
                        + "Say which by adding `serial` to the URI."))
        }
    }

    /// The slots that have a token in them.
    func list() throws(TokenFailure) -> [CK_SLOT_ID] {
        try tokenCall { () throws(PKCS11Error) in
            // Slots may come between the question how many there are and the list.
            for _ in 0..<5 {
                var count: CK_ULONG = 0
                try ticket.call(.getSlotList) {
                    unsafe functions.list.pointee.C_GetSlotList(CK_BBOOL(CK_TRUE), nil, &count)
                }
                guard count > 0 else { return [] }
                var slots = [CK_SLOT_ID](repeating: 0, count: Int(count))
                do throws(PKCS11Error) {
                    try ticket.call(.getSlotList) {
                        unsafe functions.list.pointee.C_GetSlotList(CK_BBOOL(CK_TRUE), &slots, &count)
                    }
                    return Array(slots.prefix(Int(count)))
                } catch {
                    guard error.value.rawValue == CKR_BUFFER_TOO_SMALL else { throw error }
                }
            }
            throw PKCS11Error(.getSlotList, ReturnValue(rawValue: CKR_BUFFER_TOO_SMALL))
        }
    }

    /// What the token in a slot says of itself; nil if it was taken out meanwhile or cannot be recognised.
    func info(of slot: CK_SLOT_ID) throws(TokenFailure) -> TokenInfo? {
        do throws(PKCS11Error) {
            var info = CK_TOKEN_INFO()
            try ticket.call(.getTokenInfo) { unsafe functions.list.pointee.C_GetTokenInfo(slot, &info) }
            return TokenInfo(info)
        } catch {
            guard error.errorClass == .token else { throw .call(error) }
            return nil
        }
    }

    private func slotMatches(_ slot: CK_SLOT_ID, _ uri: PKCS11URI) throws(TokenFailure) -> Bool {
        if let wanted = uri.slotID, wanted != slot { return false }
        let description = uri.attributes[.slotDescription]
        let manufacturer = uri.attributes[.slotManufacturer]
        guard description != nil || manufacturer != nil else { return true }
        var info = CK_SLOT_INFO()
        try tokenCall { () throws(PKCS11Error) in
            try ticket.call(.getSlotInfo) { unsafe functions.list.pointee.C_GetSlotInfo(slot, &info) }
        }
        return (description ?? TokenInfo.text(info.slotDescription)) == TokenInfo.text(info.slotDescription)
            && (manufacturer ?? TokenInfo.text(info.manufacturerID)) == TokenInfo.text(info.manufacturerID)
    }

    private func libraryMatches(_ uri: PKCS11URI) throws(TokenFailure) -> Bool {
        let asked: [PKCS11URI.Attribute] = [.libraryManufacturer, .libraryDescription, .libraryVersion]
        guard asked.contains(where: { uri.attributes[$0] != nil }) else { return true }
        var info = CK_INFO()
        try tokenCall { () throws(PKCS11Error) in
            try ticket.call(.getInfo) { unsafe functions.list.pointee.C_GetInfo(&info) }
        }
        let own: [PKCS11URI.Attribute: String] = [
            .libraryManufacturer: TokenInfo.text(info.manufacturerID),
            .libraryDescription: TokenInfo.text(info.libraryDescription),
            .libraryVersion: "\(info.libraryVersion.major).\(info.libraryVersion.minor)",
        ]
        return asked.allSatisfy { uri.attributes[$0] == nil || uri.attributes[$0] == own[$0] }
    }
}
